"""By which rules of review (法制审核办法) a unit's decisions are reviewed at this centre.

What the office released lies in a folder that others write to. A file there that two people did not sign rules nothing
and is told; an older version that is put back rules nothing either, for the centre remembers the highest it ever had.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from agent import durable
from agent.duty.disclosure_rules import check_content, open_two_signatures
from agent.duty.floors import Floor, above, floor_of
from agent.duty.review_rules import ReviewRules, parse_review_rules
from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.disclosures import Disclosure, DisclosureKind, parse_disclosure
from agent.wire.identifiers import District
from agent.wire.instant import BEIJING
from agent.wire.trust import TrustList
from provisioning.authority.authority import read_file
from provisioning.center.ledger_files import document_name


@dataclass(frozen=True)
class Released:
    """A document as it was released, and the envelope with its two signatures."""

    document: Disclosure
    envelope: bytes


@dataclass(frozen=True)
class Shelf:
    """What lies released of one kind; `troubles` one Chinese line for each file that is not what it should be."""

    found: tuple[Released, ...]
    troubles: tuple[str, ...]


@dataclass(frozen=True)
class Ruling:
    """The rules that a unit's reviews are judged by today; `told` what is wrong with them, empty where nothing is."""

    rules: ReviewRules
    released: Released
    told: str = ""


@dataclass(frozen=True)
class Releases:
    """What the office released at one centre: the `folder` it lies in, the file `floors` that remembers the highest
    version of the rules of review, and what signatures are judged with."""

    folder: Path
    floors: Path
    trust: TrustList
    place: District
    now: datetime

    def shelf(self, kind: DisclosureKind) -> Shelf:
        """What lies released of `kind`."""
        return read_shelf(self.folder, kind, self.trust, self.place, self.now)

    @cached_property
    def rules(self) -> Shelf:
        """The rules of review, without any that are older than what this centre once had."""
        return not_put_back(self.shelf(DisclosureKind.REVIEW_RULES), self.floors)

    def ruling(self, unit: str) -> Ruling:
        """The rules of review of `unit`, and whether they still hold; raises `OperatorFault` without any."""
        found = rulings(self.rules, self.now).get(unit)
        if found is None:
            text = f"{unit} 还没有放行的法制审核办法（review-rules）。{''.join(self.rules.troubles)}"
            raise OperatorFault(f"{text}请用 liuhen-publish 拟稿、签名、放行。")
        return found


def read_shelf(folder: Path, kind: DisclosureKind, trust: TrustList, place: District, now: datetime) -> Shelf:
    """Every released document of `kind` that two people signed; one that is not takes nothing from the others."""
    found, troubles = [], []
    for path in sorted(folder.glob(f"*.{kind}.*.dsse")):
        try:
            found.append(_opened(path, kind, trust, place, now))
        except (OperatorFault, SenderFault) as fault:
            troubles.append(f"放行目录中的 {path.name} 未采用：{fault}")
    return Shelf(tuple(found), tuple(troubles))


def not_put_back(shelf: Shelf, floors: Path) -> Shelf:
    """`shelf` without documents that are older than what this centre once had, told by the file `floors`, which rises
    with what is new. Raises `SenderFault` when that file was damaged."""
    held = _read_floors(floors)
    found, troubles, risen = [], list(shelf.troubles), dict(held)
    for it in sorted(shelf.found, key=lambda it: -it.document.version):
        try:
            above(risen.get(document_name(it.document)), it.document)
        except SenderFault as fault:
            troubles.append(f"放行目录中的“{it.document.title}”未采用：{fault}请放回最新一版。")
            continue
        found.append(it)
        risen[document_name(it.document)] = floor_of(it.document)
    if risen != held:
        _write_floors(floors, risen)
    return Shelf(tuple(found), tuple(troubles))


def rulings(shelf: Shelf, now: datetime) -> Mapping[str, Ruling]:
    """By unit: of what has begun to rule and was not withdrawn, what still holds goes first, then the newest. Rules
    past their end rule on until there are new ones, and that is said."""
    begun = [it for it in shelf.found if it.document.withdrawn is None and it.document.effective_from <= now]
    found: dict[str, Ruling] = {}
    for it in sorted(begun, key=lambda it: _rank(it.document, now)):
        rules = parse_review_rules(it.document.entries)[0]
        found[it.document.publisher] = Ruling(rules, it, _expired(it.document, now))
    return found


def _opened(path: Path, kind: DisclosureKind, trust: TrustList, place: District, now: datetime) -> Released:
    envelope = read_file(path)
    document = check_content(parse_disclosure(open_two_signatures(envelope, trust, now).payload))
    if document.district != place or document.kind is not kind:
        raise SenderFault(f"不是本区的{kind}，请移走。")
    return Released(document, envelope)


def _rank(document: Disclosure, now: datetime) -> tuple[bool, datetime, int]:
    return not _expired(document, now), document.effective_from, document.version


def _expired(document: Disclosure, now: datetime) -> str:
    until = document.effective_until
    if until is None or now < until:
        return ""
    day = f"{until.astimezone(BEIJING):%Y-%m-%d}"
    return f"{document.publisher} 的法制审核办法已于 {day} 过期，暂按它办理。请用 liuhen-publish 放行新的一版。"


def _read_floors(path: Path) -> dict[str, Floor]:
    if not path.exists():
        return {}
    try:
        return dict(_floors(canonical.decode_object(read_file(path))))
    except SenderFault as fault:
        raise SenderFault(f"{path} 已损坏（{fault}）。请从备份恢复，或核对放行目录是最新版后删除它。") from fault


def _floors(document: Mapping[str, object]) -> Iterator[tuple[str, Floor]]:
    for name, entry in document.items():
        fields = Fields(name, entry)
        yield name, Floor(fields.integer("version", 1), fields.text("digest"), fields.boolean("withdrawn"))


def _write_floors(path: Path, floors: Mapping[str, Floor]) -> None:
    told = {
        name: {"digest": it.digest, "version": it.version, "withdrawn": it.withdrawn} for name, it in floors.items()
    }
    durable.make_directory(path.parent)
    durable.write_bytes(path, canonical.encode(told), durable.SHARED)


def documents(shelves: Iterable[Shelf]) -> tuple[tuple[Disclosure, ...], tuple[str, ...]]:
    """What lies on several shelves, and everything that is to be said of them."""
    held = list(shelves)
    return tuple(it.document for one in held for it in one.found), tuple(it for one in held for it in one.troubles)
