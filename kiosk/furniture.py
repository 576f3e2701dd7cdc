"""What stands in a hall beside the published documents: hours, receipts, search, complaints, staff, the log."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.content import INDEX, Attachment
from agent.wire.disclosures import DisclosureKind
from agent.wire.topics import EVERYONE
from kiosk.complaint_box import ComplaintBox
from kiosk.content import ContentStore
from kiosk.display_log import DisplayLog
from kiosk.hours import Hours
from kiosk.search import SearchIndex
from kiosk.shelf import Phase, Shelf
from kiosk.staff_desk import StaffDesk
from kiosk.switches import Switch

log = logging.getLogger(__name__)


class HeardFile:
    """`heard.json`, which the agent writes while it hears the centre."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = ""  # it is asked every second: a damaged one is told once

    def read(self, now: datetime) -> datetime | None:
        """When the centre was last heard of, None where nobody keeps that; never later than `now`."""
        try:
            value = json.loads(self._path.read_bytes())["heard"]
            return min(now, canonical.parse_timestamp(value))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SenderFault) as error:
            if str(error) != self._told:
                log.warning("%s cannot be read: %s", self._path, error)
            self._told = str(error)
            return None


def attached(shelf: Shelf, now: datetime, sha256: str) -> Attachment | None:
    """The file with that hash of a document in force; None when no such document names it."""
    current = (one for one in shelf.shown.values() if one.phase(now) is Phase.CURRENT)
    return next((file for one in current for file in one.document.attachments if file.sha256 == sha256), None)


def index_file(shelf: Shelf, now: datetime, name: str) -> Attachment | None:
    """The file `name` of the search index in force: this hall's own knows more than that for all."""
    current = [one.document for one in shelf.of(DisclosureKind.SEARCH_INDEX) if one.phase(now) is Phase.CURRENT]
    own_first = sorted(current, key=lambda one: one.audience == EVERYONE)
    return next((file for one in own_first for file in one.attachments if file.name == name), None)


def in_force(shelf: Shelf, now: datetime) -> list[str]:
    """The documents in force, each as `kind.id@version`."""
    return [f"{name}@{one.document.version}" for name, one in shelf.shown.items() if one.phase(now) is Phase.CURRENT]


def search_index(shelf: Shelf, now: datetime, content: ContentStore) -> SearchIndex | None:
    """The index that a document in force carries, if it has come whole."""
    file = index_file(shelf, now, INDEX)
    try:
        return None if file is None else SearchIndex(content.path(file))
    except SenderFault as fault:
        log.warning("no search: %s", fault)
        return None


@dataclass(frozen=True)
class Furniture:
    """`home` is the page that the screen goes back to. `log` is None on a kiosk without a device key."""

    hours: Hours
    heard: HeardFile
    receipts: Callable[[int], bytes | None]
    content: ContentStore
    complaints: ComplaintBox
    staff: StaffDesk
    log: DisplayLog | None
    home: str = "/board"

    @property
    def switches(self) -> Mapping[str, Switch]:
        """What window staff said today."""
        return self.staff.switches
