"""The office's folders beside its documents: files by hash, and every version that was ever released.

content/{sha256}                              of drafts and signed documents, as long as one of them names it
released/content/{sha256}                     what the centre takes with the released ones
history/{name}.v0001.20261122T100000Z.dsse    one for each release; nothing here is ever replaced
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.duty.disclosure_rules import ABOUT_PEOPLE
from agent.errors import OperatorFault, SenderFault
from agent.wire.content import Attachment
from agent.wire.disclosures import Disclosure, parse_disclosure
from agent.wire.envelope import MAX_ENVELOPE_BYTES, parse_envelope
from agent.wire.identifiers import DIGEST_PATTERN, Digest
from kiosk.publishing.file_words import check_file

CONTENT, HISTORY, RELEASED = "content", "history", "released"
STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<name>[a-z-]+\.[a-z0-9-]+)\.v(?P<version>\d{4,})\.(?P<at>\d{8}T\d{6}Z)\.dsse")


@dataclass(frozen=True)
class Past:
    """A version as it was released at `at`, with the sealed bytes."""

    name: str
    at: datetime
    document: Disclosure
    envelope: bytes


def keep_content(folder: Path, contents: Mapping[Digest, bytes]) -> None:
    """Keep the files of a draft."""
    for sha256, content in contents.items():
        durable.write_bytes(durable.make_directory(folder / CONTENT) / sha256, content)


def read_content(folder: Path, one: Attachment) -> bytes:
    """A file of a document of this office, held against its hash; raises `OperatorFault`."""
    for place in (folder / CONTENT / one.sha256, folder / RELEASED / CONTENT / one.sha256):
        try:
            with place.open("rb") as file:
                return one.check(file.read(one.size + 1))
        except FileNotFoundError:
            continue
        except (OSError, SenderFault) as error:
            raise OperatorFault(f"{place} 已损坏（{error}）。请重新起草该公示文件。") from error
    raise OperatorFault(f"附件 {one.name} 不在办公文件夹中。请重新起草该公示文件。")


def release_content(folder: Path, document: Disclosure) -> None:
    """Lay the files of `document` where the centre takes them, before the document itself. Raises `OperatorFault` for
    one in whose words something personal stands."""
    for one in document.attachments:
        content = check_file(one, read_content(folder, one), about_people=document.kind in ABOUT_PEOPLE)
        durable.write_bytes(durable.make_directory(folder / RELEASED / CONTENT) / one.sha256, content)


def clear_content(folder: Path, alive: Iterable[Disclosure]) -> None:
    """Take away the files in `folder`/content that none of the documents `alive` names."""
    named = {one.sha256 for each in alive for one in each.attachments}
    for path in sorted((folder / CONTENT).glob("*")):
        if DIGEST_PATTERN.fullmatch(path.name) and path.name not in named:
            durable.remove(path)


def remember(folder: Path, document: Disclosure, envelope: bytes, now: datetime) -> Path:
    """Keep what was released at `now` for ever."""
    name = f"{'.'.join(document.key)}.v{document.version:04d}.{now:{STAMP}}.dsse"
    return durable.write_bytes(durable.make_directory(folder / HISTORY) / name, envelope)


def as_of(folder: Path, moment: datetime) -> list[Past]:
    """What was published at `moment`: of each document the newest version released by then, when it was in force."""
    newest: dict[str, Past] = {}
    for past in _history(folder):
        if past.at <= moment:
            newest[past.name] = past
    return [past for past in newest.values() if in_force(past.document, moment)]


def unfiled_since(folder: Path, name: str) -> datetime | None:
    """When the document `name` was first released without a filing after the last version that had one; a correction
    begins no new term. None when it is filed, withdrawn or was never released."""
    since = None
    for past in _history(folder):
        if past.name == name:
            open_ = past.document.filing is None and past.document.withdrawn is None
            since = (since or past.at) if open_ else None
    return since


def in_force(document: Disclosure, moment: datetime) -> bool:
    """Whether `document` was neither withdrawn nor before its beginning or past its end at `moment`."""
    until = document.effective_until
    return document.withdrawn is None and document.effective_from <= moment and (until is None or moment < until)


def _history(folder: Path) -> list[Past]:
    found = []
    for path in (folder / HISTORY).glob("[!.]*.dsse"):
        named = _NAME.fullmatch(path.name)
        if named is None or path.stat().st_size > MAX_ENVELOPE_BYTES:
            continue
        envelope = path.read_bytes()
        try:
            document = parse_disclosure(parse_envelope(envelope).payload)
        except SenderFault as fault:
            raise OperatorFault(f"{path} 已损坏（{fault}）。请从备份恢复该文件后重试。") from fault
        found.append(Past(named["name"], datetime.strptime(f"{named['at']}+0000", f"{STAMP}%z"), document, envelope))
    return sorted(found, key=lambda past: (past.at, past.document.version))
