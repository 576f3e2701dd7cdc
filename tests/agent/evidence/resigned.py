"""Mutations that know the structure and sign again afterwards, so that the parsers behind the signatures are reached.

The forger here holds the device's key and the session's: what he writes verifies, but need not make sense.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cbor2

from agent.evidence import bmff, cbor, cose, jumbf, manifest, vsi
from agent.evidence.bmff import Source, walk
from agent.evidence.journal import encode_entry_box
from agent.wire.signing import CertifiedSigner, Signer
from tests.agent.evidence.bench import Bench, patched
from tests.support.media import FRAGMENT_MS

PREAMBLE = bmff.HEADER + bmff.USER_TYPE + len(manifest.PREAMBLE)
ENDLESS = tuple(bytes((major << 5 | 27,)) + b"\x7f" + b"\xff" * 7 for major in (2, 3, 4, 5))
OPEN_ENDED = (b"\x9f\x00\xff", b"\xbf\xff", b"\x5f\x41a\xff", b"\xff")


class Pairs(list[tuple[Any, Any]]):
    """A map as it is written: keys may stand there twice, in any order."""


@dataclass(frozen=True)
class Raw:
    """Bytes that are written as they are."""

    data: bytes


ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 23, 2**31, 2**53, 2**53 - 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**64), 2**200),
    *(1.5, float("nan"), float("inf"), "", "x", "\x1b[2J", "é" * 300, b"", b"x", bytes(32), bytes(33), [], [1] * 5),
    *([[[[]]]], Pairs(), Pairs([(1, 2)]), cbor2.CBORTag(0, "x"), cbor2.CBORTag(0, "2026-11-22T02:00:00Z")),
    *(cbor2.CBORTag(18, []), cbor2.CBORTag(258, [1, 1]), cbor2.CBORTag(4, [1, 1]), cbor2.CBORTag(30, [1, 0])),
    *(Raw(b"\x81" * depth + b"\0") for depth in (14, 15, 16, 17, 900, 3000)),
    *(Raw(data) for data in (*ENDLESS, *OPEN_ENDED)),
    *(Raw(data) for data in (b"\x18\x01", b"\xf8\x20", b"\xd8\x1c\x80", b"\xd8\x1d\x00")),
)


def tree(data: bytes) -> Any:
    """A CBOR item with its maps as `Pairs`."""
    return _opened(cbor2.loads(data))


def _opened(value: Any) -> Any:
    if isinstance(value, dict):
        return Pairs((key, _opened(inner)) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return [_opened(inner) for inner in value]
    if isinstance(value, cbor2.CBORTag):
        return cbor2.CBORTag(value.tag, _opened(value.value))
    return value


def written(node: Any) -> bytes:
    """The CBOR bytes of a tree."""
    if isinstance(node, Raw):
        return node.data
    if isinstance(node, Pairs):
        return _head(5, len(node)) + b"".join(written(part) for pair in node for part in pair)
    if isinstance(node, list):
        return _head(4, len(node)) + b"".join(map(written, node))
    if isinstance(node, cbor2.CBORTag):
        return _head(6, node.tag) + written(node.value)
    return cbor2.dumps(node)


def _head(major: int, argument: int) -> bytes:
    plain = cbor2.dumps(argument)
    return bytes((plain[0] | major << 5,)) + plain[1:]


Place = tuple[Any, int]


def places(node: Any) -> list[Place]:
    """Every container and index in a tree."""
    if isinstance(node, cbor2.CBORTag):
        return places(node.value)
    if not isinstance(node, list):
        return []
    inner = [pair[1] for pair in node] if isinstance(node, Pairs) else node
    return [*((node, at) for at in range(len(node))), *(place for part in inner for place in places(part))]


def spoil(chance: random.Random, data: bytes) -> bytes:
    """One thing changed in a CBOR item: removed, of another type, twice, moved, under another key, or bytes behind."""
    root = [tree(data)]
    node, at = chance.choice(places(root))
    way = chance.randrange(12)
    if way == 0:
        del node[at]
    elif way == 1:
        node.insert(at, node[at])
    elif way == 2 and isinstance(node, Pairs):
        node.append((node[at][0], chance.choice(ODD)))
    elif way == 3 and isinstance(node, Pairs):
        node[at] = (chance.choice(ODD), node[at][1])
    elif way == 4:
        node.append(node.pop(at))
    elif way == 5:
        return written(root[0]) + chance.choice((b"\0", b"\xf6", bytes(40)))
    else:
        odd = chance.choice(ODD)
        node[at] = (node[at][0], odd) if isinstance(node, Pairs) else odd
    return b"".join(map(written, root))


def removals(data: bytes) -> Iterable[bytes]:
    """The item with each of its parts left out, once each."""
    for number in range(len(places([tree(data)]))):
        root = [tree(data)]
        node, at = places(root)[number]
        del node[at]
        yield b"".join(map(written, root))


def retypes(data: bytes) -> Iterable[bytes]:
    """The item with each of its parts replaced by each odd value."""
    for number in range(len(places([tree(data)]))):
        for odd in ODD:
            root = [tree(data)]
            node, at = places(root)[number]
            node[at] = (node[at][0], odd) if isinstance(node, Pairs) else odd
            yield b"".join(map(written, root))


@dataclass
class Store:
    """A manifest taken to pieces; `box` puts them together again and signs what there is to sign."""

    label: str
    claim: dict[Any, Any]
    assertions: dict[str, bytes]
    protected: bytes

    def box(self, signer: Signer, claim: bytes | None = None, extra: bytes = b"") -> bytes:
        boxes = [jumbf.encode_cbor_superbox(jumbf.CBOR, label, content) for label, content in self.assertions.items()]
        entries = [manifest.Assertion(label, content) for label, content in self.assertions.items()]
        told = claim or cbor2.dumps({**self.claim, "created_assertions": [*map(manifest.reference_to, entries)]})
        signature = signer.sign(cose.to_be_signed(self.protected, told))
        listed = jumbf.encode_superbox(jumbf.ASSERTIONS, manifest.ASSERTIONS_LABEL, *boxes)

        def store(padding: int) -> bytes:
            sealed = cose.encode(self.protected, {"pad": bytes(padding)}, None, signature) + extra
            return manifest._store(self.label, listed, told, sealed)

        room = manifest.RESERVED_BYTES - PREAMBLE
        filled = store(max(0, 256 + room - len(store(256))))
        return bmff.encode_user_box(bmff.C2PA_BOX, manifest.PREAMBLE, filled)


def taken_apart(box: bytes) -> Store:
    """The pieces of a manifest in its reserved box."""
    found = jumbf.parse_superbox(box[PREAMBLE:]).children[0]
    claim = found.child(jumbf.CLAIM, manifest.CLAIM_LABEL).only_content()
    sealed = cose.parse(found.child(jumbf.SIGNATURE, manifest.SIGNATURE_LABEL).only_content())
    listed = found.child(jumbf.ASSERTIONS, manifest.ASSERTIONS_LABEL).children
    contents = {entry.label: entry.only_content() for entry in listed}
    return Store(found.label, cbor.decode_map(claim), contents, sealed.protected_bytes)


@dataclass
class Forger:
    """Who holds the keys of a recording's device; every method gives a whole segment file."""

    bench: Bench
    sealed: bytes
    live: bytes

    @staticmethod
    def of(signer: CertifiedSigner) -> "Forger":
        live = Bench(signer)  # type: ignore[arg-type]
        return Forger(live, Bench(signer).sealed(), live.live()[1])  # type: ignore[arg-type]

    def _manifest(self, data: bytes) -> tuple[int, Store]:
        at = next(box.offset for box in walk(Source.of_bytes(data)) if box.is_user_type(bmff.C2PA_BOX))
        return at, taken_apart(data[at : at + manifest.RESERVED_BYTES])

    def labels(self) -> list[str]:
        return [*self._manifest(self.sealed)[1].assertions]

    def assertion(self, label: str) -> bytes:
        return self._manifest(self.sealed)[1].assertions[label]

    def with_assertion(self, label: str, content: bytes | None, *, live: bool = False) -> bytes:
        """The manifest with another assertion under `label`, or without it, signed again."""
        data = self.live if live else self.sealed
        at, store = self._manifest(data)
        store.assertions = {**store.assertions, label: content or b""}
        if content is None:
            del store.assertions[label]
        return patched(data, at, store.box(self.bench.signer))

    def with_claim(self, change: Callable[[bytes], bytes]) -> bytes:
        """The manifest with another claim, signed again."""
        at, store = self._manifest(self.sealed)
        return patched(self.sealed, at, store.box(self.bench.signer, change(cbor2.dumps(store.claim))))

    def with_protected(self, change: Callable[[bytes], bytes]) -> bytes:
        """The manifest with another protected header, signed again."""
        at, store = self._manifest(self.sealed)
        store.protected = change(store.protected)
        return patched(self.sealed, at, store.box(self.bench.signer))

    def with_bytes_behind_the_signature(self, extra: bytes) -> bytes:
        """What nobody signs: more bytes in the box of the signature, the padding so much shorter."""
        at, store = self._manifest(self.sealed)
        return patched(self.sealed, at, store.box(self.bench.signer, extra=extra))

    def _fragment(self, number: int) -> tuple[int, int, dict[bytes, bytes]]:
        row = self.bench.records[number]
        found = walk(Source.of_bytes(self.live[: row.offset + row.size]), row.offset)
        return row.offset, row.offset + row.size, {box.kind: box.raw() for box in found}

    def entry(self, number: int = -1) -> bytes:
        return self._fragment(number)[2][b"uuid"][bmff.HEADER + bmff.USER_TYPE :]

    def with_entry(self, content: bytes, number: int = -1) -> bytes:
        """An unsealed segment whose fragment has another journal entry, signed again by the session's key."""
        begin, end, boxes = self._fragment(number)
        noted = [encode_entry_box(content), boxes[b"moof"], boxes[b"mdat"]]
        label = self._manifest(self.live)[1].label
        sequence = self.bench.records[number].entry.sequence
        emsg = vsi.sign_fragment(self.bench.session, label, sequence, FRAGMENT_MS, 0, noted)
        return self.live[:begin] + vsi.STYP + emsg + b"".join(noted) + self.live[end:]

    def message(self, number: int = -1) -> tuple[bytes, bytes]:
        """The protected header and the payload of a fragment's signature."""
        emsg = self._fragment(number)[2][b"emsg"]
        signed = cose.parse(emsg[vsi.MESSAGE_AT :])
        return signed.protected_bytes, signed.payload or b""

    def with_message(self, protected: bytes, payload: bytes, number: int = -1) -> bytes:
        """An unsealed segment whose fragment has another live signature, of these bytes, by the session's key."""
        begin, end, boxes = self._fragment(number)
        signature = self.bench.session.signer.sign(cose.to_be_signed(protected, payload))
        message = cose.encode(protected, {cose.KEY_ID: self.bench.session.key_id}, payload, signature)
        emsg = boxes[b"emsg"][bmff.HEADER : vsi.MESSAGE_AT] + message
        kept = boxes[b"uuid"] + boxes[b"moof"] + boxes[b"mdat"]
        return self.live[:begin] + vsi.STYP + bmff.encode_box(b"emsg", emsg) + kept + self.live[end:]

    def any(self, chance: random.Random) -> bytes:
        """One forged segment."""
        way = chance.randrange(6)
        if way < 2:
            label = chance.choice(self.labels())
            return self.with_assertion(label, spoil(chance, self.assertion(label)))
        if way == 2:
            return self.with_claim(lambda claim: spoil(chance, claim))
        if way == 3:
            return self.with_protected(lambda header: spoil(chance, header))
        number = chance.randrange(len(self.bench.records))
        if way == 4:
            return self.with_entry(spoil(chance, self.entry(number)), number)
        protected, payload = self.message(number)
        if chance.random() < 0.5:
            return self.with_message(spoil(chance, protected), payload, number)
        return self.with_message(protected, spoil(chance, payload), number)
