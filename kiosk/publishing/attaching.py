"""What a document brings along to a screen, made when it is drafted: photos, flow charts with their words, QR codes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.errors import EnvironmentFault, SenderFault
from agent.wire.content import Attachment, attach
from agent.wire.disclosures import Disclosure, DisclosureKind
from agent.wire.identifiers import Digest
from kiosk.faces import WITH_FACES, strip_place
from kiosk.flow_words import text_twin
from kiosk.publishing import flow_chart
from kiosk.publishing.drafting import sized
from kiosk.publishing.photo import face_strip, screen_photo
from kiosk.qr_code import MAX_TEXT, qr_svg


@dataclass
class Made:
    """Files in the order they were made, their bytes by hash, and `notes` for the person who drafts."""

    attachments: list[Attachment] = field(default_factory=list)
    contents: dict[Digest, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, content: bytes) -> None:
        """One more file; raises `SenderFault` for a name or size that is not allowed."""
        found = attach(name, content)
        self.attachments.append(found)
        self.contents[found.sha256] = content


def attach_files(document: Disclosure, photos: Mapping[int, Path], portal: str) -> tuple[Disclosure, Made]:
    """`document` with its files. `photos` by the number of the entry; `portal` is where the office's portal is found,
    empty for none: then a guide's code holds its words. Raises `OperatorFault`, `EnvironmentFault`."""
    made = Made()
    for number, path in sorted(photos.items()):
        made.add(f"photo-{number}.jpg", screen_photo(path))
    if document.kind in WITH_FACES:
        _strips(document, photos, made)
    for number in range(1, len(document.entries) + 1):
        if document.kind is DisclosureKind.FLOW_CHART:
            _chart(document, number, made)
        elif document.kind is DisclosureKind.SERVICE_GUIDE:
            _code(document, number, made, portal)
    if not made.attachments:
        return document, made
    return sized(replace(document, attachments=tuple(made.attachments))), made


def _strips(document: Disclosure, photos: Mapping[int, Path], made: Made) -> None:
    photo = {one.name: made.contents[one.sha256] for one in made.attachments}
    strips: dict[tuple[str, int], dict[int, bytes]] = {}
    for number in sorted(photos):
        name, row, rows = strip_place(number, len(document.entries))
        strips.setdefault((name, rows), {})[row] = photo[f"photo-{number}.jpg"]
    for (name, rows), found in strips.items():
        made.add(name, face_strip(found, rows))


def _chart(document: Disclosure, number: int, made: Made) -> None:
    entry = document.entries[number - 1]
    made.add(f"flow-{number}.txt", text_twin(entry).encode())
    try:
        made.add(f"flow-{number}.svg", flow_chart.draw(entry))
    except EnvironmentFault as fault:
        made.notes.append(f"{fault}这一份只有文字步骤。")


def _listed(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _code(document: Disclosure, number: int, made: Made, portal: str) -> None:
    entry = document.entries[number - 1]
    words = "\n".join(f"{name}：{'；'.join(_listed(value))}" for name, value in entry.items())
    page = f"{portal.rstrip('/')}/guide.html?v={document.version}#{document.disclosure_id}-{number}"
    try:
        made.add(f"qr-{number}.svg", qr_svg(page if portal else words[:MAX_TEXT]))
    except SenderFault as fault:
        made.notes.append(str(fault))
