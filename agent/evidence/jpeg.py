"""Where a C2PA manifest store stands in a JPEG (ISO/IEC 10918-1; C2PA 2.4 appendix A.3.1): one APP11 segment.

SOI | [APP0] | APP11: "JP" box-instance sequence-number JUMBF | ...
"""

from dataclasses import dataclass

from agent.errors import SenderFault

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
APP0, APP11 = 0xE0, 0xEB
MARKER, LENGTH = 2, 2  # bytes of a marker and of a segment's length, which counts itself
JUMBF_HEAD = b"JP\0\1\0\0\0\1"  # ISO/IEC 19566-5 annex D: common identifier, box instance 1, packet 1
MAX_SEGMENTS = 64  # ours; an encoder's own are a dozen
FIRST_SCAN = 0xDA  # after it comes coded data, no more segments


@dataclass(frozen=True)
class Placed:
    """The APP11 segment that holds the store: `offset` and `size` of the whole segment, and the `store` itself."""

    offset: int
    size: int
    store: bytes


def segment_size(store_size: int) -> int:
    """How long the segment around a store is; raises `ValueError` when it does not fit into one."""
    size = MARKER + LENGTH + len(JUMBF_HEAD) + store_size
    if size - MARKER > 0xFFFF:
        raise ValueError("the manifest store does not fit one JPEG segment")
    return size


def place_of(jpeg: bytes) -> int:
    """Where the segment is to be inserted: behind APP0, which JFIF wants first. Raises `ValueError` for no JPEG."""
    if not jpeg.startswith(SOI) or not jpeg.endswith(EOI):
        raise ValueError("not a JPEG")
    if jpeg[2:4] == bytes((0xFF, APP0)):
        return MARKER + MARKER + int.from_bytes(jpeg[4:6])
    return MARKER


def encode_segment(store: bytes) -> bytes:
    """The APP11 segment around `store`."""
    size = segment_size(len(store))
    return bytes((0xFF, APP11)) + (size - MARKER).to_bytes(LENGTH) + JUMBF_HEAD + store


def find_store(data: bytes) -> Placed:
    """The one store of a JPEG; raises `SenderFault` when there is none, or several, or no JPEG."""
    found = [
        Placed(offset, size, data[offset + MARKER + LENGTH + len(JUMBF_HEAD) : offset + size])
        for offset, size in _segments(data)
        if data[offset + 1] == APP11
    ]
    if len(found) != 1 or not data[found[0].offset + MARKER + LENGTH :].startswith(JUMBF_HEAD):
        raise SenderFault("照片中没有本系统的签名凭证，已拒绝。")
    return found[0]


def _segments(data: bytes) -> list[tuple[int, int]]:
    """Offset and size of every marker segment before the first scan."""
    if not data.startswith(SOI):
        raise SenderFault("文件不是 JPEG 照片，已拒绝。")
    segments: list[tuple[int, int]] = []
    offset = MARKER
    while offset + MARKER + LENGTH <= len(data) and len(segments) < MAX_SEGMENTS:
        length = int.from_bytes(data[offset + MARKER : offset + MARKER + LENGTH])
        if data[offset] != 0xFF or length < LENGTH or offset + MARKER + length > len(data):
            break
        if data[offset + 1] == FIRST_SCAN:
            break
        segments.append((offset, MARKER + length))
        offset += MARKER + length
    return segments
