"""The publishing office's folder: `drafts/` -> `signed/` -> `released/`, one file per document and stage.

`office.toml` names district, root certificate and trust list, and may name the `portal`, where people find the same at
home. `released/<audience>.<kind>.<id>.dsse` is what the centre watches and puts on the broker; this side never touches
the network. Files of documents, and every version ever released, lie beside (`kiosk.publishing.shelves`). Two people
share the folder: a command that changes it is alone in it. A damaged file stands in the way of its own document only.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from agent import durable
from agent.duty.disclosure_rules import accept
from agent.duty.publication_rules import PublicationRules, parse_publication_rules
from agent.errors import OperatorFault, SenderFault
from agent.settings import Settings, read_toml
from agent.wire.disclosures import Disclosure, DisclosureKind, parse_disclosure
from agent.wire.envelope import parse_envelope
from agent.wire.identifiers import Digest, District, district
from agent.wire.signing import CertifiedSigner
from agent.wire.trust import Role, TrustList
from kiosk.beijing import minute_text
from kiosk.publishing import countersign, drafting
from kiosk.publishing.attaching import attach_files
from kiosk.publishing.due import check_in_term
from kiosk.publishing.shelves import RELEASED, clear_content, keep_content, release_content, remember
from kiosk.trust_store import read_root, read_trust_list

CONFIG = "office.toml"
KEYS = ("district", "root", "trust_list", "portal")
REVIEWED = 2  # signatures of a document that may be released


class Stage(StrEnum):
    """How far a document has come; the value is the word people see."""

    DRAFTED = "草稿，待编辑签名"
    EDITED = "已编辑签名，待审核签名"
    REVIEWED = "已审核签名，待发布"
    RELEASED = "已发布"
    WITHDRAWN = "已撤回"


PENDING = (Stage.DRAFTED, Stage.EDITED, Stage.REVIEWED)


@dataclass(frozen=True)
class Holding:
    """One document at one stage in one file; `notes` are one Chinese line each for whoever drafts it."""

    name: str
    stage: Stage
    document: Disclosure
    path: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Damaged:
    """A file that is no document; `name` is what its file name says, `reason` one Chinese line."""

    name: str
    path: Path
    reason: str


class Office:
    """The folder `folder` of one office, for `place`, with the trust list as of now. `portal` is a web address."""

    def __init__(self, folder: Path, place: District, trust: TrustList, portal: str = "") -> None:
        self._folder, self.place, self._trust, self._portal = folder, place, trust, portal

    def draft(self, source: bytes, now: datetime, beside: Path | None = None) -> Holding:
        """Check `source` and store it as the next version, with what belongs to it; an older draft of the same document
        is replaced, one that withdraws it is not. Photos are looked for from the folder `beside`."""
        with durable.exclusive(self._folder):
            plain, named = drafting.without_photos(source)
            _refuse_over_withdrawal(self._folder, drafting.source_name(plain))
            latest = _latest(self._folder, drafting.source_name(plain))
            document = drafting.compose(plain, district=self.place, now=now, latest=latest)
            check_in_term(document, self.rules(), now)
            photos = {number: (beside or Path()) / path for number, path in named.items()}
            whole, made = attach_files(document, photos, self._portal)
            keep_content(self._folder, made.contents)
            return replace(self._store_draft(whole), notes=tuple(made.notes))

    def put(self, document: Disclosure, contents: Mapping[Digest, bytes]) -> Holding:
        """Store as a draft what the office itself has made; raises as `draft`."""
        with durable.exclusive(self._folder):
            name = ".".join(document.key)
            _refuse_over_withdrawal(self._folder, name)
            checked = drafting.checked(drafting.sized(document).encode())
            next_one = drafting.succeeding(checked, _latest(self._folder, name))
            keep_content(self._folder, contents)
            return self._store_draft(next_one)

    def rules(self) -> PublicationRules:
        """The rules of publication in force: those released, none before."""
        held = [one for one in _files(self._folder) if isinstance(one, Holding) and one.stage is Stage.RELEASED]
        found = [one.document for one in held if one.document.kind is DisclosureKind.PUBLICATION_RULES]
        return parse_publication_rules([entry for document in found for entry in document.entries])

    def withdraw(self, name: str, reason: str, now: datetime) -> Holding:
        """Draft the tombstone of a released document; it takes effect when signed twice and released."""
        with durable.exclusive(self._folder):
            released = _released(self._folder, name)
            if released is None:
                raise OperatorFault(f"{name} 尚未发布，无需撤回。请用 liuhen-publish show 查看。")
            latest = _latest(self._folder, name) or released.document
            return self._store_draft(drafting.withdrawal(latest, reason, now))

    def sign(self, name: str, signer: CertifiedSigner, role: Role, now: datetime) -> Holding:
        """Add the editor's or the reviewer's signature; raises `OperatorFault` when it is not that one's turn."""
        with durable.exclusive(self._folder):
            return self._sign_draft(name, signer, now) if role is Role.EDITOR else self._review(name, signer, now)

    def release(self, name: str, now: datetime) -> Holding:
        """Check a document as every kiosk will and put it where the centre takes it from."""
        with durable.exclusive(self._folder):
            return self._release(name, now)

    def _release(self, name: str, now: datetime) -> Holding:
        path = _place(self._folder, "signed", name)
        if not path.exists():
            raise OperatorFault(f"{name} 没有待发布的签名文件。请先起草并完成编辑、审核签名。")
        pending, released = _signed(path), _released(self._folder, name)
        if pending.stage is Stage.EDITED:
            told = f"{name} 应有编辑、审核两个签名，还缺审核签名"
            raise OperatorFault(f"{told}。请由另一人运行 liuhen-publish sign {name} --as reviewer。")
        envelope = path.read_bytes()
        document = accept(
            envelope,
            trust=self._trust,
            now=now,
            district=self.place,
            audience=pending.document.audience,
            current=None if released is None else released.document,
        )
        check_in_term(drafting.checked(parse_envelope(envelope).payload), self.rules(), now)
        if document.effective_from > now:
            raise OperatorFault(
                f"{name} 的生效时间未到。请在北京时间 {minute_text(document.effective_from)} 之后发布。"
            )
        target = _place(self._folder, "released", f"{document.audience}.{name}")
        held = [one for one in _files(self._folder) if isinstance(one, Holding) and one.stage is Stage.RELEASED]
        release_content(self._folder, document)
        remember(self._folder, document, envelope, now)
        durable.write_bytes(target, envelope)
        durable.remove(path)
        alive = (document, *(one.document for one in held if one.name != name))
        clear_content(self._folder / RELEASED, alive)
        _clear_drafts(self._folder)
        return Holding(name, _released_stage(document), document, target)

    def show(self, name: str | None = None) -> list[Holding | Damaged]:
        """Every document at every stage and every damaged file, or those named `name`; raises `OperatorFault` when
        there is no such one."""
        found = [held for held in _files(self._folder) if name is None or _is_of(held, name)]
        if name is not None and not found:
            raise OperatorFault(f"没有名为 {name} 的公示文件。请用 liuhen-publish show 列出全部。")
        return sorted(found, key=lambda held: (held.name, held.path.parent.name))

    def _store_draft(self, document: Disclosure) -> Holding:
        name = ".".join(document.key)
        path = _place(self._folder, "drafts", name)
        durable.write_bytes(path, document.encode())
        _clear_drafts(self._folder)
        return Holding(name, Stage.DRAFTED, document, path)

    def _sign_draft(self, name: str, signer: CertifiedSigner, now: datetime) -> Holding:
        draft, signed = _place(self._folder, "drafts", name), _place(self._folder, "signed", name)
        if not draft.exists():
            advice = (
                f"请由审核人运行 sign {name} --as reviewer。" if signed.exists() else "请先运行 liuhen-publish draft。"
            )
            raise OperatorFault(f"{name} 没有待编辑签名的草稿。{advice}")
        payload = draft.read_bytes()
        drafting.checked(payload)
        before = _signed(signed).document.version if signed.exists() else None
        durable.write_bytes(signed, countersign.sign_as_editor(payload, signer, self._trust, now))
        durable.remove(draft)
        notes = () if before is None else (f"尚未发布的第 {before} 版（已签名）随之作废，以这一版为准。",)
        return replace(_signed(signed), notes=notes)

    def _review(self, name: str, signer: CertifiedSigner, now: datetime) -> Holding:
        path = _place(self._folder, "signed", name)
        if not path.exists():
            raise OperatorFault(f"{name} 还没有编辑签名。请先运行 liuhen-publish sign {name} --as editor。")
        signed = countersign.sign_as_reviewer(path.read_bytes(), signer, self._trust, now)
        drafting.checked(parse_envelope(signed).payload)
        durable.write_bytes(path, signed)
        return _signed(path)


