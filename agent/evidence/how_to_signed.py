"""Steps of HOW-TO-VERIFY.txt where no list of sums was signed: a recording that nobody sealed, or an exact cut. By hand
they follow the signatures from the device's certificate to every fragment:

    device's key signs the manifest; the manifest holds the hash of the session key; the session key signs the last
    fragment; its journal entry holds the hash of the entry before, that one of the entry before it, and each entry the
    hash of its sound and picture
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.evidence import bmff, cbor, cose, jumbf, manifest, vsi
from agent.evidence.how_to import Step, Stretch, cut_out, entry_of
from agent.evidence.manifest_reading import Manifest
from agent.evidence.places import SegmentFile
from agent.evidence.recovery import Examination
from agent.evidence.session import SESSION_KEYS_LABEL
from agent.wire.identifiers import Digest
from agent.wire.signing import RAW_SIGNATURE_BYTES

ROWS_NAME = "fragments.txt"
POINT = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")  # a P-256 public key, RFC 5480
HEX = "od -An -v -tx1 | tr -d ' \\n'"


@dataclass(frozen=True)
class Rows:
    """The file that tells where each fragment's journal entry and media stand; `first` is the head before them, `last`
    the head after them."""

    name: str
    content: bytes
    count: int
    first: Digest
    last: Digest


def rows_of(name: str, segments: Sequence[tuple[SegmentFile, Examination]]) -> Rows:
    """One line for each fragment of `segments`: file, where its entry begins and how long it is, the same of its media.
    At least one of them has a fragment."""
    lines, records = [], []
    for file, found in segments:
        for record in found.fragments:
            entry, media = entry_of(file, record)
            lines.append(f"{file.name} {entry.offset} {entry.size} {media.offset} {media.size}\n")
            records.append(record)
    return Rows(name, "".join(lines).encode(), len(lines), records[0].entry.previous, records[-1].head)


def signed_steps(file: SegmentFile, found: Examination, rows: Rows) -> Iterator[Step]:
    """From the certificate in `file` to every fragment; `found` is what was examined in it, the last one of `rows`."""
    opened = found.manifest
    if opened is None:
        return
    head = file.source.read_at(found.manifest_at, bmff.CHUNK_BYTES)
    cut = _Cutter(file.name, found.manifest_at, head)
    store_at = bmff.HEADER + bmff.USER_TYPE + len(manifest.PREAMBLE)
    store = jumbf.parse_superbox(head[store_at : manifest.RESERVED_BYTES]).children[0]
    claim = store.child(jumbf.CLAIM, manifest.CLAIM_LABEL).only_content()
    yield _manifest_signed(cut, store, claim, opened)
    yield _session_named(cut, store, claim)
    yield from _fragment_signed(file, found, opened, cut)
    loop = (
        f"p={rows.first}; while read f e s m l; do e() {{ {cut_out('$f', '$e', '$s')}; }}; e | {HEX} | grep $p | "
        f'grep -q "$({cut_out("$f", "$m", "$l")} | sha256sum | cut -c1-64)" || echo "$f $e: changed"; '
        f"p=$(e | sha256sum | cut -c1-64); done <{rows.name}; wc -l <{rows.name} | tr -d ' '; echo $p | cut -c1-64"
    )
    yield Step(
        "每个片段：音视频的散列值、前一条日志的散列值都写在它的日志里（片段数；最后一条日志的散列值在下一步）。",
        "Every fragment: its entry holds the hash of its media and of the entry before (how many; the last head).",
        f"({loop}) | tr '\\n' ' '; echo",
        f"{rows.count} {rows.last} ",
    )


class _Cutter:
    """Finds bytes in the head of a segment file and says how dd cuts them out."""

    def __init__(self, name: str, at: int, head: bytes) -> None:
        self._name, self._at, self._head = name, at, head

    def of(self, wanted: bytes) -> Stretch:
        return Stretch(self._name, self._at + self._head.index(wanted), len(wanted))


def _manifest_signed(cut: _Cutter, store: jumbf.Superbox, claim: bytes, opened: Manifest) -> Step:
    encoded = store.child(jumbf.SIGNATURE, manifest.SIGNATURE_LABEL).only_content()
    signed = cose.parse(encoded)
    protected = cbor.encode(signed.protected_bytes)
    parts = [cut.of(protected).command, f"printf '{_octal(cbor.encode(b'') + _head(claim))}'", cut.of(claim).command]
    key = f"{cut.of(opened.chain[0]).command} | openssl x509 -inform DER -noout -pubkey"
    return Step(
        "录像的签名凭证由这张证书的密钥签名（ES256）。",
        "The manifest in the file is signed by that certificate's key (ES256).",
        _verified(key, cut.of(signed.signature), parts),
        "Verified OK",
    )


def _session_named(cut: _Cutter, store: jumbf.Superbox, claim: bytes) -> Step:
    assertions = store.child(jumbf.ASSERTIONS, manifest.ASSERTIONS_LABEL).children
    box = next(it.inner for it in assertions if it.label == SESSION_KEYS_LABEL)
    return Step(
        "凭证中写有会话公钥一项的散列值。",
        "The manifest holds the hash of the part with the session's public key.",
        f'{cut.of(claim).command} | {HEX} | grep -c "$({cut.of(box).command} | sha256sum | cut -c1-64)"',
        "1",
    )


def _fragment_signed(file: SegmentFile, found: Examination, opened: Manifest, cut: _Cutter) -> Iterator[Step]:
    record = found.fragments[-1]
    boxes = {box.kind: box for box in _boxes(file, record.offset, record.size)}
    emsg = boxes[b"emsg"].raw()
    message = emsg[vsi.MESSAGE_AT :]
    signed = cose.parse(message)
    at = _Cutter(file.name, boxes[b"emsg"].offset, emsg)
    protected, payload = cbor.encode(signed.protected_bytes), cbor.encode(signed.payload)
    numbers = opened.session.public_key.public_numbers()
    point = [cut.of(number.to_bytes(32)).command for number in (numbers.x, numbers.y)]
    key = f"{{ printf '{_octal(POINT)}'; {'; '.join(point)}; }} | openssl pkey -pubin -inform DER"
    parts = [at.of(protected).command, f"printf '{_octal(cbor.encode(b''))}'", at.of(payload).command]
    yield Step(
        f"第 {record.entry.sequence} 片段（最后一个）由会话密钥签名（ES256）。",
        f"Fragment {record.entry.sequence}, the last one, is signed by the session's key (ES256).",
        _verified(key, Stretch(file.name, at.of(message).offset + len(message) - RAW_SIGNATURE_BYTES,
                               RAW_SIGNATURE_BYTES), parts),
        "Verified OK",
    )  # fmt: skip
    covered = "; ".join(
        f"printf '{_octal((box.offset - record.offset).to_bytes(8))}'; {_stretch(file, box).command}"
        for kind, box in boxes.items()
        if kind != b"emsg"
    )
    yield Step(
        "签名中所写的散列值就是这个片段的：音视频与日志，各盒之前是它的位置。",
        "The hash in that signature is this fragment's: its boxes, each after its place in the fragment.",
        f'{at.of(payload).command} | {HEX} | grep -c "$({{ {covered}; }} | sha256sum | cut -c1-64)"',
        "1",
    )


def _verified(key: str, signature: Stretch, parts: Sequence[str]) -> str:
    """openssl on a COSE_Sign1: key, signature (r and s) as DER, and the Sig_structure of RFC 9052 section 4.4."""
    structure = f"{{ printf '\\204\\152Signature1'; {'; '.join(parts)}; }}"
    return (
        f'(d=$(mktemp -d); {key} >"$d/k"; s=$({signature.command} | {HEX}); '
        "printf 'asn1=SEQUENCE:s\\n[s]\\nr=INTEGER:0x%s\\ns=INTEGER:0x%s\\n' "
        '$(echo $s | cut -c1-64) $(echo $s | cut -c65-) >"$d/c"; openssl asn1parse -genconf "$d/c" -noout -out "$d/s"; '
        f'{structure} | openssl dgst -sha256 -verify "$d/k" -signature "$d/s"; ended=$?; rm -r "$d"; exit $ended)'
    )


def _boxes(file: SegmentFile, offset: int, size: int) -> Iterator[bmff.Box]:
    for box in bmff.walk(file.source, offset):
        if box.offset >= offset + size:
            return
        yield box


def _stretch(file: SegmentFile, box: bmff.Box) -> Stretch:
    return Stretch(file.name, box.offset, box.end - box.offset)


def _head(content: bytes) -> bytes:
    """What stands before `content` in CBOR."""
    encoded = cbor.encode(content)
    return encoded[: len(encoded) - len(content)]


def _octal(data: bytes) -> str:
    return "".join(f"\\{byte:03o}" for byte in data)
