"""One item of enforcement: its entry, its guide, its flow chart and what to take home. Pure.

(documents, name) -> view. The flow chart is the picture that the office made and signed, with its steps as an ordered
list beside it: whoever cannot see the picture reads the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.errors import OperatorFault
from agent.wire.disclosures import DisclosureKind
from kiosk.board import Banner, Site, Source, current_documents, source
from kiosk.flow_words import step_lines, steps_of
from kiosk.lists import Field, fields_of
from kiosk.shelf import Shelf, Shown

PARTS = (DisclosureKind.ITEM_LIST, DisclosureKind.SERVICE_GUIDE, DisclosureKind.FLOW_CHART)
NAMES = ("事项名称", "名称")
HOME_LIMIT = 300  # characters of a guide in a QR code; reference/kiosk.md 3.2


@dataclass(frozen=True)
class GuidePart:
    """One document's entry about the item; `steps` of a flow chart are its ordered text, each with the lines that say
    where it leads; `picture` and `code` (to take home) by the content's SHA-256, empty where none was published."""

    title: str
    source: Source
    fields: tuple[Field, ...]
    steps: tuple[tuple[str, ...], ...] = ()
    picture: str = ""
    code: str = ""


@dataclass(frozen=True)
class GuideView:
    """All that is published about one item; `home` is the text of the code to take home, `home_picture` the code that
    the office made and signed, by SHA-256, empty for none."""

    name: str
    parts: tuple[GuidePart, ...]
    banners: tuple[Banner, ...]
    home: str
    home_picture: str = ""


def guide_view(shelf: Shelf, now: datetime, site: Site, name: str) -> GuideView | None:
    """The page of the item called `name`; None when nothing in force speaks of it."""
    parts = tuple(part for one in current_documents(shelf.of(*PARTS), now) if (part := _part(one, name)) is not None)
    code = next((part.code for part in parts if part.code), "")
    return GuideView(name, parts, (), _home(name, parts, site), code) if parts else None


def _part(one: Shown, name: str) -> GuidePart | None:
    kind = one.document.kind
    for number, entry in enumerate(one.document.entries, 1):
        if name in [str(entry.get(key)) for key in NAMES]:
            fields = tuple(field for field in fields_of(kind, entry) if field.name not in NAMES)
            if kind is not DisclosureKind.FLOW_CHART:
                return GuidePart(one.document.title, source(one), fields, code=file_of(one, f"qr-{number}.svg"))
            return GuidePart(one.document.title, source(one), (), _steps(entry), file_of(one, f"flow-{number}.svg"))
    return None


def _steps(entry: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """A chart whose ways lead nowhere is not drafted; one that was signed all the same has its steps."""
    try:
        return tuple(step_lines(entry))
    except OperatorFault:
        return tuple((step,) for step in steps_of(entry))


def file_of(one: Shown, name: str) -> str:
    """SHA-256 of the file that the office attached under `name`, empty for none."""
    return next((attached.sha256 for attached in one.document.attachments if attached.name == name), "")


def _home(name: str, parts: tuple[GuidePart, ...], site: Site) -> str:
    lines = [name, *(f"{field.name}：{'、'.join(field.texts)}" for part in parts for field in part.fields)]
    lines += [f"{number}. {'　'.join(step)}" for part in parts for number, step in enumerate(part.steps, 1)]
    lines += [f"咨询投诉：{site.complaint_phone}"]
    text = "\n".join(lines)
    return text if len(text) <= HOME_LIMIT else text[: HOME_LIMIT - 1] + "…"
