"""What an office takes out of its folder: search index, bundle, preview, portal, badges."""

import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from agent import durable
from agent.bundle import MAX_BUNDLE_BYTES, MAX_MEMBERS, pack
from agent.duty import disclosure_rules
from agent.duty.disclosure_rules import MAX_ENTRIES, check_content, open_two_signatures
from agent.duty.roster import Roster, merge_rosters, parse_roster
from agent.duty.windows import Standing, Window, parse_windows, present
from agent.errors import OperatorFault, SenderFault
from agent.wire.content import FONT, INDEX, attach
from agent.wire.disclosures import POLICY_KINDS, Disclosure, DisclosureKind
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import Digest, District
from agent.wire.signing import load_pem_certificates
from agent.wire.topics import EVERYONE
from agent.wire.trust import TrustList
from kiosk.badge import badge_code
from kiosk.beijing import day
from kiosk.publishing.badge_pdf import Card
from kiosk.publishing.font_subset import cut_font
from kiosk.publishing.office import Holding, Places, Stage
from kiosk.publishing.phone_page import PHONE_PAGE, phone_page
from kiosk.publishing.pinyin import initials
from kiosk.publishing.preview_keys import preview_shelves
from kiosk.publishing.shelves import in_force, read_content
from kiosk.publishing.snapshot import Hall, Shelves, lay_out, static_pages
from kiosk.search_index import build_index
from kiosk.trust_store import read_root, read_trust_list

INDEX_ID, INDEX_TITLE = "main", "检索库与字体"  # the id of that for all; a hall's own has the name of its audience
PERISHABLE = re.compile(r"content/[0-9a-f]{64}(?:\.css)?|documents/[a-z-]+\.[a-z0-9-]+\.dsse|(?:item|w)-[^/]+\.html")
"""Names of ours in a website that come and go with what is published; all others are written each time."""


class Going(NamedTuple):
    """What leaves the office, and one Chinese line for each document that may not."""

    held: list[Holding]
    told: list[str]


def shown_to(held: Iterable[Holding], audience: str) -> list[Holding]:
    """What a hall of `audience` shows: everything released for it or for all, but no internal rules, and
    nothing that its last gate will refuse."""
    return [one for one in _meant(held, audience) if _obstacle(one.document) is None]


def fit_to_go_out(office: Places, held: Iterable[Holding], audience: str, now: datetime) -> Going:
    """What may leave the office for a hall of `audience`: what it shows, with signatures that hold today. What was
    released under older rules, or altered since, stays. Raises a fault for a trust list that is not the district's."""
    trust = read_trust_list(office.trust_list, read_root(office.root), office.district)
    kept, told = [], []
    for one in _meant(held, audience):
        found = _obstacle(one.document) or _unsigned(one, trust, now)
        kept += [] if found else [one]
        told += [f"{one.name} 未带出：{found}请更正或撤回后重新发布。"] if found else []
    return Going(kept, told)


def _meant(held: Iterable[Holding], audience: str) -> list[Holding]:
    released = [one for one in held if one.stage in (Stage.RELEASED, Stage.WITHDRAWN)]
    meant = [one for one in released if one.document.audience in (EVERYONE, audience)]
    return [one for one in meant if one.document.kind not in POLICY_KINDS]


def _obstacle(document: Disclosure) -> str | None:
    try:
        check_content(document)
    except SenderFault as fault:
        return str(fault)
    return None


def _unsigned(one: Holding, trust: TrustList, now: datetime) -> str | None:
    try:
        open_two_signatures(one.path.read_bytes(), trust, now)
    except SenderFault as fault:
        return str(fault)
    return None


def index_id(audience: str) -> str:
    """The id of the search index for `audience`: each has its own, so that none takes another's place."""
    return INDEX_ID if audience == EVERYONE else audience


def index_document(
    documents: Sequence[Disclosure],
    version: int,
    publisher: str,
    audience: str,
    place: District,
    now: datetime,
    disclosure_id: str = INDEX_ID,
) -> tuple[Disclosure, Mapping[Digest, bytes]]:
    """The draft of the search index of `documents`, with its files; raises `OperatorFault`, `EnvironmentFault`."""
    found = sorted((one for one in documents if one.withdrawn is None), key=lambda one: one.issued_at)
    found = [one for one in found if one.kind is not DisclosureKind.SEARCH_INDEX]
    if not 1 <= len(found) <= MAX_ENTRIES:
        raise OperatorFault("没有已发布的公示文件，不能编制检索库。请先发布。")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / INDEX
        build_index(path, found, initials)
        contents = {INDEX: path.read_bytes(), FONT: cut_font(_texts(found))}
    files = tuple(attach(name, content) for name, content in contents.items())
    entries = tuple(
        {"公示文件": ".".join(one.key), "版本": str(one.version), "条数": str(len(one.entries))} for one in found
    )
    head = (place, audience, DisclosureKind.SEARCH_INDEX, disclosure_id, version, INDEX_TITLE, publisher, now, now)
    document = Disclosure(*head, None, None, entries, files)
    return document, {one.sha256: contents[one.name] for one in files}


