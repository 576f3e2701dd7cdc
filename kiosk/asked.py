"""What a page is asked with and what it answers, without a web library. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_QUERY = 64  # characters of a plain field; reference/kiosk.md 3.5
MAX_SCANNED = 1200  # an officer's code or a receipt as a scanner types it


@dataclass(frozen=True)
class Asked:
    """One request: the parts of its address, its query and, for a form, its fields; `large` asks for large type."""

    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    place: Mapping[str, str] = field(default_factory=dict)
    large: bool = False
    posted: bool = False

    def text(self, name: str, most: int = MAX_QUERY) -> str:
        """A field of the form, or else of the query; what is too long is cut."""
        return (self.form.get(name) or self.query.get(name) or "").strip()[:most]


@dataclass(frozen=True)
class Answered:
    """A page, or with `go` the address to go on to."""

    html: str = ""
    status: int = 200
    go: str = ""


class NotThere(LookupError):
    """There is no such page; its text, if any, is for whoever asked."""
