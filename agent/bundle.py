"""A bundle: documents with their files in one archive, for a hall that no network reaches (a USB stick).

A ZIP file of one strict form: nothing compressed (so nothing unpacks without end), at most `MAX_MEMBERS` members of two
kinds of names, `documents/{kind}.{id}.dsse` and `content/{sha256}`, no comment, no ZIP64. It is not signed: everything
in it is, or is named by hash in what is.
"""

import io
import re
import struct
import zipfile
from collections.abc import Mapping

from agent.errors import SenderFault
from agent.wire.envelope import MAX_ENVELOPE_BYTES

SUFFIX = ".liuhen"
MAX_BUNDLE_BYTES = 256 * 2**20  # ours
MAX_MEMBERS = 4096  # ours: 512 documents, and files for each
DOCUMENT_PATTERN = re.compile(r"documents/[a-z-]{1,63}\.[a-z0-9][a-z0-9-]{0,63}\.dsse")
CONTENT_PATTERN = re.compile(r"content/([0-9a-f]{64})")
_END = struct.Struct("<4s4H2LH")  # APPNOTE.TXT 4.3.16
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


class Bundle:
    """An opened bundle. `Bundle.open` raises `SenderFault` for anything but the strict form; so do the methods."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._sizes = {item.filename: item.file_size for item in archive.infolist()}

    @property
    def documents(self) -> tuple[str, ...]:
        """Names of the sealed documents."""
        return tuple(sorted(name for name in self._sizes if DOCUMENT_PATTERN.fullmatch(name)))

    def document(self, name: str) -> bytes:
        """The bytes of one; not verified."""
        return self._read(name, MAX_ENVELOPE_BYTES)

    def content(self, sha256: str, size: int) -> bytes | None:
        """The file with this hash as it lies there, not verified; None when the bundle does not have it."""
        name = f"content/{sha256}"
        return self._read(name, size) if name in self._sizes else None

    def _read(self, name: str, most: int) -> bytes:
        if self._sizes[name] > most:
            raise SenderFault(f"公示包中的 {name} 过大，已拒绝。")
        try:
            with self._archive.open(name) as file:
                return file.read(most + 1)
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError, RuntimeError) as error:
            raise SenderFault(f"公示包中的 {name} 已损坏（{error}），请重新制作。") from error


def open_bundle(file: io.BufferedIOBase, size: int) -> Bundle:
    """The bundle in a file of `size` bytes; raises `SenderFault` for anything but the strict form."""
    _check_end(file, size)
    try:
        archive = zipfile.ZipFile(file)
        for item in archive.infolist():
            _check_member(item)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        raise SenderFault(f"公示包已损坏（{error}），请重新制作。") from error
    if len(set(archive.namelist())) != len(archive.namelist()):
        raise SenderFault("公示包中有重名的文件，已拒绝。")
    return Bundle(archive)


def pack(documents: Mapping[str, bytes], content: Mapping[str, bytes]) -> bytes:
    """A bundle of sealed documents by `kind.id` and files by hash; the same ones give the same bytes."""
    members = {f"documents/{name}.dsse": data for name, data in documents.items()}
    members |= {f"content/{sha256}": data for sha256, data in content.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, data in sorted(members.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return out.getvalue()


def _check_end(file: io.BufferedIOBase, size: int) -> None:
    """Before the list of members is read: how long it says it is."""
    if not _END.size <= size <= MAX_BUNDLE_BYTES:
        raise SenderFault(f"公示包为空或超过 {MAX_BUNDLE_BYTES // 2**20} MiB，已拒绝。")
    file.seek(size - _END.size)
    signature, _, _, _, members, length, _, comment = _END.unpack(file.read(_END.size))
    file.seek(0)
    if signature != b"PK\x05\x06" or comment or members > MAX_MEMBERS or length > MAX_MEMBERS * 256:
        raise SenderFault("不是完整的公示包，或其中文件过多，已拒绝。请用 liuhen-publish bundle 重新制作。")


def _check_member(item: zipfile.ZipInfo) -> None:
    if item.compress_type != zipfile.ZIP_STORED or item.compress_size != item.file_size or item.flag_bits & 1:
        raise SenderFault("公示包中有压缩或加密的文件，已拒绝。请用 liuhen-publish bundle 重新制作。")
    if not (DOCUMENT_PATTERN.fullmatch(item.filename) or CONTENT_PATTERN.fullmatch(item.filename)):
        raise SenderFault(f"公示包中的文件名“{item.filename[:60]}”不合规定，已拒绝。")
