"""The pages of legal review: the matters, one of them, its packet, and acts.

No private key of a person comes near this server. The page makes out an act and judges it by the rules; the person
signs it on his own computer (`liuhen-center review sign`) and brings the signed act back, and it is judged again. A key
on the server would sign for whoever runs the server.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.duty.act_bodies import Finding, Outcome
from agent.duty.case_facts import CaseFacts
from agent.duty.case_json import case_digest
from agent.duty.record_use import moment
from agent.duty.review import MOVE_WORDS, ROLE_WORDS, Move, Review, turns
from agent.duty.review_admission import act_words, barred, missing_materials, must_be_reviewed, overtaken
from agent.duty.review_elements import QUESTIONS, review_elements
from agent.duty.review_rules import ReviewRules
from agent.errors import LiuhenFault, OperatorFault, SenderFault
from agent.wire.acts import Act
from provisioning.center.act_folder import RefusedAct
from provisioning.center.cases import CaseRoom
from provisioning.center.page.act_forms import Given, draft_act, move_of, open_moves
from provisioning.center.page.door import Page, Visitor
from provisioning.center.page.frame import Frame
from provisioning.center.review_page import STYLE, Dossier, review_page
from provisioning.center.signed_acts import act_in, take_act

COLUMNS = ("任务", "执法单位", "事项", "重大情形", "状态", "期限", "逾期")
PACKET_STYLE = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""The one style sheet that stands inside a page we serve, by its hash (CSP level 2)."""


@dataclass(frozen=True)
class ReviewPages:
    """Every look at a matter is written down before it is answered."""

    frame: Frame

    def matters(self, visitor: Visitor) -> str:
        """Every task with the state of its review; those that must be reviewed first."""
        room = self.frame.cases()
        rows, troubles = [], []
        for task in room.tasks():
            try:
                rows.append(self._row(room, task))
            except LiuhenFault as fault:  # one matter whose acts were changed must not hide the others
                troubles.append(f"{task}：{fault}")
        rows.sort(key=lambda row: (not row["重大情形"], row["任务"]))
        return self.frame.page(
            "review.html",
            "法制审核",
            visitor,
            {"here": Page.REVIEW, "rows": rows, "columns": COLUMNS, "troubles": troubles},
        )

    def matter(self, visitor: Visitor, task: str, told: str = "") -> str:
        """One matter: elements, documents, flow, and what may be done next; a look."""
        self.frame.look(visitor, "", f"review {task}")
        room = self.frame.cases()
        facts, review = self._case(room, task)
        ruling = room.ruling(facts.unit)
        rules = ruling.rules
        moves = open_moves(review, barred(review, facts, rules))
        shown = {
            "here": Page.REVIEW, "task": task, "facts": facts, "review": review, "rules": rules, "told": told,
            "changed": [it for it in (overtaken(review, case_digest(facts)), ruling.told) if it],
            "must": must_be_reviewed(facts, rules), "elements": review_elements(facts), "papers": room.papers(facts),
            "acts": [_act_row(it.act, ROLE_WORDS[it.role]) for it in review.acts],
            "turns": _turn_rows(review, rules, room.now), "moves": moves, "outcomes": list(Outcome),
            "findings": list(Finding), "acting": visitor.may(Page.ACT), "absent": _absent(review, rules),
        }  # fmt: skip
        return self.frame.page("matter.html", f"法制审核 {task}", visitor, shown)

    def packet(self, visitor: Visitor, task: str) -> str:
        """The packet's own page, with the texts of the documents; a look."""
        self.frame.look(visitor, "", f"packet {task}")
        room = self.frame.cases()
        facts, review = self._case(room, task)
        ruling, papers, centre = room.ruling(facts.unit), room.papers(facts), self.frame.config.receiver
        return review_page(Dossier(facts, review, ruling.rules, {}, room.now, centre, papers, ruling.told))

    def draft(self, visitor: Visitor, task: str, given: Given) -> Act:
        """The act to be signed, which the rules would take in as things stand; raises what they say."""
        room = self.frame.cases()
        submitting = move_of(next(iter(given.get("move", ())), "")) is Move.SUBMIT
        facts = room.facts(task, next(iter(given.get("transfer", ())), "") if submitting else None)
        review, rules = room.review(task), room.ruling(facts.unit).rules
        try:
            return draft_act(given, visitor.name, review, facts, rules, room.trust, room.now)
        except SenderFault as fault:  # as on the command line: whoever tries is seen by those who oversee
            move = next(iter(given.get("move", ())), "")
            room.folder.note(task, RefusedAct(visitor.name, move, room.now, str(fault)))
            raise

    def take(self, visitor: Visitor, task: str, envelope: str) -> Review:
        """Take in an act that the visitor has signed; raises `SenderFault` when the rules refuse it, or when it is
        somebody else's."""
        room, signed = self.frame.cases(), "".join(envelope.split()).encode()  # a terminal breaks long lines
        if not signed:
            raise OperatorFault("没有收到签名。请把 liuhen-center review sign 的输出整段粘贴进来。")
        if act_in(signed).by != visitor.name:
            raise SenderFault(f"这项记录不是 {visitor.name} 所签，已拒绝。请由签名人本人登录提交。", "person")
        return take_act(room, task, signed)

    def _row(self, room: CaseRoom, task: str) -> dict[str, Any]:
        facts, review = room.facts(task), room.review(task)
        rules = room.ruling(facts.unit).rules
        open_turn = next((turn for turn in turns(review, rules) if turn.ended is None), None)
        due = None if open_turn is None else open_turn.due
        late = open_turn is not None and open_turn.late(room.now)
        major = "；".join(facts.major) or ("须审核" if must_be_reviewed(facts, rules) else "")
        values = (task, facts.unit, facts.matter, major, review.stage.value, _day(due), "逾期" if late else "")
        return dict(zip(COLUMNS, values, strict=True))

    def _case(self, room: CaseRoom, task: str) -> tuple[CaseFacts, Review]:
        if task not in room.tasks():
            raise OperatorFault(f"没有设备领取过任务 {task[:64]}。请在“审核”页面核对。")
        return room.facts(task), room.review(task)


def _absent(review: Review, rules: ReviewRules) -> tuple[str, ...]:
    handed = [it.act.body for it in review.acts if it.act.kind == Move.SUBMIT]
    return missing_materials(handed[-1]["materials"], rules) if handed else ()


def _act_row(act: Act, role: str) -> dict[str, Any]:
    judged = [
        f"{it['number']} {QUESTIONS[it['number'] - 1][0]}：{it['finding']}{'，' if it['note'] else ''}{it['note']}"
        for it in act.body.get("elements", ())
    ]
    return {
        "number": act.number, "at": moment(act.at), "move": MOVE_WORDS[Move(act.kind)], "by": act.by, "role": role,
        "text": act_words(act.body), "judged": judged,
    }  # fmt: skip


def _turn_rows(review: Review, rules: ReviewRules, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "状态": turn.stage.value,
            "进入": moment(turn.began),
            "期限": _day(turn.due),
            "离开": "" if turn.ended is None else moment(turn.ended),
            "逾期": f"逾期（{turn.by or '未办结'}）" if turn.late(now) else "",
        }
        for turn in turns(review, rules)
    ]


def _day(at: datetime | None) -> str:
    return "" if at is None else moment(at)[:10]
