"""Paper on scene: two documents and the party's receipt, made, printed and told by the recorder."""

from pathlib import Path
from typing import Any

from agent import durable
from agent.duty.asks import What
from agent.duty.papers import PAPER_SUFFIX, PAPERS, Paper, PaperKind, parse_paper
from provisioning.rehearsal.officer import ask, duty, state_of, tap
from provisioning.rehearsal.stage import Stage

COMMON = (
    "事由=燃气安全现场检查",
    "依据=《示例燃气管理条例》第十条、第二十条",
    "权利义务=有权陈述申辩、申请回避；应当配合检查",
)
DOCUMENTS = (
    ("onsite-record", "当事人签收", (*COMMON, "检查情况=燃气管道接口有示例泄漏，现场已关阀")),
    ("rectify-notice", "当事人拒签", (*COMMON, "改正要求=停止使用并更换管道", "改正期限=三日内")),
)
SIGNED = "当事人签收"


def give_documents(stage: Stage) -> None:
    """Make, print and serve two documents; the party signs one and refuses the other."""
    for template, served, fields in DOCUMENTS:
        ask(stage, "document", "new", template, "--print", *(word for text in fields for word in ("--field", text)))
        tap(stage, What.SERVE, served=served)
        note = _newest(stage)
        stage.tell.say(f"《{note['title']}》{note['number']}，已打印，{served}", "made, printed, served")


def give_receipt(stage: Stage) -> str:
    """Make and print the party's receipt, which the party signs; returns what its QR code says."""
    ask(stage, "receipt", "new", "--print")
    note = _newest(stage)
    tap(stage, What.CONFIRM, served=SIGNED, paper=note["number"])
    stage.tell.say(f"当事人回执 {note['number']}，已打印，当事人对校验值签字", "the party's receipt, and its signature")
    return _read(stage, note["name"]).code


def kept(stage: Stage) -> tuple[Path, ...]:
    """The exact texts of the documents, as files for the office."""
    folder = durable.make_directory(stage.district.place / "documents")
    found = [_read(stage, note["name"]) for note in duty(stage)["papers"] if note["kind"] == PaperKind.DOCUMENT]
    return tuple(durable.write_bytes(folder / f"{it.number}.txt", it.text.encode()) for it in found)


def _newest(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = duty(stage)["papers"][-1]
    return found


def _read(stage: Stage, name: str) -> Paper:
    return parse_paper((state_of(stage) / PAPERS / f"{name}{PAPER_SUFFIX}").read_bytes())