def write_bundle(office: Places, held: Sequence[Holding], out: Path) -> Path:
    """One file for a USB stick, with every released document and its files; raises a fault."""
    documents = {one.name: one.path.read_bytes() for one in held}
    content = _contents(office.folder, [one.document for one in held])
    packed = pack(documents, content)
    if len(packed) > MAX_BUNDLE_BYTES or len(documents) + len(content) > MAX_MEMBERS:
        most = f"{MAX_BUNDLE_BYTES // 2**20} MiB 或 {MAX_MEMBERS} 个文件"
        raise OperatorFault(f"公示包超过 {most}，大厅不会接收。请按大厅分别制作（--audience）。")
    return durable.write_bytes(out, packed)


def write_preview(office: Places, documents: Sequence[Disclosure], hall: Hall, out: Path, now: datetime) -> list[Path]:
    """The pages of a kiosk that had these documents; their signers are named as a preview's."""
    shelves = preview_shelves(documents, _contents(office.folder, documents), office.district, now)
    return _write(_pages(hall, shelves), out)


def write_portal(office: Places, held: Sequence[Holding], hall: Hall, out: Path, now: datetime) -> list[Path]:
    """The pages of a kiosk of `hall` with what is released, the sealed documents beside them, so that everybody can
    verify what the pages say, and the page with which a phone checks an officer's code."""
    documents = {one.name: one.path.read_bytes() for one in held}
    root, listed = office.root.read_bytes(), office.trust_list.read_bytes()
    content = _contents(office.folder, [one.document for one in held])
    pages = _pages(hall, Shelves(root, listed, documents, content))
    sealed = {f"documents/{name}.dsse": envelope for name, envelope in documents.items()}
    keys = {"documents/root.pem": root, "documents/trust.dsse": listed}
    trust = open_trust_list(listed, load_pem_certificates(root)[0])
    checks = {PHONE_PAGE: phone_page(trust, _roster((one.document for one in held), now), now, hall.phone)}
    return _write(
        {**pages, **checks, **sealed, **keys, **{f"content/{name}": data for name, data in content.items()}}, out
    )


def badge_cards(office: Places, held: Sequence[Holding], now: datetime) -> tuple[list[Card], list[str]]:
    """A card for everybody on the released window boards whom a screen would show today; one line for each other."""
    roster = _roster((one.document for one in held), now)
    cards, left_out = [], []
    boards = [one.document for one in held if one.document.kind is DisclosureKind.WINDOW_BOARD]
    for board in (one for one in boards if in_force(one, now)):
        digest = hashlib.sha256(board.encode()).hexdigest()
        photos = {one.name: one for one in board.attachments}
        for number, window in enumerate(parse_windows(board.entries), 1):
            shown = present(window, roster, day(now))
            if shown.standing is Standing.NOT_SHOWN:
                left_out.append(f"{window.number} 号窗口未制牌：{shown.obstacle or window.state.value}。")
                continue
            photo = photos.get(f"photo-{number}.jpg")
            picture = b"" if photo is None else read_content(office.folder, photo)
            cards.append(_card(window, shown.standing, badge_code(board, digest, number), picture))
    return cards, left_out


def _roster(documents: Iterable[Disclosure], now: datetime) -> Roster | None:
    people = [one for one in documents if one.kind is DisclosureKind.PERSONNEL_LIST and in_force(one, now)]
    return merge_rosters((one.issued_at, parse_roster(one.entries)) for one in people) if people else None


def _card(window: Window, standing: Standing, code: str, photo: bytes) -> Card:
    kinds = "、".join(window.kinds) if standing is Standing.OFFICER or not window.enforces else "不办理执法事项"
    lines = [("窗口", f"{window.number}　{window.duty}"), ("执法种类", kinds), ("服务事项", "、".join(window.items))]
    if standing is Standing.OFFICER:
        lines.insert(1, ("证件编号", window.certificate))
    if window.phone:
        lines.append(("投诉电话", window.phone))
    return Card(window.name, window.post, window.unit, standing.value, tuple(lines), code, photo)


def _pages(hall: Hall, shelves: Shelves) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return static_pages(lay_out(Path(folder), hall, shelves))


def _write(files: Mapping[str, bytes], out: Path) -> list[Path]:
    """Everything into `out`; what an earlier time wrote there for documents, people and windows that are gone, goes."""
    written = []
    for name, content in sorted(files.items()):
        path = out / name
        durable.make_directory(path.parent, 0o755)
        written.append(durable.write_bytes(path, content))
    places = ("*.html", "content/*", "documents/*.dsse")
    for path in (path for place in places for path in sorted(out.glob(place))):
        name = path.relative_to(out).as_posix()
        if PERISHABLE.fullmatch(name) and name not in files:
            durable.remove(path)
    return written


def _contents(folder: Path, documents: Iterable[Disclosure]) -> dict[str, bytes]:
    files = {one.sha256: one for document in documents for one in document.attachments}
    return {str(sha256): read_content(folder, one) for sha256, one in files.items()}


def _texts(documents: Iterable[Disclosure]) -> list[str]:
    """Every character of the documents, of the kiosk's own pages, and of what the rules say on them."""
    kiosk, rules = Path(__file__).parents[1], Path(disclosure_rules.__file__).parent
    own = [
        *(kiosk / "templates").glob("*.html"),
        *kiosk.glob("*.py"),
        *(kiosk / "static").glob("*"),
        *rules.glob("*.py"),
    ]
    texts = [path.read_text(encoding="utf-8") for path in sorted(own)]
    return [*texts, *(document.encode().decode() for document in documents)]
