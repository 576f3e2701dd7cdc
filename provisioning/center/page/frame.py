"""What every page of the centre shares: its frame, who is looking, and the book of looks (调阅)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509

from agent.clock import Clock
from agent.duty.record_use import moment
from agent.key_files import read_private_key
from agent.markup import templates
from agent.wire.canonical import timestamp
from agent.wire.envelope import open_trust_list
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import TrustList
from provisioning.authority.authority import read_file
from provisioning.center.cases import CaseRoom
from provisioning.center.config import CenterConfig
from provisioning.center.export_ledger import add_line
from provisioning.center.page.door import Page, Visitor
from provisioning.center.recording_files import Archive
from provisioning.center.report_plots import WIDTH
from provisioning.center.store import Store

LOOKS = "looks.jsonl"
TEMPLATES = Path(__file__).parent.with_name("templates")
MENU = ((Page.FLEET, "/"), (Page.RECORDINGS, "/recordings"), (Page.REVIEW, "/review"), (Page.REPORTS, "/reports"),
        (Page.LEDGER, "/ledger"), (Page.LOOKS, "/looks"))  # fmt: skip

_templates = cache(templates)


@dataclass(frozen=True)
class Shelves:
    """What the centre's people said lies where: recordings, the archive's key (read for each request, kept for none),
    the profile of milestones, the ledger that is filled in by hand, the inventory of devices. Each
    None where it was not said."""

    recordings: Path | None = None
    key: Path | None = None
    milestones: Path | None = None
    entries: Path | None = None
    inventory: Path | None = None

    def archive(self) -> Archive:
        """The archive's key, None where there is none; raises `OperatorFault` when the file is of no use."""
        return None if self.key is None else read_private_key(self.key)


@dataclass(frozen=True)
class Frame:
    """One centre, seen by those who were let in."""

    config: CenterConfig
    store: Store
    clock: Clock
    shelves: Shelves = Shelves()

    def page(self, template: str, title: str, visitor: Visitor | None, shown: Mapping[str, Any]) -> str:
        """The page that `template` makes of `shown`."""
        menu = [(page.value, place) for page, place in MENU if visitor is not None and visitor.may(page)]
        given: dict[str, Any] = {
            "title": title,
            "place": self.config.district,
            "visitor": visitor,
            "menu": menu,
            "Page": Page,
            "here": "",
            "looks": {},
            "width": WIDTH,
            "made": moment(self.now()),
            "troubles": (),
        }
        return _templates(TEMPLATES).get_template(template).render({**given, **shown})

    def look(self, visitor: Visitor, device: str, what: str) -> None:
        """Write down a look; raises when it cannot be, and then nothing is shown."""
        facts = {"at": timestamp(self.now()), "device": device, "name": visitor.name, "role": visitor.role.value}
        add_line(self.config.folder / LOOKS, {**facts, "what": what})

    def cases(self) -> CaseRoom:
        """Where cases are put together, as they stand now."""
        recordings = self.shelves.recordings or self.config.folder / "recordings"
        return CaseRoom(self.config, recordings, self.now(), self.shelves.archive())

    def trust(self) -> TrustList:
        """The trust list."""
        return open_trust_list(read_file(self.config.trust_list), self.root())

    def root(self) -> x509.Certificate:
        """The district's pinned root."""
        return load_pem_certificates(read_file(self.config.root))[0]

    def now(self) -> datetime:
        """The centre's clock."""
        return self.clock.read().wall
