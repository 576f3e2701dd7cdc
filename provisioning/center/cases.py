"""The cases of the centre: facts from its stored events and the recordings it has, reviews from its signed acts."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509

from agent.duty import review_admission
from agent.duty.case_assembly import assemble_case, recordings_of, tasks_of
from agent.duty.case_facts import CaseFacts
from agent.duty.case_papers import CasePaper, case_papers
from agent.duty.review import LEDGER, Move, Review, replay
from agent.duty.sheet_findings import judged_sheets
from agent.duty.told_events import ToldEvents
from agent.errors import OperatorFault, SenderFault
from agent.wire.acts import SignedAct
from agent.wire.device_events import DeviceEvent, parse_event
from agent.wire.envelope import open_trust_list
from agent.wire.signing import Signer, load_pem_certificates
from agent.wire.trust import TrustList
from provisioning.authority.authority import read_file
from provisioning.center.act_folder import ActFolder
from provisioning.center.config import CenterConfig
from provisioning.center.grounds import CentreGrounds, open_grounds
from provisioning.center.paper_files import found_papers
from provisioning.center.recording_files import Archive
from provisioning.center.rulings import Releases, Ruling
from provisioning.center.seen_recordings import seen_recordings

ACTS, SEEN, FLOORS = "cases", "cases/.seen", "cases/.review-rules.json"


@dataclass(frozen=True)
class CaseRoom:
    """Where cases are put together: `recordings` is the folder in which the centre's recordings lie, `archive` the key
    that opens encrypted ones and documents' texts, where it is at hand."""

    config: CenterConfig
    recordings: Path
    now: datetime
    archive: Archive = None

    @cached_property
    def root(self) -> x509.Certificate:
        """The district's pinned root."""
        try:
            return load_pem_certificates(read_file(self.config.root))[0]
        except SenderFault as error:
            raise OperatorFault(f"根证书 {self.config.root} 无法读取，请从机构目录重新复制 root.pem。") from error

    @cached_property
    def trust(self) -> TrustList:
        """The trust list."""
        return open_trust_list(read_file(self.config.trust_list), self.root)

    @cached_property
    def grounds(self) -> CentreGrounds:
        """What recordings are judged with."""
        return open_grounds(self.config)

    @cached_property
    def folder(self) -> ActFolder:
        """The acts of reviews."""
        return ActFolder(self.config.folder / ACTS, LEDGER, self.trust)

    @cached_property
    def events(self) -> tuple[DeviceEvent, ...]:
        """Every stored event of every device."""
        from provisioning.center.store import open_store  # needs the extra `center`

        store = open_store(self.config.database, self.config.folder, create=False)
        try:
            devices = [row.device for row in store.summary()]
            return tuple(parse_event(json.loads(body)) for device in devices for body in _bodies(store, device))
        finally:
            store.close()

    @cached_property
    def told(self) -> ToldEvents:
        """The same, by task and by recording."""
        return ToldEvents(self.events)

    def tasks(self) -> tuple[str, ...]:
        """Every task that a device took."""
        return tasks_of(self.events)

    def facts(self, task: str, transfer: str | None = None) -> CaseFacts:
        """The facts of `task`; `transfer` None: as it was last submitted. Raises `SenderFault`, `OperatorFault`."""
        told = _transfer(self.review(task)) if transfer is None else transfer
        names, kept = recordings_of(task, self.told), self.config.folder / SEEN
        seen = seen_recordings(self.recordings, names, kept, self.grounds, self.now, self.archive)
        return assemble_case(task, self.told, seen, told)

    def papers(self, facts: CaseFacts) -> tuple[CasePaper, ...]:
        """Every document of a case, with its text where that lies beside a recording and is what the chain says."""
        names = [film.recording for film in facts.recordings]
        found = case_papers(facts, self.told, found_papers(self.recordings, names, self.archive))
        return judged_sheets(found, facts, self.trust)

    def review(self, task: str) -> Review:
        """The review of `task` as its acts make it; raises `SenderFault` when they were changed."""
        return replay(task, self.folder.acts(task))

    @cached_property
    def releases(self) -> Releases:
        """What the office released."""
        config = self.config
        return Releases(config.released, config.folder / FLOORS, self.trust, config.district, self.now)

    def ruling(self, unit: str) -> Ruling:
        """The rules of review that `unit` has released, and whether they still hold; raises `OperatorFault` without
        any."""
        return self.releases.ruling(unit)

    def act(self, task: str, move: Move, body: Mapping[str, Any], signer: Signer, facts: CaseFacts) -> Review:
        """Take in one act on `task`, signed by `signer`; raises `SenderFault` when the rules refuse it."""
        ruling = self.ruling(facts.unit)

        def admit(before: tuple[SignedAct, ...], signed: SignedAct) -> Review:
            return review_admission.admit(replay(task, before), signed, facts, ruling.rules)

        return self.folder.add(task, move, body, signer, self.now, admit, ruling.released.envelope)


def there(recordings: Path) -> Path:
    """The folder of the centre's recordings; raises `OperatorFault` where there is none: that no recording was found in
    a wrong place says nothing of any."""
    if not recordings.is_dir():
        raise OperatorFault(f"没有录像目录 {recordings}。请改正 --recordings：应是 intake 写出的那个目录。")
    return recordings


def none_there(facts: CaseFacts, recordings: Path) -> str:
    """What is to be said, in one Chinese line, where a case has recordings and not one of them lies in the folder;
    empty otherwise."""
    names = [it.recording for it in facts.recordings]
    if not names or any((recordings / name).is_dir() for name in names):
        return ""
    return f"{recordings} 中没有本案的任何录像（{'、'.join(names)}），“缺失”可能只是目录不对。请核对 --recordings。"


def _bodies(store: Any, device: str) -> Iterator[bytes]:
    after = 0
    while page := store.events(device, after):
        yield from page
        after = json.loads(page[-1])["devseq"]


def _transfer(review: Review) -> str:
    submitted = [signed.act.body for signed in review.acts if signed.act.kind == Move.SUBMIT]
    return str(submitted[-1].get("transfer", "")) if submitted else ""
