"""What stands in a hall beside the published documents: hours, receipts, search, complaints, staff, the log."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.errors import SenderFault
from agent.wire import canonical
from kiosk.complaint_box import ComplaintBox
from kiosk.display_log import DisplayLog
from kiosk.hours import Hours
from kiosk.receipt import Part
from kiosk.search import SearchIndex
from kiosk.shelf import Phase, Shelf
from kiosk.staff_desk import StaffDesk
from kiosk.switches import Switch

INDEX = "search.sqlite"

log = logging.getLogger(__name__)


class HeardFile:
    """`heard.json`, which the agent writes while it hears the centre."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, now: datetime) -> datetime | None:
        """When the centre was last heard of, None where nobody keeps that; never later than `now`."""
        try:
            value = json.loads(self._path.read_bytes())["heard"]
            return min(now, canonical.parse_timestamp(value))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SenderFault) as error:
            log.warning("%s cannot be read: %s", self._path, error)
            return None


class ContentFolder:
    """Files by their SHA-256, as the agent verified them; whoever serves one verifies it again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path | None:
        """Where that file lies, None where it has not come."""
        path = self._folder / sha256
        return path if path.is_file() else None

    def search_index(self, shelf: Shelf, now: datetime) -> SearchIndex | None:
        """The newest index that a document in force carries, if it has come."""
        for one in shelf.shown.values():
            if one.phase(now) is not Phase.CURRENT:
                continue
            for attached in getattr(one.document, "attachments", ()):
                path = self.path(attached.sha256) if attached.name == INDEX else None
                if path is not None:
                    return SearchIndex(path)
        return None


@dataclass(frozen=True)
class Furniture:
    """`home` is the page that the screen goes back to. `log` is None on a kiosk without a device key."""

    hours: Hours
    heard: HeardFile
    receipts: Part
    content: ContentFolder
    complaints: ComplaintBox
    staff: StaffDesk
    log: DisplayLog | None
    home: str = "/board"

    @property
    def switches(self) -> Mapping[str, Switch]:
        """What window staff said today."""
        return self.staff.switches