def found_office(folder: Path, place: District, root: Path, trust_list: Path) -> Path:
    """Write `office.toml` in `folder`; raises a fault when the trust list does not belong to root and district."""
    read_trust_list(trust_list, read_root(root), place)
    lines = {"district": place, "root": str(root.resolve()), "trust_list": str(trust_list.resolve())}
    lines |= _kept(folder, place)
    body = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in lines.items())
    return durable.write_bytes(durable.make_directory(folder) / CONFIG, body.encode())


def _kept(folder: Path, place: District) -> dict[str, str]:
    """What stays of an office that was founded before; one of another district is not turned into this one's."""
    if not (folder / CONFIG).exists():
        return {}
    settings = Settings(CONFIG, read_toml(folder / CONFIG), KEYS)
    if settings.text("district") != place:
        told = f"{folder} 是区域 {settings.text('district')} 的办公文件夹"
        raise OperatorFault(f"{told}，不能改为 {place}。请为 {place} 另用一个文件夹。")
    return {"portal": settings.text("portal")} if settings.given("portal") else {}


@dataclass(frozen=True)
class Places:
    """Where an office's files lie: its folder, the district's root and trust list."""

    folder: Path
    district: District
    root: Path
    trust_list: Path


def places_of(folder: Path) -> Places:
    """What `office.toml` in `folder` says; raises `OperatorFault` when there is none."""
    path = folder / CONFIG
    if not path.exists():
        raise OperatorFault(f"{folder} 中没有 {CONFIG}。请先运行 liuhen-publish init --office {folder}。")
    settings = Settings(CONFIG, read_toml(path), KEYS)
    place = district(settings.text("district"))
    return Places(folder, place, settings.path("root", folder), settings.path("trust_list", folder))


