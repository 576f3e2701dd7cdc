"""JUMBF (ISO/IEC 19566-5) as C2PA uses it: labelled superboxes of CBOR boxes, written and read within bounds."""

from dataclasses import dataclass

from agent.errors import SenderFault
from agent.evidence.bmff import encode_box

MAX_DEPTH = 5  # a C2PA store nests 4 deep: store, manifest, assertion store, assertion
MAX_CONTENTS = 64  # ours; a manifest of ours has 6 assertions
TOGGLES = 0x03  # ISO/IEC 19566-5 section A.3: requestable, label present
TYPE_BYTES = 16
_SUFFIX = bytes.fromhex("00110010800000aa00389b71")

STORE, MANIFEST, ASSERTIONS = b"c2pa", b"c2ma", b"c2as"  # C2PA 2.4 section 11.1
CLAIM, SIGNATURE, CBOR = b"c2cl", b"c2cs", b"cbor"


@dataclass(frozen=True)
class Superbox:
    """A parsed superbox: `inner` is everything after its own 8-byte header, which is what C2PA hashes;
    `content` holds the payloads of its CBOR boxes, `children` its superboxes."""

    kind: bytes
    label: str
    inner: bytes
    content: tuple[bytes, ...]
    children: tuple["Superbox", ...]

    def child(self, kind: bytes, label: str) -> "Superbox":
        """The one child of that kind and label; raises `SenderFault` when there is none or there are several."""
        found = [child for child in self.children if (child.kind, child.label) == (kind, label)]
        if len(found) != 1:
            raise SenderFault(f"凭证中缺少 {label}，或有多个，已拒绝。")
        return found[0]

    def only_content(self) -> bytes:
        """The payload of the one CBOR box that is all of this superbox; raises `SenderFault` otherwise."""
        if len(self.content) != 1 or self.children:
            raise SenderFault(f"凭证中的 {self.label[:60]} 结构不对，已拒绝。")
        return self.content[0]


def encode_superbox(kind: bytes, label: str, *content: bytes) -> bytes:
    """A superbox of that kind around complete boxes."""
    description = encode_box(b"jumd", kind, _SUFFIX, bytes([TOGGLES]), label.encode() + b"\0")
    return encode_box(b"jumb", description, *content)


def encode_cbor_superbox(kind: bytes, label: str, content: bytes) -> bytes:
    """A superbox around one CBOR box."""
    return encode_superbox(kind, label, encode_box(CBOR, content))


def parse_superbox(data: bytes, depth: int = MAX_DEPTH) -> Superbox:
    """The superbox that fills `data` exactly; raises `SenderFault` when malformed, too deep or too full."""
    boxes = _split(data)
    if depth == 0 or len(boxes) != 1 or boxes[0][0] != b"jumb":
        raise SenderFault("凭证结构不对，已拒绝。")
    inner = boxes[0][1]
    parts = _split(inner)
    if not parts or parts[0][0] != b"jumd":
        raise SenderFault("凭证缺少描述盒，已拒绝。")
    kind, label = _description(parts[0][1])
    if any(name not in (b"jumb", CBOR) for name, _ in parts[1:]):
        raise SenderFault("凭证中有不认识的内容，已拒绝。")
    content = tuple(payload for name, payload in parts[1:] if name == CBOR)
    children = tuple(
        parse_superbox(encode_box(name, payload), depth - 1) for name, payload in parts[1:] if name == b"jumb"
    )
    return Superbox(kind, label, inner, content, children)


def _description(payload: bytes) -> tuple[bytes, str]:
    label = payload[TYPE_BYTES + 1 :]
    if payload[4:TYPE_BYTES] != _SUFFIX or payload[TYPE_BYTES : TYPE_BYTES + 1] != bytes([TOGGLES]):
        raise SenderFault("凭证描述盒不合规定，已拒绝。")
    if not label.endswith(b"\0") or b"\0" in label[:-1] or not label.isascii():
        raise SenderFault("凭证标签不合规定，已拒绝。")
    return payload[:4], label[:-1].decode("ascii")


def _split(data: bytes) -> list[tuple[bytes, bytes]]:
    boxes: list[tuple[bytes, bytes]] = []
    position = 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4])
        if size < 8 or size > len(data) - position or len(boxes) == MAX_CONTENTS:
            raise SenderFault("凭证中的盒长度不对，已拒绝。")
        boxes.append((data[position + 4 : position + 8], data[position + 8 : position + size]))
        position += size
    return boxes
