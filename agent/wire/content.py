"""Files that belong to a disclosure: signed by their hash with the document, carried beside it.

A document names each file in `attachments`; the bytes travel as numbered pieces of `CHUNK_BYTES` under
`pub/{audience}/content/{sha256}/{number}`, retained (`agent.wire.topics`), or in a bundle. They need no signature of
their own: whoever takes them knows hash and size from the signed document before the first byte comes.
Names say what a file is and of which entry (from 1): `photo-3.jpg`, `flow-1.svg`, `flow-1.txt`, `qr-2.svg`; those of a
whole document have no number: `search.sqlite`, `font.woff2`. `faces-1.jpg` has the photos of the first 64 entries once
more, small.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agent.errors import SenderFault
from agent.wire.canonical import Fields
from agent.wire.identifiers import Digest, digest

CHUNK_BYTES = 128 * 1024  # ours: half of what an envelope may have, so every broker of ours takes it
MAX_ATTACHMENT_BYTES = 32 * 2**20  # ours: an index of 100 000 rows is 24 MB (reference/kiosk.md 2.4)
MAX_ATTACHMENTS_BYTES = 64 * 2**20  # ours: all files of one document
MAX_ATTACHMENTS = 256  # ours: 170 bytes each in a document of 184 KiB
NAME_PATTERN = re.compile(r"[a-z]{1,16}(?:-[1-9][0-9]{0,3})?\.[a-z0-9]{2,6}")

INDEX, FONT = "search.sqlite", "font.woff2"
SVG, JPEG, TEXT = "image/svg+xml", "image/jpeg", "text/plain"
SQLITE, WOFF2 = "application/vnd.sqlite3", "font/woff2"
MEDIA_TYPES = {"svg": SVG, "jpg": JPEG, "txt": TEXT, "sqlite": SQLITE, "woff2": WOFF2}
"""Media type by the end of a name: a screen shows nothing else."""


@dataclass(frozen=True)
class Attachment:
    """One file of a document: `sha256` of its `size` bytes (`bytes` in JSON)."""

    name: str
    sha256: Digest
    size: int
    media_type: str

    @property
    def chunks(self) -> int:
        """In how many pieces it travels."""
        return -(-self.size // CHUNK_BYTES)

    def chunk_length(self, number: int) -> int:
        """The length of piece `number`, from 0; raises `SenderFault` when there is no such piece."""
        if not 0 <= number < self.chunks:
            raise SenderFault(f"文件 {self.name} 没有第 {number} 段，已拒绝。")
        return min(CHUNK_BYTES, self.size - number * CHUNK_BYTES)

    def check(self, content: bytes) -> bytes:
        """Return `content` when it is this file; raises `SenderFault`."""
        if len(content) != self.size or hashlib.sha256(content).hexdigest() != self.sha256:
            raise SenderFault(f"文件 {self.name} 与签名文件所列的校验值不符，已拒绝。")
        return content

    def as_json(self) -> dict[str, Any]:
        """As it stands in a document."""
        return {"bytes": self.size, "media_type": self.media_type, "name": self.name, "sha256": self.sha256}


def attach(name: str, content: bytes) -> Attachment:
    """The attachment `name` of these bytes; raises `SenderFault` for a name or size that is not allowed."""
    found = digest(hashlib.sha256(content).hexdigest())
    return _checked(Attachment(name, found, len(content), MEDIA_TYPES.get(name.rpartition(".")[2], "")))


def parse_attachments(values: Iterable[Any]) -> tuple[Attachment, ...]:
    """The `attachments` of a document; raises `SenderFault` naming what is wrong: a path for a name, a hash that is
    none, a size of nothing or of too much, a media type that does not go with the name, one name twice."""
    found = tuple(_attachment(value) for value in values)
    if len(found) > MAX_ATTACHMENTS or sum(one.size for one in found) > MAX_ATTACHMENTS_BYTES:
        raise SenderFault(f"公示文件的附件超过 {MAX_ATTACHMENTS} 个或 {MAX_ATTACHMENTS_BYTES // 2**20} MiB，已拒绝。")
    if len({one.name for one in found}) != len(found):
        raise SenderFault("公示文件有两个附件同名，已拒绝。")
    return found


def _attachment(value: Any) -> Attachment:
    fields = Fields("公示文件的附件", value)
    sha256 = digest(fields.text("sha256"))
    return _checked(Attachment(fields.text("name"), sha256, fields.integer("bytes", 1), fields.text("media_type")))


def _checked(one: Attachment) -> Attachment:
    if not NAME_PATTERN.fullmatch(one.name):
        raise SenderFault(f"附件名称“{one.name[:40]}”不合规定，应形如 photo-3.jpg，已拒绝。")
    if MEDIA_TYPES.get(one.name.rpartition(".")[2]) != one.media_type:
        raise SenderFault(f"附件 {one.name} 的类型“{one.media_type[:40]}”不能展示，已拒绝。")
    if not 1 <= one.size <= MAX_ATTACHMENT_BYTES:
        raise SenderFault(f"附件 {one.name} 为空或超过 {MAX_ATTACHMENT_BYTES // 2**20} MiB，已拒绝。")
    return one