def open_office(folder: Path) -> Office:
    """The office in `folder`, trust list read afresh; raises `OperatorFault` when there is none."""
    places = places_of(folder)
    trust = read_trust_list(places.trust_list, read_root(places.root), places.district)
    portal = Settings(CONFIG, read_toml(folder / CONFIG), KEYS).text("portal", "")
    return Office(folder, places.district, trust, portal)


def _place(folder: Path, stage: str, name: str) -> Path:
    if "/" in name or name.startswith("."):
        raise OperatorFault(f"“{name}”不是公示文件的名称，应形如 window-board.hall-1。")
    suffix = "json" if stage == "drafts" else "dsse"
    return durable.make_directory(folder / stage) / f"{name}.{suffix}"


def _holdings(folder: Path, name: str) -> list[Holding]:
    """The files of one document; raises `OperatorFault` for a damaged one, which may be its newest version."""
    found = [held for held in _files(folder) if _is_of(held, name)]
    for held in found:
        if isinstance(held, Damaged) and held.path.parent.name != "drafts":
            raise OperatorFault(f"{held.path} 已损坏（{held.reason}）。请从备份恢复该文件后重试。")
    return [held for held in found if isinstance(held, Holding)]


def _refuse_over_withdrawal(folder: Path, name: str) -> None:
    """Somebody found a reason to take the document back: a correction must not make that disappear unseen."""
    for held in _holdings(folder, name):
        if held.stage in PENDING and held.document.withdrawn is not None:
            told = f"{name} 有撤回稿在办（原因：{held.document.withdrawn[:40]}），不能再起草"
            raise OperatorFault(f"{told}。请先完成撤回；不再撤回的，删去 {held.path} 后重新起草。")


def _latest(folder: Path, name: str) -> Disclosure | None:
    """The newest version of which a signed copy exists; drafts count for nothing yet."""
    signed = [held.document for held in _holdings(folder, name) if held.stage is not Stage.DRAFTED]
    return max(signed, key=lambda document: document.version, default=None)


def _released(folder: Path, name: str) -> Holding | None:
    stages = (Stage.RELEASED, Stage.WITHDRAWN)
    return next((held for held in _holdings(folder, name) if held.stage in stages), None)


def _files(folder: Path) -> Iterator[Holding | Damaged]:
    readers = (("drafts", "json", _drafted), ("signed", "dsse", _signed), ("released", "dsse", _released_file))
    for stage, suffix, reader in readers:
        for path in sorted((folder / stage).glob(f"[!.]*.{suffix}")):
            try:
                yield reader(path)
            except SenderFault as fault:
                yield Damaged(path.stem, path, str(fault))
            except OSError as error:
                yield Damaged(path.stem, path, f"读不出：{error.strerror}")


def _clear_drafts(folder: Path) -> None:
    """Take away the files of drafts that were replaced, given up or released: photos do not stay for nobody. While one
    waits that cannot be read, nobody knows which files are its."""
    pending = [held for held in _files(folder) if held.path.parent.name != RELEASED]
    if all(isinstance(held, Holding) for held in pending):
        clear_content(folder, [held.document for held in pending if isinstance(held, Holding)])


def _is_of(held: Holding | Damaged, name: str) -> bool:
    """Whether a file belongs to the document `name`; a damaged released one is known by the end of its file name."""
    return held.name == name or (isinstance(held, Damaged) and held.name.endswith(f".{name}"))


def _drafted(path: Path) -> Holding:
    return Holding(path.stem, Stage.DRAFTED, parse_disclosure(path.read_bytes()), path)


def _signed(path: Path) -> Holding:
    envelope = parse_envelope(path.read_bytes())
    stage = Stage.REVIEWED if len(envelope.signatures) >= REVIEWED else Stage.EDITED
    return Holding(path.stem, stage, parse_disclosure(envelope.payload), path)


def _released_file(path: Path) -> Holding:
    document = parse_disclosure(parse_envelope(path.read_bytes()).payload)
    return Holding(".".join(document.key), _released_stage(document), document, path)


def _released_stage(document: Disclosure) -> Stage:
    return Stage.RELEASED if document.withdrawn is None else Stage.WITHDRAWN
