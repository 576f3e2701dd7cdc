"""After the inspection: legal review from submission to decision, its packet, and the six uses of the records."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent import durable
from agent.duty.review_rules import Stage as ReviewStage
from agent.wire.trust import Role
from provisioning.rehearsal import hall
from provisioning.rehearsal.district import EXAMINER, KIOSK, LEADER, OFFICERS, ON_SCENE
from provisioning.rehearsal.findings import Decided
from provisioning.rehearsal.inspection import TASK
from provisioning.rehearsal.processes import command, run, wait_until
from provisioning.rehearsal.stage import Stage

MATERIALS = (
    "拟作出的决定及说明",
    "决定书代拟稿",
    "证据材料",
    "全过程记录",
    "裁量基准适用说明",
    "听证笔录（依法听证的）",
)
DOCUMENT = "星综执罚〔2026〕0001号"
ANSWER_SECONDS = 30.0
EXPORTS = 6  # the plan 二（二）5


def decide(stage: Stage) -> None:
    """Carry the inspection's case from submission to the decision; make its packet and the exports."""
    tell, review = stage.tell, _Review(stage)
    tell.chapter("重大执法决定法制审核", "legal review, to its decision")
    review.act(Role.HANDLER, "submit", *(word for name in MATERIALS for word in ("--material", name)))
    tell.say(f"{OFFICERS[0]} 送审 {TASK}", "the handler submits")
    review.act(Role.EXAMINER, "accept")
    review.act(Role.EXAMINER, "approve", "--findings", _findings(stage, review.show()))
    tell.say(f"{EXAMINER} 受理并逐项审核十一项要素，同意", "eleven elements judged")
    state = review.act(Role.LEADER, "decide", "--document", DOCUMENT, "--text", "同意审核意见，依法作出处罚决定。")
    tell.say(f"{LEADER} 作出决定 {DOCUMENT}", "decided, by the leader")
    stage.findings.expect(state["stage"] == ReviewStage.DECIDED.value, f"审核停在“{state['stage']}”")
    packet = stage.district.place / "packet"
    review.packet(packet)
    tell.say("审核包已由中心签名，逐项核对无误", "the packet is signed, and checked")
    exports = _exports(stage, review)
    tell.say(
        f"强化记录结果运用：{len(exports)} 项导出", "six exports from the same facts", held=len(exports) == EXPORTS
    )
    stage.findings.expect(len(exports) == EXPORTS, f"应有 {EXPORTS} 项导出，实有 {len(exports)} 项")
    _answer_receipt(stage, review)
    stage.findings.decided = Decided(state["stage"], packet, exports)


def _answer_receipt(stage: Stage, review: "_Review") -> None:
    """The centre signs its list of receipts; the kiosk answers the party from it."""
    run([command("liuhen-center"), "receipts", *review.where])
    found = stage.findings.inspection
    if found is None:
        return
    words = {"回执真实", "录像已归档", "均已说明原因"}
    page = f"/receipt?c={quote(found.receipt)}"
    wait_until("回执清单到达公示屏", lambda: hall.shows(stage, page, words), ANSWER_SECONDS, [stage.roles[KIOSK]])
    stage.tell.say("当事人在公示屏核验回执：真实，已归档，中断均已说明", "answered by the kiosk")


class _Review:
    """`liuhen-center review` for the one case."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._tool = stage, command("liuhen-center")
        recordings = stage.district.archive / ON_SCENE
        self.where: list[str | Path] = ["--config", stage.district.center / "center.toml", "--recordings", recordings]

    def act(self, role: Role, move: str, *words: str | Path) -> dict[str, Any]:
        """One signed act; returns the state after it."""
        folder = self._stage.district.person(role)
        key, chain = folder / f"{role.value}.key", folder / f"{role.value}.pem"
        return self._run("act", TASK, move, *self.where, "--key", key, "--chain", chain, *words)

    def show(self) -> dict[str, Any]:
        """The facts, the elements and where the case stands."""
        return self._run("show", TASK, *self.where)

    def packet(self, target: Path) -> None:
        """Write the packet into `target` and check it."""
        self._run("packet", TASK, *self.where, "--out", target)
        self._run("check", target, "--root", self._stage.district.root)

    def _run(self, verb: str, *words: str | Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run([self._tool, "review", verb, *words, "--json"]))
        return found


def _findings(stage: Stage, shown: dict[str, Any]) -> Path:
    """The reviewer's finding on each element; where signed facts speak against, with why it is met all the same."""
    found = [{"number": element["number"], "finding": "符合", "note": _note(element)} for element in shown["elements"]]
    path = stage.district.place / "findings.json"
    durable.write_bytes(path, json.dumps(found, ensure_ascii=False, indent=1).encode())
    return path


def _note(element: dict[str, Any]) -> str:
    against = [line["text"] for line in element["lines"] if line["against"]]
    return f"已核实：{'；'.join(against)}不影响结论。" if against else "已核对。"


def _exports(stage: Stage, review: _Review) -> tuple[Path, ...]:
    out = stage.district.place / "report"
    run([command("liuhen-center"), "report", *review.where, "--out", out])
    return tuple(sorted(out.glob("*.csv")))
