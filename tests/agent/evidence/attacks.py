"""Recordings as folders of files, honest and attacked in every way we know: what every verifier must agree about."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.evidence import journal, vsi
from agent.evidence.bmff import C2PA_BOX, Source, encode_box, encode_user_box, walk
from agent.evidence.journal import EXPLANATION, GAP_CLOSED, GAP_OPENED, MUTE_ON, FragmentMoment, JournalEvent, Reason
from agent.evidence.recovery import examine, seal_recovered
from agent.evidence.segment import Closing, SegmentEmitter
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.wire.identifiers import Digest
from agent.wire.instant import Instant, TimeState
from agent.wire.signing import CertifiedSigner
from tests.agent.evidence.bench import Authority, Bench, flipped, make_authority, patched
from tests.support.media import FRAGMENT_MS

Folder = dict[str, bytes]
AUTHORITY = make_authority()
STRANGERS = make_authority("beidou")
P_256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CLOSED_HALF = (0.1, 0.4, 0.7, 0.999)


def folder(bench: Bench, *segments: bytes, signer: CertifiedSigner | None = None) -> Folder:
    """Segments with the sidecars that the device writes."""
    files = {f"segment-{number:04d}.mp4": data for number, data in enumerate(segments, start=1)}
    return _listed({**files, "journal.jsonl": journal_lines(bench.records)}, signer or bench.signer)


def _listed(files: Folder, signer: CertifiedSigner) -> Folder:
    sums = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in files.items()})
    return {**files, "SHA256SUMS": sums, "SHA256SUMS.p7s": sign_sums(sums, signer)}


def new(authority: Authority = AUTHORITY, **options: object) -> Bench:
    return Bench(authority.signer(), **options)  # type: ignore[arg-type]


def recordings() -> dict[str, Folder]:
    """Every recording by the name of what was done to it."""
    made: dict[str, Folder] = {}
    for part in (
        _honest,
        _explained,
        _holes,
        _bits,
        _fragments,
        _boxes,
        _segments,
        _sidecars,
        _signers,
        _forgeries,
        _hostile,
    ):
        made |= part()
    return made


def _honest() -> dict[str, Folder]:
    one, three, lost, clock = new(), new(), new(), new()
    clock.now = replace(clock.now, wall=clock.now.wall.replace(year=1970), state=TimeState.UNSET, error_ms=None)
    parts = [three.sealed(Reason.CONTINUED), three.sealed(Reason.CONTINUED), three.sealed()]
    reason = JournalEvent(GAP_OPENED, lost.now, Reason.CAMERA_LOST, "usb")
    told = {3: (reason, JournalEvent(GAP_CLOSED, lost.now, Reason.CAMERA_LOST))}
    silent = {3: (JournalEvent(GAP_OPENED, lost.now),)}
    return {
        "one segment": folder(one, one.sealed()),
        "three segments": folder(three, *parts),
        "synthetic": folder(other := new(synthetic=True), other.sealed()),
        "clock never set": folder(clock, clock.sealed()),
        "gap with a reason": folder(lost, lost.sealed(events=told)),
        "gap without a reason": folder(other := new(), other.sealed(events=silent)),
        "ended by the camera": folder(other := new(), other.sealed(Reason.CAMERA_LOST)),
        "hole in time": folder(other := new(), _with_hole(other, 1500)),
        "short hole in time": folder(other := new(), _with_hole(other, 900)),
        "never sealed": {"segment-0001.mp4": new().live()[1]},
        "recovered": _recovered(lambda data: data[:-200]),
        "recovered with damage inside": _recovered(lambda data: flipped(data, len(data) // 2)),
        "no sidecars": {"segment-0001.mp4": new().sealed()},
        "nothing at all": {},
    }


def _explained() -> dict[str, Folder]:
    """Words that explain a gap, and words that do not."""
    at = new().now

    def gap(reason: Reason = Reason.PAUSED, note: str = "secrecy") -> tuple[JournalEvent, ...]:
        return (JournalEvent(GAP_OPENED, at, reason, note), JournalEvent(GAP_CLOSED, at, reason))

    def say(first: int, last: int) -> tuple[JournalEvent, ...]:
        return (JournalEvent(EXPLANATION, at, None, "other", (first, last)),)

    muted = (JournalEvent(MUTE_ON, at, Reason.MUTED),)
    told = {
        "words after the gap": {0: gap(), 4: say(4, 5)},
        "words before the gap": {0: say(1, 1), 3: gap()},
        "words only while muted": {0: muted, 3: say(3, 4)},
        "words about the last of two": {0: gap(), 3: gap(Reason.CAMERA_LOST, ""), 5: say(5, 6)},
        "words about two of the same cause": {0: gap(), 3: gap(), 5: say(5, 6)},
        "words about each of two": {0: gap(), 1: say(2, 2), 3: gap(Reason.CAMERA_LOST, ""), 5: say(5, 6)},
    }
    return {name: folder(bench := new(), bench.sealed(events=events)) for name, events in told.items()}


def _holes() -> dict[str, Folder]:
    """Ten minutes missing before the fourth fragment, and gaps beside them; times in ms from the beginning."""
    begin, end = 3 * FRAGMENT_MS, 3 * FRAGMENT_MS + 600_000
    dropped, frozen = Reason.FRAMES_DROPPED, Reason.PICTURE_FROZEN
    gaps = {
        "covered": ((GAP_OPENED, dropped, begin), (GAP_CLOSED, dropped, end)),
        "in two parts": tuple(
            (kind, dropped, at)
            for kind, at in ((GAP_OPENED, begin), (GAP_CLOSED, 9000), (GAP_OPENED, 9000), (GAP_CLOSED, end))
        ),
        "beside 200 ms": ((GAP_OPENED, dropped, begin - 200), (GAP_CLOSED, dropped, begin)),
        "with 200 ms in it": ((GAP_OPENED, dropped, begin), (GAP_CLOSED, dropped, begin + 200)),
        "while frozen": ((GAP_OPENED, frozen, begin), (GAP_CLOSED, frozen, end)),
        "only an end": ((GAP_CLOSED, dropped, end),),
        "never closed": ((GAP_OPENED, dropped, begin),),
    }
    made = {}
    for name, told in gaps.items():
        bench = new()
        events = tuple(JournalEvent(kind, _later(bench, at), reason) for kind, reason, at in told)
        made[f"ten minutes, {name}"] = folder(bench, _with_hole(bench, 600_000, events))
    return made


def _later(bench: Bench, milliseconds: int) -> Instant:
    return replace(bench.now, monotonic_ns=bench.now.monotonic_ns + milliseconds * 1_000_000)


def _recovered(cut: Callable[[bytes], bytes]) -> Folder:
    bench = new()
    data = cut(bench.live()[1])
    found = examine(Source.of_bytes(data))
    patch = seal_recovered(found, bench.signer, bench.now)
    bench.records[:] = found.fragments
    return folder(bench, patched(data[: found.intact_bytes], patch.offset, patch.data))


def _with_hole(bench: Bench, hole_ms: int, events: tuple[JournalEvent, ...] = ()) -> bytes:
    emitter = SegmentEmitter(bench.origin(), bench.signer, bench.session)
    data = emitter.opening(bench.media.init)
    for number, media in enumerate(bench.media.fragments):
        bench.pass_time(hole_ms if number == 3 else 0)
        captured = bench.now
        bench.pass_time(FRAGMENT_MS)
        told = events if number == 3 else ()
        signed = emitter.fragment(media, FragmentMoment(captured, FRAGMENT_MS, bench.now, told))
        bench.records.append(signed.record)
        data += signed.data
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    return patched(data, patch.offset, patch.data)


def _bits() -> dict[str, Folder]:
    bench = new()
    data, live, made = bench.sealed(), new().live()[1], {}
    for box in walk(Source.of_bytes(data)):
        for place in CLOSED_HALF:
            offset = box.offset + int(box.size * place)
            name = f"bit in {box.kind.decode()}@{box.offset} +{offset - box.offset}"
            made[name] = {"segment-0001.mp4": flipped(data, offset)}
            made[f"{name}, unsealed"] = {"segment-0001.mp4": flipped(live, offset)}
        made[f"size of {box.kind.decode()}@{box.offset}"] = {"segment-0001.mp4": flipped(data, box.offset + 2)}
        made[f"type of {box.kind.decode()}@{box.offset}"] = {"segment-0001.mp4": flipped(data, box.offset + 5)}
    return made


def _fragments() -> dict[str, Folder]:
    made: dict[str, bytes] = {}
    for state in ("sealed", "live"):
        bench = new()
        data = bench.sealed() if state == "sealed" else bench.live()[1]
        rows = bench.records
        pieces = [data[row.offset : row.offset + row.size] for row in rows]
        head, other = data[: rows[0].offset], new(number=2)
        foreign = other.sealed()[other.records[2].offset :][: other.records[2].size]
        orders = {
            "third removed": [0, 1, 3, 4, 5],
            "first removed": [1, 2, 3, 4, 5],
            "last removed": [0, 1, 2, 3, 4],
            "two swapped": [0, 2, 1, 3, 4, 5],
            "one repeated": [0, 1, 1, 2, 3, 4, 5],
            "all removed": [],
        }
        for name, order in orders.items():
            made[f"{state}, {name}"] = head + b"".join(pieces[number] for number in order)
        made[f"{state}, one of another recording"] = head + b"".join([*pieces[:2], foreign, *pieces[3:]])
        for cut in (1, 500, rows[-1].size - 1, rows[-1].size + 900):
            made[f"{state}, cut by {cut}"] = data[:-cut]
        for box in walk(Source.of_bytes(data), rows[-1].offset):
            made[f"{state}, {box.kind.decode()} cut out of the last"] = data[: box.offset] + data[box.end :]
        made[f"{state}, tail of zeros"] = data[:-700] + bytes(700)
        made[f"{state}, garbage behind"] = data + b"garbage" * 99
    return {name: {"segment-0001.mp4": data} for name, data in made.items()}


def _boxes() -> dict[str, Folder]:
    bench, other = new(), Bench(AUTHORITY.signer("REC-0002"))
    data, theirs = bench.sealed(), other.sealed()
    hidden, at = encode_box(b"free", bytes(3000)), bench.records[3].offset
    manifest_at = data.index(b"uuid") - 4
    return {
        "free box inside": {"segment-0001.mp4": data[:at] + hidden + data[at:]},
        "free box behind": folder(bench, data + hidden),
        "free box before moov": {
            "segment-0001.mp4": data[: manifest_at + 16384] + hidden + data[manifest_at + 16384 :]
        },
        "manifest of another device": {
            "segment-0001.mp4": patched(data, manifest_at, theirs[manifest_at : manifest_at + 16384])
        },
        "hidden in the padding": {"segment-0001.mp4": patched(data, data.find(bytes(2000)) + 500, b"hidden")},
    }


def _segments() -> dict[str, Folder]:
    bench = new()
    parts = [bench.sealed(Reason.CONTINUED), bench.sealed(Reason.CONTINUED), bench.sealed()]
    take = new()
    take.pass_time(1)
    take.sealed(Reason.CONTINUED)
    foreign = new(number=2)
    foreign.sealed(Reason.CONTINUED)
    whole = folder(bench, *parts)
    first = [{"segment-0001.mp4": parts[0], "segment-0002.mp4": data} for data in (take.sealed(), foreign.sealed())]
    made = {f"segment {number} removed": {**whole} for number in (1, 2, 3)}
    for number in (1, 2, 3):
        del made[f"segment {number} removed"][f"segment-000{number}.mp4"]
    return {
        **made,
        "another take": first[0],
        "segment of another recording": first[1],
        "segment twice": {**whole, "segment-0004.mp4": parts[1]},
        "one segment alone": {"segment-0002.mp4": parts[1]},
    }


def _sidecars() -> dict[str, Folder]:
    bench = new()
    whole = folder(bench, bench.sealed())
    journal = whole["journal.jsonl"].replace(b"ntp", b"gps")
    files = {"segment-0001.mp4": whole["segment-0001.mp4"], "journal.jsonl": journal}
    signature = whole["SHA256SUMS.p7s"]
    short = _listed({"journal.jsonl": whole["journal.jsonl"]}, bench.signer)
    return {
        "journal edited": {**whole, "journal.jsonl": journal},
        "journal edited and listed again by a stranger": _listed(files, STRANGERS.signer()),
        "journal edited and listed again by the device": _listed(files, bench.signer),
        "journal removed": {name: data for name, data in whole.items() if name != "journal.jsonl"},
        "sums edited": {**whole, "SHA256SUMS": whole["SHA256SUMS"].replace(b"a", b"b")},
        "sums without form": {**whole, "SHA256SUMS": b"nothing\n"},
        "sums not text": {**whole, "SHA256SUMS": b"\xff\n"},
        "sums signed by a stranger": _listed({**files, "journal.jsonl": whole["journal.jsonl"]}, STRANGERS.signer()),
        "sums signed by another device": folder(bench, whole["segment-0001.mp4"], signer=AUTHORITY.signer("REC-0002")),
        "signature of another list": {**whole, "SHA256SUMS.p7s": _listed(files, bench.signer)["SHA256SUMS.p7s"]},
        "segment not in the sums": {**whole, **short},
        "signature of nothing": {**whole, "SHA256SUMS.p7s": b""},
        "signature edited": {**whole, "SHA256SUMS.p7s": flipped(signature, len(signature) - 9)},
    }  # fmt: skip


def _signers() -> dict[str, Folder]:
    signers = {
        "of a stranger": STRANGERS.signer(),
        "of another device": AUTHORITY.signer("REC-0002"),
        "for TLS": AUTHORITY.signer(usage=[ExtendedKeyUsageOID.CLIENT_AUTH]),
        "out of date": AUTHORITY.signer(days=1),
        "with a critical unknown": AUTHORITY.signer(critical="1.3.6.1.4.1.99999.7"),
    }
    made = {f"certificate {name}": folder(bench := Bench(signer), bench.sealed()) for name, signer in signers.items()}
    for name in ("out of date", "with a critical unknown"):
        made[f"sums signed by one {name}"] = folder(bench := new(), bench.sealed(), signer=signers[name])
    bench = Bench(STRANGERS.signer())
    made["certificate of another device, no sidecars"] = {
        "segment-0001.mp4": Bench(signers["of another device"]).sealed()
    }
    return {**made, "stranger's and damaged": {"segment-0001.mp4": flipped(data := bench.sealed(), len(data) - 3)}}


def _forgeries() -> dict[str, Folder]:
    bench = new()
    data = bench.sealed()
    emsg = next(box for box in walk(Source.of_bytes(data), bench.records[2].offset) if box.kind == b"emsg")
    mirrored = P_256_ORDER - int.from_bytes(data[emsg.end - 32 : emsg.end])
    return {
        "signature mirrored": {"segment-0001.mp4": patched(data, emsg.end - 32, mirrored.to_bytes(32))},
        "signed lie about media": {"segment-0001.mp4": _lying()},
    }


def _lying() -> bytes:
    """The session key signs a journal entry that tells another hash of the media than they have."""
    bench = new()
    _, data = bench.live()
    hit = bench.records[-1]  # the chain goes on from no other entry, so that only the hash itself tells
    boxes = {box.kind: box.raw() for box in walk(Source.of_bytes(data[: hit.offset + hit.size]), hit.offset)}
    entry = replace(hit.entry, media=Digest("ab" * 32))
    noted = [journal.encode_entry_box(entry.encode()), boxes[b"moof"], boxes[b"mdat"]]
    found = examine(Source.of_bytes(data)).manifest
    assert found is not None
    emsg = vsi.sign_fragment(bench.session, found.label, entry.sequence, FRAGMENT_MS, 0, noted)
    return data[: hit.offset] + vsi.STYP + emsg + b"".join(noted) + data[hit.offset + hit.size :]


def _hostile() -> dict[str, Folder]:
    sealed = new().sealed()
    made = {
        "empty": b"",
        "zeros": bytes(4096),
        "size 0": b"\0\0\0\0ftyp" + bytes(100),
        "endless size": b"\0\0\0\1ftyp" + b"\xff" * 8 + bytes(100),
        "many boxes": b"\0\0\0\x08free" * 1000,
        "manifest of nothing": sealed[:28] + encode_user_box(C2PA_BOX, bytes(16384 - 24)) + sealed[16412:],
        "head only": sealed[:17000],
    }
    return {f"hostile: {name}": {"segment-0001.mp4": data} for name, data in made.items()}
