"""The photos of the people on a window board or a personnel list: which file, and where in it. Pure.

The office signs each photo (`photo-3.jpg`: entry 3) and, of documents about people, all of them once more as small
pictures one below the other (`faces-1.jpg`: entries 1 to 64), so that a board of eight windows asks for one file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.wire.content import Attachment
from agent.wire.disclosures import DisclosureKind
from kiosk.shelf import Phase, Shelf, Shown

WITH_FACES = (DisclosureKind.WINDOW_BOARD, DisclosureKind.PERSONNEL_LIST)
PER_STRIP = 64  # ours: a hall has fewer windows
FACE_SIZE = (120, 160)  # pixels of one small picture


@dataclass(frozen=True)
class Face:
    """A photo: `photo` is the SHA-256 of the whole one; the small one is `row` (from 0) of `rows` in `strip`."""

    photo: str
    strip: str
    row: int
    rows: int


def strip_place(number: int, entries: int) -> tuple[str, int, int]:
    """The strip that holds the small picture of entry `number` (from 1) of so many: its name, the row from 0, and how
    many rows it has."""
    block, row = divmod(number - 1, PER_STRIP)
    return f"faces-{block + 1}.jpg", row, min(PER_STRIP, entries - block * PER_STRIP)


def face_of(one: Shown, number: int) -> Face | None:
    """The photo of entry `number` of a document, None where the office gave none."""
    files = {file.name: file for file in one.document.attachments}
    photo = files.get(f"photo-{number}.jpg")
    if photo is None:
        return None
    name, row, rows = strip_place(number, len(one.document.entries))
    strip: Attachment | None = files.get(name)
    return Face(photo.sha256, photo.sha256, 0, 1) if strip is None else Face(photo.sha256, strip.sha256, row, rows)


def officers_faces(shelf: Shelf, now: datetime) -> Mapping[str, Face]:
    """The photos of the personnel lists in force, by certificate."""
    lists = [one for one in shelf.of(DisclosureKind.PERSONNEL_LIST) if one.phase(now) is Phase.CURRENT]
    return {str(entry["证件编号"]): face for one in lists for entry, face in _with_faces(one)}


def _with_faces(one: Shown) -> Iterable[tuple[Mapping[str, object], Face]]:
    for number, entry in enumerate(one.document.entries, 1):
        face = face_of(one, number)
        if face is not None:
            yield entry, face
