"""`liuhen-center receipts`: the list that kiosks answer parties' receipts from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from agent.clock import system_clock
from agent.duty.receipt_list import DELETED, VERDICTS, ReceiptAnswer
from agent.errors import OperatorFault
from agent.key_files import read_signer
from provisioning.center.cases import CaseRoom
from provisioning.center.config import read_config
from provisioning.center.party_receipts import ReceiptRoom, worse
from provisioning.cli_frame import tell

MISSING = "missing"
WORDS = ("完整", "有说明中断", "无说明中断", "缺失", "被改", "不可信", "已到期删除")
EXAMPLES = """录像目录应是 intake 写出的那个：

recordings/REC-0001-R000001/segment-0001.mp4

recordings/REC-0001-R000001/SHA256SUMS

例：liuhen-center receipts --config center.toml --recordings recordings

录像确已丢失或被改、要照实公布时：liuhen-center receipts --config center.toml --recordings recordings --accept-worse"""


def receipts(
    config: Annotated[Path, typer.Option("--config", help="center.toml 的路径")],
    recordings: Annotated[Path, typer.Option("--recordings", help="录像目录，每次录制一个文件夹（见下）")],
    accept_worse: Annotated[bool, typer.Option("--accept-worse", help="结论变差也照实签发")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """核验回执所指的录像，签发回执清单，由接收端发到各公示屏；宜每日运行 (sign the list of receipts for kiosks)."""
    settings = read_config(config)
    if not recordings.is_dir():
        raise OperatorFault(f"没有录像目录 {recordings}，清单未动。请改正 --recordings。")
    room = ReceiptRoom(CaseRoom(settings, recordings, system_clock().read().wall))
    answers, before = room.answers(), room.published()
    fallen = worse(before, answers)
    if not accept_worse:
        _check(answers, before, fallen, recordings)
    written = room.publish(answers, read_signer(settings.key, settings.chain))
    counts = Counter(answer.verdict for answer in answers)
    facts = {"receipts": len(answers), "verdicts": dict(counts), "worse": list(fallen), "written": list(written)}
    text = f"回执 {len(answers)} 份（{_counted(answers)}），更新清单 {len(written)} 册，在 {settings.receipts}。"
    tell(text, {**facts, "folder": str(settings.receipts)}, as_json=as_json)


def _check(
    answers: tuple[ReceiptAnswer, ...], before: Mapping[str, ReceiptAnswer], fallen: tuple[str, ...], folder: Path
) -> None:
    """Raise `OperatorFault` where the list would say less than before, and for a folder in which nothing was found."""
    kept = [answer for answer in answers if answer.verdict != DELETED]
    anyway = "确要照此签发，请加 --accept-worse。"
    if kept and all(answer.verdict == MISSING for answer in kept):
        text = f"{len(kept)} 份回执所指的录像，在 {folder} 中一份也没有找到，清单未动。请核对 --recordings 的目录结构"
        raise OperatorFault(f"{text}（见 --help）；{anyway}")
    if fallen:
        told = f"上一版 {_counted(before.values())}，这一版 {_counted(answers)}"
        text = f"有 {len(fallen)} 份回执的结论比上一版差（如 {fallen[0]}；{told}），清单未动。"
        raise OperatorFault(f"{text}请先查明录像；{anyway}")


def _counted(answers: Iterable[ReceiptAnswer]) -> str:
    counts = Counter(answer.verdict for answer in answers)
    words = [f"{WORDS[VERDICTS.index(verdict)]} {counts[verdict]}" for verdict in VERDICTS if counts[verdict]]
    return "、".join(words) or "没有"
