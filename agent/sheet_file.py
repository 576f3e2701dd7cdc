"""The draft of a key-content sheet as a text file: people put their words behind `说明：` and leave the rest alone."""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent.duty.key_content import MAX_LINES, MAX_TEXT
from agent.errors import OperatorFault
from agent.wire import canonical
from agent.wire.instant import BEIJING

DRAFT = re.compile(r"^底稿：([0-9a-f]{16})$", re.MULTILINE)
HEADING = re.compile(r"^【(\d+)】")
WORDS, ELEMENT = "说明：", "要素："
MAX_FILE_BYTES = 4 * MAX_LINES * MAX_TEXT
HELP = (
    "请在每个“说明：”后写明该时间段的内容，一行写完；“要素：”可空。不要改动其他各行。",
    "填好后执行 liuhen-agent keycontent sign 本文件。",
)


def draft_text(answer: Mapping[str, Any]) -> str:
    """The file to be filled in, from the agent's answer to `sheet-draft`."""
    title = f"关键内容与时间段说明　任务 {answer['task']}　第 {answer['version']} 版"
    entries = (_entry(number, line) for number, line in enumerate(answer["lines"], 1))
    return "\n".join([title, f"底稿：{answer['draft']}", *HELP, *(part for entry in entries for part in entry)])


def read_words(text: str) -> tuple[str, str]:
    """The draft's name, and the words as `sheet-sign` wants them; raises `OperatorFault`."""
    found = DRAFT.search(text)
    if found is None:
        raise OperatorFault("这不是关键内容说明的底稿：没有“底稿：”一行。请用 keycontent draft 重新生成。")
    entries: list[list[str]] = []
    for line in text.splitlines():
        if (match := HEADING.match(line)) is not None:
            entries.append(["", ""])
            if int(match[1]) != len(entries):
                raise OperatorFault(f"底稿的序号应连续，第 {len(entries)} 段写成了【{match[1]}】。请不要增删各段。")
        elif entries and line.startswith((WORDS, ELEMENT)):
            entries[-1][0 if line.startswith(WORDS) else 1] = line[len(WORDS) :].strip()
        elif entries and line.strip():
            raise OperatorFault(f"第 {len(entries)} 段有多余的一行“{line.strip()[:20]}”。每段说明请写成一行。")
    return found[1], json.dumps(entries, ensure_ascii=False)


def _entry(number: int, line: Mapping[str, Any]) -> tuple[str, ...]:
    begins, ends = (canonical.parse_timestamp(line[name]).astimezone(BEIJING) for name in ("begins", "ends"))
    where = f"{line['recording']} 第 {line['first']} 至 {line['last']} 段"
    step = f" {line['step']}" if line["step"] else ""
    return "", f"【{number}】 {begins:%H:%M:%S}—{ends:%H:%M:%S} {where}{step}", WORDS, ELEMENT
