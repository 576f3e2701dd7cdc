"""The list that kiosks answer parties' receipts from: put together from stored events and verified recordings, signed
by the centre, written where the receiver takes it to the broker."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from agent import durable
from agent.duty.case_assembly import SeenRecording
from agent.duty.holds import SHORTEST, Keeping
from agent.duty.party_receipt import CODE
from agent.duty.receipt_list import (
    DELETED,
    PARTS,
    ReceiptAnswer,
    ReceiptPart,
    answer_for,
    open_part,
    part_name,
    seal_part,
    split_answers,
)
from agent.duty.told_facts import readable
from agent.errors import OperatorFault, SenderFault
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType
from agent.wire.identifiers import Digest, RecordingId, digest, parse_recording_id, recording_device
from agent.wire.instant import BEIJING
from agent.wire.signing import Signer
from provisioning.authority.authority import read_file
from provisioning.center.cases import SEEN, CaseRoom
from provisioning.center.retention_room import RetentionRoom
from provisioning.center.seen_recordings import seen_recordings

GOODNESS = (DELETED, "complete", "explained-gap", "unexplained-gap", "missing", "untrusted", "altered")
"""From best to worst, as `liuhen-verify` ranks them; what was deleted after its time is as it should be."""


@dataclass(frozen=True)
class ToldReceipt:
    """A receipt as its device told it: `code` stands on the paper, `head` after fragment `last`."""

    code: str
    task: str
    recording: RecordingId
    last: int
    head: Digest


@dataclass(frozen=True)
class ReceiptRoom:
    """Where the answers come from."""

    room: CaseRoom

    def answers(self) -> tuple[ReceiptAnswer, ...]:
        """One for every receipt that a device told of, in the order of their codes."""
        told = {one.code: one for one in told_receipts(self.room.events)}
        names = {one.recording for one in told.values()}
        kept = self.room.config.folder / SEEN
        seen = seen_recordings(self.room.recordings, sorted(names), kept, self.room.grounds, self.room.now)
        keepings = {name: RetentionRoom(self.room).keeping(name) for name in names}
        return tuple(_answer(one, seen.get(one.recording), keepings[one.recording]) for _, one in sorted(told.items()))

    def published(self) -> Mapping[str, ReceiptAnswer]:
        """What the list says until now, by code; parts that no kiosk would take say nothing."""
        parts = [self._there(part) for part in range(PARTS)]
        return {code: answer for part in parts if part is not None for code, answer in part.answers.items()}

    def publish(self, answers: tuple[ReceiptAnswer, ...], signer: Signer) -> tuple[str, ...]:
        """Sign and write every part whose answers changed, or that is not of today; returns their names. Raises
        `OperatorFault` for more receipts than a list can hold."""
        try:
            parts = split_answers(self.room.config.district, self.room.now, answers)
        except ValueError as error:
            raise OperatorFault(f"回执清单写不下（{error}）。请联系技术人员增加分册。") from error
        return tuple(self._write(part, signer) for part in parts if not self._stands(part))

    def _stands(self, part: ReceiptPart) -> bool:
        """Whether what is published says the same, and was said today."""
        there = self._there(part.part)
        return there is not None and there.answers == part.answers and _day(there.issued) == _day(part.issued)

    def _there(self, part: int) -> ReceiptPart | None:
        """The part that is published; None without one, and for a file that no kiosk would take: it is written anew."""
        path = self.room.config.receipts / part_name(part)
        try:
            district = self.room.config.district
            return open_part(read_file(path), part, self.room.trust, self.room.now, district) if path.exists() else None
        except SenderFault:
            return None

    def _write(self, part: ReceiptPart, signer: Signer) -> str:
        name = part_name(part.part)
        durable.make_directory(self.room.config.receipts)
        durable.write_bytes(self.room.config.receipts / name, seal_part(part, signer))
        return name


def worse(before: Mapping[str, ReceiptAnswer], after: Iterable[ReceiptAnswer]) -> tuple[str, ...]:
    """Codes whose answer says less for the recording than it did, or that have none any more."""
    now = {answer.code: GOODNESS.index(answer.verdict) for answer in after}
    return tuple(
        code for code, answer in sorted(before.items()) if now.get(code, len(GOODNESS)) > GOODNESS.index(answer.verdict)
    )


def told_receipts(events: tuple[DeviceEvent, ...]) -> Iterator[ToldReceipt]:
    """The receipts of recordings of the very device that tells of them: no other can speak for it."""
    for event in events:
        for found in readable([event], EventType.RECEIPT_ISSUED, _told):
            if recording_device(found.recording) == event.device:
                yield found


def _told(fields: Fields) -> ToldReceipt:
    code = fields.text("code")
    if not CODE.fullmatch(code):
        raise SenderFault("查询码不合规定格式，已忽略。")
    recording, last = parse_recording_id(fields.text("recording")), fields.integer("last", 1)
    return ToldReceipt(code, fields.text("task"), recording, last, digest(fields.text("head")))


def _answer(told: ToldReceipt, seen: SeenRecording | None, keeping: Keeping) -> ReceiptAnswer:
    if keeping.deleted is not None:
        return ReceiptAnswer(told.code, DELETED, 0, _day(keeping.deleted))
    if seen is None:
        return ReceiptAnswer(told.code, "missing", 0, None)
    until = _until(keeping, seen.fact.ends)
    return answer_for(told.code, told.head, seen.heads.get(told.last), seen.fact, seen.gaps, until)


def _until(keeping: Keeping, ended: datetime) -> date | None:
    """The last day of keeping; None while it is held, or where no day is known. Of no class: as long as the law asks of
    every recording."""
    if keeping.holds:
        return None
    if keeping.in_force is None:
        return _day(ended + SHORTEST)
    due = keeping.due(ended)
    return None if due is None else _day(due)


def _day(moment: datetime) -> date:
    return moment.astimezone(BEIJING).date()
