"""The draft of a key-content sheet as a text file: people put their words behind `说明：` and leave the rest alone."""

import json
import re
from collections.abc import Mapping
from typing import Any

from agent.duty.key_content import MAX_LINES, MAX_TEXT
from agent.errors import OperatorFault

DRAFT = re.compile(r"^底稿：([0-9a-f]{16})$", re.MULTILINE)
HEADING = re.compile(r"^【(\d{1,4})】\s*(.*)$")
AUTHOR = re.compile(r"^制作人：(.*)$", re.MULTILINE)
WORDS, ELEMENT = "说明：", "要素："
MAX_FILE_BYTES = 4 * MAX_LINES * MAX_TEXT
HELP = (
    "请在每个“说明：”后写明该时间段的内容，一行写完；“要素：”可空。不要改动其他各行。",
    "制作人可改为本任务的其他执法人员。填好后执行 liuhen-agent keycontent sign 本文件。",
)


def draft_text(answer: Mapping[str, Any]) -> str:
    """The file to be filled in, from the agent's answer to `sheet-draft`."""
    entries = (
        ("", f"【{number}】 {line['heading']}", f"{WORDS}{line.get('text', '')}", ELEMENT)
        for number, line in enumerate(answer["lines"], 1)
    )
    head = [answer["title"], f"底稿：{answer['draft']}", f"制作人：{answer['author']}", *HELP]
    return "\n".join([*head, *(part for entry in entries for part in entry)])


def read_words(text: str) -> dict[str, str]:
    """What `sheet-sign` wants of a draft that was filled in; raises `OperatorFault`."""
    found = DRAFT.search(text)
    if found is None:
        raise OperatorFault("这不是关键内容说明的底稿：没有“底稿：”一行。请用 keycontent draft 重新生成。")
    entries: list[list[str]] = []
    for line in text.splitlines():
        if (match := HEADING.match(line)) is not None:
            entries.append(["", "", match[2].strip()])
            if int(match[1]) != len(entries):
                raise OperatorFault(f"底稿的序号应连续，第 {len(entries)} 段写成了【{match[1]}】。请不要增删各段。")
        elif entries and line.startswith((WORDS, ELEMENT)):
            entries[-1][0 if line.startswith(WORDS) else 1] = line[len(WORDS) :].strip()
        elif entries and line.strip():
            raise OperatorFault(f"第 {len(entries)} 段有多余的一行“{line.strip()[:20]}”。每段说明请写成一行。")
    author = AUTHOR.search(text)
    return {
        "author": author[1].strip() if author else "",
        "draft": found[1],
        "lines": json.dumps(entries, ensure_ascii=False),
        "title": text.lstrip("\ufeff").partition("\n")[0].strip(),
    }
