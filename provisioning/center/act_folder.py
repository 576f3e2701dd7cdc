"""Signed acts on the disk: a file each, `001.dsse` and on, in a folder of their subject; never changed, only added.

What the rules refused lies beside them, `refused-001.json` and on: who tried what, when, and why not. These are
the centre's own notes: neither signed nor chained, they oversee and prove nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.acts import MAX_ACTS, SignedAct, act_name, next_act, open_act, open_acts, seal_act
from agent.wire.canonical import Fields
from agent.wire.envelope import parse_envelope
from agent.wire.signing import Signer
from agent.wire.trust import TrustList
from provisioning.authority.authority import read_file

DRAFT_LASTS = timedelta(hours=1)  # ours: from the page to the person's own computer and back
SUBJECT = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")  # task numbers and recording ids
_State = TypeVar("_State")
MAX_REFUSED = 100  # ours, of one subject: whoever tries again and again shows that with the first hundred


@dataclass(frozen=True)
class RefusedAct:
    """An act that its person signed, or was about to sign on the page, and the rules refused."""

    by: str
    kind: str
    at: datetime
    why: str


class ActFolder:
    """The acts of one ledger; a folder for each subject in `place`."""

    def __init__(self, place: Path, ledger: str, trust: TrustList) -> None:
        self._place, self._ledger, self._trust = place, ledger, trust

    def folder(self, subject: str) -> Path:
        """Where the acts about `subject` lie; raises `OperatorFault` when it is no name for a folder."""
        if not SUBJECT.fullmatch(subject):
            raise OperatorFault(f"编号“{subject[:40]}”不可用：应为字母、数字和短横。请检查编号。")
        return self._place / subject

    def envelopes(self, subject: str) -> list[bytes]:
        """The acts about `subject` as they were signed, in order."""
        return [read_file(path) for path in sorted(self.folder(subject).glob("[0-9][0-9][0-9].dsse"))]

    def acts(self, subject: str) -> tuple[SignedAct, ...]:
        """Them verified; raises `SenderFault` when one was changed or taken away."""
        return open_acts(self.envelopes(subject), self._trust)

    def refused(self, subject: str) -> tuple[RefusedAct, ...]:
        """What was tried on `subject` and refused, in order; raises `SenderFault` for a file that cannot be read."""
        told = [
            Fields(path.name, canonical.decode(read_file(path)))
            for path in sorted(self.folder(subject).glob("refused-[0-9][0-9][0-9].json"))
        ]
        return tuple(RefusedAct(it.text("by"), it.text("kind"), it.moment("at"), it.text("why")) for it in told)

    def grounds(self, subject: str) -> Mapping[int, bytes]:
        """What acts were judged by when they were taken in, by the number of the act, where that was kept."""
        paths = sorted(self.folder(subject).glob("ground-[0-9][0-9][0-9].dsse"))
        return {int(path.stem.removeprefix("ground-")): read_file(path) for path in paths}

    def _admitted(
        self,
        folder: Path,
        acts: tuple[SignedAct, ...],
        signed: SignedAct,
        admit: Callable[[tuple[SignedAct, ...], SignedAct], _State],
    ) -> _State:
        try:
            return admit(acts, signed)
        except SenderFault as fault:
            act = signed.act
            _note(folder, RefusedAct(act.by, act.kind, act.at, str(fault)))
            raise

    def note(self, subject: str, tried: RefusedAct) -> None:
        """Keep what somebody who is signed in tried and the rules refused before he signed it."""
        folder = durable.make_directory(self.folder(subject))
        with durable.exclusive(folder):
            _note(folder, tried)

    def add(
        self,
        subject: str,
        kind: str,
        body: Mapping[str, Any],
        signer: Signer,
        now: datetime,
        admit: Callable[[tuple[SignedAct, ...], SignedAct], _State],
        ground: bytes = b"",
    ) -> _State:
        """Sign the next act, let `admit` (given the acts before it) judge it, keep it; when it raises, that alone
        is kept (`refused`). `ground` is what it was judged by, kept beside it. Returns what `admit` returned."""
        folder = durable.make_directory(self.folder(subject))
        with durable.exclusive(folder):
            acts = self.acts(subject)
            before = acts[-1] if acts else None
            by = self._trust.credential(signer.key_id, now).subject
            act = next_act(before, self._trust.district, self._ledger, subject, kind, by, now, body)
            if act.number > MAX_ACTS:
                raise OperatorFault(f"{subject} 的记录已满 {MAX_ACTS} 项，不能再加。请联系技术人员。")
            envelope = seal_act(act, signer)
            state = self._admitted(folder, acts, open_act(envelope, self._trust, before), admit)
            _keep(folder, act.number, envelope, ground)
        return state

    def take(
        self,
        subject: str,
        envelope: bytes,
        now: datetime,
        admit: Callable[[tuple[SignedAct, ...], SignedAct], _State],
        ground: bytes = b"",
    ) -> _State:
        """Keep the next act, which somebody signed elsewhere, once `admit` has judged it. Its key must be good now and
        its time within `DRAFT_LASTS` before `now`, so that nobody signs into the past. Raises `SenderFault`."""
        folder = durable.make_directory(self.folder(subject))
        with durable.exclusive(folder):
            acts = self.acts(subject)
            signed = open_act(envelope, self._trust, acts[-1] if acts else None)
            self._trust.credential(parse_envelope(envelope).signatures[0].key, now)
            if (signed.act.ledger, signed.act.subject) != (self._ledger, subject):
                raise SenderFault(f"这项记录属于 {signed.act.subject}，不属于 {subject}，已拒绝。", "subject")
            if not now - DRAFT_LASTS <= signed.act.at <= now:
                raise SenderFault("待签文件已超过一小时，或时间在将来。请在页面上重新生成再签。", "time")
            if signed.act.number > MAX_ACTS:
                raise OperatorFault(f"{subject} 的记录已满 {MAX_ACTS} 项，不能再加。请联系技术人员。")
            state = self._admitted(folder, acts, signed, admit)
            _keep(folder, signed.act.number, envelope, ground)
        return state


def _note(folder: Path, tried: RefusedAct) -> None:
    number = 1 + sum(1 for _ in folder.glob("refused-*.json"))
    if number <= MAX_REFUSED:
        told = {"at": canonical.timestamp(tried.at), "by": tried.by, "kind": tried.kind, "why": tried.why}
        durable.write_bytes(folder / f"refused-{number:03}.json", canonical.encode(told), durable.SHARED)


def _keep(folder: Path, number: int, envelope: bytes, ground: bytes) -> None:
    if ground:  # first: no act is ever kept without what it was judged by
        durable.write_bytes(folder / f"ground-{number:03}.dsse", ground, durable.SHARED)
    durable.write_bytes(folder / act_name(number), envelope, durable.SHARED)
