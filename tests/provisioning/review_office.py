"""A centre with one case: real keys, stored events, a real recording, released rules. For tests of reviews."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from agent.evidence.journal import GAP_CLOSED, GAP_OPENED, JournalEvent, Reason
from agent.wire.device_events import GENESIS, DeviceEvent, EventType, event_hash
from agent.wire.disclosures import DISCLOSURE_TYPE, DUTY_AUDIENCE, Disclosure, DisclosureKind
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.instant import Instant, TimeState
from agent.wire.signing import KeySigner
from agent.wire.trust import Role
from provisioning.center.cases import CaseRoom
from provisioning.center.config import read_config
from provisioning.center.intake import Decision, Head, Link
from provisioning.center.store import open_store
from provisioning.fleet.folders import write_trust
from tests.agent.duty.office import RULES_ENTRY
from tests.agent.evidence.attacks import folder as recording_folder
from tests.agent.evidence.bench import Bench
from tests.provisioning.district import PLACE, UNIT, TestDistrict, load_signer, today

TASK = "T-2026-0001"
HANDLER, EXAMINER, STRANGER, LEADER, OFFICERS = (
    "示例-000001",
    "示例-000011",
    "示例-000012",
    "示例-000021",
    ("示例-000001", "示例-000002"),
)
STEPS = ("表明身份", "出示证件", "告知事由和依据", "告知权利义务", "现场检查", "当事人确认")


@dataclass
class ReviewOffice:
    """The centre's folder, its people and one major case recorded by REC-0001, begun half an hour ago."""

    base: Path
    papers: dict[str, bytes] = field(
        default_factory=lambda: {"星综执检〔2026〕REC-0001-0001号": "现场检查笔录（示例）".encode()}
    )
    began: datetime = field(default_factory=lambda: today() - timedelta(minutes=30))

    unit: str = UNIT

    def __post_init__(self) -> None:
        self.district = TestDistrict(self.base, 8883)
        self.center = self.district.receiver()
        self.recordings = self.base / "recordings"
        people = ((HANDLER, Role.HANDLER), (EXAMINER, Role.EXAMINER), (STRANGER, Role.EXAMINER), (LEADER, Role.LEADER))
        self.people = {name: self.district.person(name, role) for name, role in people}
        editor, reviewer = (
            self.district.person("示例-000041", Role.EDITOR),
            self.district.person("示例-000042", Role.REVIEWER),
        )
        self._record()
        write_trust(self.center, self.district.authority)
        self._release(editor, reviewer)
        self._store()

    @cached_property
    def root(self) -> Path:
        return self.center / "root.pem"

    def room(self, *, later: timedelta = timedelta()) -> CaseRoom:
        return CaseRoom(read_config(self.center / "center.toml"), self.recordings, today() + later)

    def key_files(self, person: str) -> tuple[Path, Path]:
        """Where a person's key and chain lie."""
        role = {HANDLER: Role.HANDLER, LEADER: Role.LEADER}.get(person, Role.EXAMINER)
        return self.base / person / f"{role}.key", self.base / person / f"{role}.pem"

    def _record(self) -> None:
        signer = load_signer(self.district.device("REC-0001"), "evidence")
        bench = Bench(signer, now=Instant(self.began + timedelta(seconds=5), 10**10, "boot-1", TimeState.NTP, 40))
        gap = (
            JournalEvent(GAP_OPENED, bench.now, Reason.FRAMES_DROPPED),
            JournalEvent(GAP_CLOSED, bench.now, Reason.FRAMES_DROPPED),
        )
        place = self.recordings / "REC-0001-R000001"
        place.mkdir(parents=True)
        for name, data in recording_folder(bench, bench.sealed(events={3: gap})).items():
            (place / name).write_bytes(data)
        self.fragments, self.head = bench.sequence - 1, bench.head
        self.heads = {record.entry.sequence: record.head for record in bench.records}

    def _release(self, editor: KeySigner, reviewer: KeySigner) -> None:
        self._office = [editor, reviewer]
        (self.center / "released").mkdir()
        self.release_rules(1, [EXAMINER])

    def release_rules(
        self,
        version: int,
        members: list[str],
        *,
        until: datetime | None = None,
        signers: int = 2,
        name: str = "review-1",
    ) -> Path:
        """Lay version `version` of the unit's rules of review among what is released, under the file's `name`."""
        issued = today() - timedelta(days=1)
        document = Disclosure(
            PLACE, DUTY_AUDIENCE, DisclosureKind.REVIEW_RULES, "review-1", version, "法制审核办法", self.unit,
            issued, issued, until, None, ({**RULES_ENTRY, "审核人员": members},),
        )  # fmt: skip
        path = self.center / "released" / f"duty.review-rules.{name}.dsse"
        path.write_bytes(seal(DISCLOSURE_TYPE, document.encode(), self._office[:signers]))
        return path

    def _store(self) -> None:
        self._links: list[Link] = []
        self.tell(*self._story())

    def tell(self, *story: tuple[int, EventType, dict[str, Any]]) -> None:
        """Store further events of REC-0001, each so many seconds after the beginning."""
        store = open_store("sqlite:///center.db", self.center)
        links, before = self._links, len(self._links)
        for second, kind, data in story:
            at, previous = self.began + timedelta(seconds=second), links[-1].digest if links else GENESIS
            event = DeviceEvent(
                PLACE,
                "REC-0001",
                len(links) + 1,
                previous,
                f"e{len(links)}",
                kind,
                "boot-1",
                second,
                at,
                TimeState.NTP,
                data,  # type: ignore[arg-type]
            )
            links.append(Link(event, event.encode(), event_hash(event.encode())))
        with store.transaction() as ledger:
            decision = Decision(Head(len(links), links[-1].digest), append=links[before:])
            ledger.apply({DeviceId("REC-0001"): decision}, today())
        store.close()

    def _story(self) -> list[tuple[int, EventType, dict[str, Any]]]:
        here = {"task": TASK, "recording": "REC-0001-R000001"}
        officers = [{"certificate": it, "unit": UNIT, "roster_version": 7, "labels": []} for it in OFFICERS]
        marks = [
            (6 + at, EventType.STEP_MARKED, {**here, "sequence": 1 + at, "step": step, "repeated": 0})
            for at, step in enumerate(STEPS)
        ]
        taken = {
            "task": TASK, "source": "command", "unit": UNIT, "category": "行政处罚", "matter": "无证经营查处",
            "area": "星河区",
            "party": "P-0001", "officers": list(OFFICERS), "required": list(STEPS), "retention": "永久",
            "major": ["执法类别", "涉案金额"], "digest": "a" * 64,
        }  # fmt: skip
        started = {"recording": here["recording"], "previous": GENESIS, "policies": {"recording-list.list-1": 3}}
        sealed = {
            "recording": here["recording"],
            "segments": 1,
            "fragments": self.fragments,
            "head": self.head,
            "size": 1,
        }
        issued = [
            (20, EventType.DOCUMENT_ISSUED, {**here, "number": number, "template": "record.1", "title": "现场检查笔录",
                                              "digest": digest(data), "first": 2, "last": 3})
            for number, data in self.papers.items()
        ]  # fmt: skip
        served = [
            (21, EventType.DOCUMENT_SERVED, {"task": TASK, "number": it, "served": "当事人签收"}) for it in self.papers
        ]
        return [
            (0, EventType.TASK_TAKEN, taken),
            (5, EventType.RECORDING_STARTED, started),
            (5, EventType.OFFICERS_LABELLED, {**here, "officers": officers, "labels": []}),
            *marks, *issued, *served,
            (25, EventType.PARTY_CONFIRMED, {"task": TASK, "served": "当事人签收"}),
            (26, EventType.RECORDING_SEALED, sealed),
            (30, EventType.TASK_ENDED, {"task": TASK, "missing": [], "reasons": {}}),
        ]  # fmt: skip


def digest(data: bytes) -> Digest:
    return event_hash(data)
