"""Attacks on the bytes of a recording, one test each: our verdict, and what c2pa-python and encypher-c2pa say.

Where the others accept, the test says so in its name: they follow a specification that leaves these bytes out
(`ftyp`, `mfra`, padding), or judge one file and neither time nor completeness.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.evidence import bmff, jumbf, manifest, vsi
from agent.evidence.bmff import Box, Source, encode_box, encode_user_box, walk
from agent.evidence.journal import FragmentMoment, JournalEntry, Reason, encode_entry_box, entry_bytes, parse_entry
from agent.evidence.recovery import examine, seal_recovered
from agent.evidence.report import Verdict
from agent.evidence.segment import Closing, SegmentEmitter
from agent.evidence.session import SessionKey
from tests.agent.evidence.agreement import Judges
from tests.agent.evidence.bench import Bench, flipped, make_authority, patched, private_key
from tests.agent.evidence.foreign import encypher_stream
from tests.support.media import FRAGMENT_MS

AUTHORITY = make_authority()
JUDGES = Judges(AUTHORITY)
BENCH = Bench(AUTHORITY.signer())
SEALED = BENCH.sealed()
CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"mvex", b"udta", b"moof", b"traf")


def _boxes(data: bytes, offset: int, end: int, above: str = "") -> Iterator[tuple[str, Box]]:
    """Every box, the nested ones too, by path."""
    for box in walk(Source(end, lambda at, length: data[at : min(at + length, end)]), offset):
        name = "journal" if box.is_user_type(bmff.JOURNAL_BOX) else "c2pa" if box.kind == b"uuid" else box.kind.decode()
        yield above + name, box
        if box.kind in CONTAINERS:
            yield from _boxes(data, box.offset + box.header, box.end, above + name + "/")


def _first_of_each() -> dict[str, Box]:
    found: dict[str, Box] = {}
    for path, box in _boxes(SEALED, 0, len(SEALED)):
        found.setdefault(path, box)
    return found


BOXES = _first_of_each()
PIECES = {f"{path} {part}": (box.end - 1 if part == "content" else box.offset + 6 if part == "type" else box.offset + 3)
          for path, box in BOXES.items() for part in ("content", "type", "size")}  # fmt: skip
FTYP_CONTENT = "ftyp content"


def test_the_list_of_boxes_is_complete() -> None:
    top = {path for path in BOXES if "/" not in path}
    assert top == {"ftyp", "c2pa", "moov", "styp", "emsg", "journal", "moof", "mdat"}
    assert len(BOXES) > 30


@pytest.mark.parametrize("piece", [piece for piece in PIECES if piece != FTYP_CONTENT])
def test_bit_flip_in_every_box_type_is_altered(piece: str) -> None:
    ours, c2pa, encypher = JUDGES.verdicts(flipped(SEALED, PIECES[piece]))
    assert (c2pa, encypher) == (False, False)
    # Without a readable beginning nothing says that the file ever was one of ours.
    assert ours is Verdict.ALTERED or (ours is Verdict.UNTRUSTED and piece.startswith("ftyp"))


def test_bit_flip_in_ftyp_is_altered_though_c2pa_leaves_ftyp_out() -> None:
    JUDGES.only_we_object(flipped(SEALED, PIECES[FTYP_CONTENT]), Verdict.ALTERED)


def _manifest_boxes() -> dict[str, int]:
    """Where each JUMBF box of the manifest ends, by label."""
    found: dict[str, int] = {}

    def note(box: jumbf.Superbox) -> None:
        name = "manifest" if box.label.startswith("urn:") else box.label  # its own label is another every time
        found[name] = SEALED.index(box.inner) + len(box.inner) - 1
        for child in box.children:
            note(child)

    store_at = bmff.HEADER + bmff.USER_TYPE + len(manifest.PREAMBLE)
    note(jumbf.parse_superbox(BOXES["c2pa"].payload()[store_at - bmff.HEADER :]))
    return found


MANIFEST_BOXES = _manifest_boxes()


@pytest.mark.parametrize("label", MANIFEST_BOXES)
def test_bit_flip_in_every_part_of_the_manifest_is_altered(label: str) -> None:
    JUDGES.all_refuse(flipped(SEALED, MANIFEST_BOXES[label]), Verdict.ALTERED)


def test_every_assertion_was_flipped() -> None:
    assert {"c2pa", "c2pa.assertions", "c2pa.claim.v2", "c2pa.signature", "c2pa.hash.bmff.v3", "c2pa.session-keys",
            "cn.liuhen.recording", "cn.liuhen.seal"} <= set(MANIFEST_BOXES)  # fmt: skip


def test_words_hidden_in_the_padding_are_altered_though_c2pa_does_not_look_there() -> None:
    at = SEALED.find(bytes(2000)) + 500
    JUDGES.only_we_object(patched(SEALED, at, b"hidden"), Verdict.ALTERED)


# Fragments.


def _piece(number: int, bench: Bench = BENCH, data: bytes = SEALED) -> bytes:
    record = bench.records[number - 1]
    return data[record.offset : record.offset + record.size]


def _of(*numbers: int) -> bytes:
    return SEALED[: BENCH.records[0].offset] + b"".join(_piece(number) for number in numbers)


def test_honest_recording_is_accepted_by_all() -> None:
    JUDGES.all_accept(SEALED)


@pytest.mark.parametrize("left", [(2, 3, 4, 5, 6), (1, 2, 4, 5, 6), (1, 4, 5, 6), (1, 6)])
def test_fragment_removed_is_missing(left: tuple[int, ...]) -> None:
    JUDGES.all_refuse(_of(*left), Verdict.MISSING)


@pytest.mark.parametrize("order", [(2, 1, 3, 4, 5, 6), (1, 2, 4, 3, 5, 6), (6, 5, 4, 3, 2, 1)])
def test_fragments_swapped_are_altered(order: tuple[int, ...]) -> None:
    JUDGES.all_refuse(_of(*order), Verdict.ALTERED)


@pytest.mark.parametrize("order", [(1, 2, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 6, 1), (1, 2, 3, 4, 5, 6, 6)])
def test_fragment_repeated_is_altered(order: tuple[int, ...]) -> None:
    JUDGES.all_refuse(_of(*order), Verdict.ALTERED)


def _other(**changes: object) -> tuple[Bench, bytes]:
    bench = Bench(AUTHORITY.signer(), **changes)  # type: ignore[arg-type]
    bench.pass_time(3_600_000)
    return bench, bench.sealed()


OTHERS: dict[str, dict[str, object]] = {
    "another recording, another session key": {"number": 2, "session": SessionKey(private_key("another session"))},
    "another recording, the same session key": {"number": 2},
    "another take of this recording": {},
}


@pytest.mark.parametrize("name", OTHERS)
def test_fragment_replaced_by_one_of_another_recording_is_altered(name: str) -> None:
    bench, data = _other(**OTHERS[name])
    at = BENCH.records[2]
    JUDGES.all_refuse(SEALED[: at.offset] + _piece(3, bench, data) + SEALED[at.offset + at.size :], Verdict.ALTERED)


def test_all_fragments_replaced_by_those_of_another_recording_are_altered() -> None:
    bench, data = _other(number=2)
    JUDGES.all_refuse(SEALED[: BENCH.records[0].offset] + data[bench.records[0].offset :], Verdict.ALTERED)


@pytest.mark.parametrize("fragments", range(6))
def test_tail_cut_at_a_fragment_is_missing(fragments: int) -> None:
    JUDGES.all_refuse(SEALED[: BENCH.records[fragments].offset], Verdict.MISSING)


@pytest.mark.parametrize("into", [1, 200, 900, -1])
def test_tail_cut_inside_a_fragment_is_missing(into: int) -> None:
    record = BENCH.records[4]
    end = record.offset + (into if into > 0 else record.size + into)
    JUDGES.all_refuse(SEALED[:end], Verdict.MISSING)


# The same while it is recorded: there is no seal, c2pa-python knows no live signatures, encypher-c2pa does.


def _live(*numbers: int) -> tuple[bytes, bytes, list[bytes]]:
    bench = Bench(AUTHORITY.signer())
    data = bench.live()[1]
    init = data[: bench.records[0].offset]
    pieces = [_piece(number, bench, data) for number in numbers]
    return init + b"".join(pieces), init, pieces


@pytest.mark.parametrize(
    ("order", "verdict"),
    [((1, 2, 4, 5), Verdict.MISSING), ((1, 3, 2, 4), Verdict.ALTERED), ((1, 2, 2, 3), Verdict.ALTERED)],
    ids=["removed", "swapped", "repeated"],
)
def test_unsealed_fragments_out_of_order_are_refused_live_too(order: tuple[int, ...], verdict: Verdict) -> None:
    data, init, pieces = _live(*order)
    assert JUDGES.report(data).verdict is verdict
    assert encypher_stream(init, pieces, AUTHORITY.root_pem) == "invalid"


def _a_minute_earlier(entry: JournalEntry) -> bytes:
    captured = replace(entry.moment.captured, wall=entry.moment.captured.wall - timedelta(minutes=1))
    return encode_entry_box(replace(entry, moment=replace(entry.moment, captured=captured)).encode())


@pytest.mark.parametrize("path", ["emsg", "journal", "moof", "mdat"])
def test_bit_flip_in_an_unsealed_fragment_is_refused_live_too(path: str) -> None:
    _, init, pieces = _live(1, 2, 3)
    box = dict(_boxes(pieces[1], 0, len(pieces[1])))[path]
    broken = flipped(pieces[1], box.end - 1)
    assert JUDGES.report(init + pieces[0] + broken + pieces[2]).verdict is Verdict.ALTERED
    assert encypher_stream(init, [pieces[0], broken, pieces[2]], AUTHORITY.root_pem) == "invalid"


@pytest.mark.parametrize("path", ["emsg", "journal", "moof", "mdat"])
def test_bit_flip_in_the_last_unsealed_fragment_counts_as_a_torn_tail(path: str) -> None:
    """No later link of the chain covers it: only its own signature does."""
    _, init, pieces = _live(1, 2, 3)
    box = dict(_boxes(pieces[2], 0, len(pieces[2])))[path]
    middle = (box.offset + 60 + box.end) // 2 if path == "journal" else box.end - 1
    broken = flipped(pieces[2], middle)
    report = JUDGES.report(init + pieces[0] + pieces[1] + broken)
    assert (report.verdict, report.fragments) == (Verdict.MISSING, 2)
    assert encypher_stream(init, [*pieces[:2], broken], AUTHORITY.root_pem) == "invalid"


def test_time_in_the_last_unsealed_journal_entry_edited_in_due_form_counts_as_a_torn_tail() -> None:
    _, init, pieces = _live(1, 2, 3)
    box = dict(_boxes(pieces[2], 0, len(pieces[2])))["journal"]
    entry = parse_entry(entry_bytes(pieces[2][box.offset : box.end]))
    edited = patched(pieces[2], box.offset, _a_minute_earlier(entry))
    report = JUDGES.report(init + pieces[0] + pieces[1] + edited)
    assert (report.verdict, report.fragments) == (Verdict.MISSING, 2)
    assert encypher_stream(init, [*pieces[:2], edited], AUTHORITY.root_pem) == "invalid"


def test_unsealed_tail_cut_at_a_fragment_is_only_unexplained_without_receipts_and_encypher_accepts_it() -> None:
    """Nothing in the file can show it; the heads at the centre do (test_account)."""
    data, init, pieces = _live(1, 2, 3)
    assert JUDGES.report(data).verdict is Verdict.UNEXPLAINED_GAP
    assert encypher_stream(init, pieces, AUTHORITY.root_pem) == "valid"


# Boxes put in.

HIDDEN = {
    "free": encode_box(b"free", bytes(1 << 20)),
    "skip": encode_box(b"skip", b"hidden"),
    "mdat": encode_box(b"mdat", b"another film"),
    "meta": encode_box(b"meta", bytes(40)),
    "foreign uuid": encode_user_box(bmff.JOURNAL_BOX, b"hidden"),
    "moov": SEALED[BOXES["moov"].offset : BOXES["moov"].end],
}


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("place", ["after the end", "between fragments", "before the fragments"])
def test_hidden_box_is_altered(name: str, place: str) -> None:
    records = BENCH.records
    at = {"after the end": len(SEALED), "between fragments": records[3].offset}.get(place, records[0].offset)
    JUDGES.all_refuse(SEALED[:at] + HIDDEN[name] + SEALED[at:], Verdict.ALTERED)


def test_hidden_mfra_is_altered_though_c2pa_leaves_mfra_out() -> None:
    JUDGES.only_we_object(SEALED + encode_box(b"mfra", b"hidden"), Verdict.ALTERED)


def test_box_before_everything_is_refused() -> None:
    assert JUDGES.verdicts(HIDDEN["skip"] + SEALED) == (Verdict.ALTERED, False, False)


def test_bytes_after_the_end_are_altered() -> None:
    JUDGES.all_refuse(SEALED + bytes(8), Verdict.ALTERED)
    JUDGES.all_refuse(SEALED + b"more than a box header", Verdict.ALTERED)


def test_too_few_bytes_for_a_box_after_the_end_are_altered_though_encypher_passes_over_them() -> None:
    assert JUDGES.verdicts(SEALED + b"\0") == (Verdict.ALTERED, False, True)


# The manifest.


def _box(data: bytes) -> tuple[int, bytes]:
    box = next(box for box in walk(Source.of_bytes(data)) if box.is_user_type(bmff.C2PA_BOX))
    return box.offset, data[box.offset : box.end]


def test_manifest_swapped_with_another_devices_is_altered() -> None:
    other = Bench(AUTHORITY.signer("REC-0002"))
    other.pass_time(1)
    at, _ = _box(SEALED)
    JUDGES.all_refuse(patched(SEALED, at, _box(other.sealed())[1]), Verdict.ALTERED)


def test_manifest_swapped_with_another_recordings_is_altered() -> None:
    at, _ = _box(SEALED)
    JUDGES.all_refuse(patched(SEALED, at, _box(_other(number=2)[1])[1]), Verdict.ALTERED)


def test_manifest_taken_out_is_refused() -> None:
    at, box = _box(SEALED)
    assert JUDGES.verdicts(SEALED[:at] + SEALED[at + len(box) :]) == (Verdict.ALTERED, False, False)
    assert JUDGES.verdicts(patched(SEALED, at, encode_box(b"free", bytes(len(box) - 8)))) == (
        Verdict.ALTERED, False, False,
    )  # fmt: skip


def test_second_manifest_is_altered() -> None:
    at, box = _box(SEALED)
    for data in (SEALED[:at] + box + SEALED[at:], SEALED + box):
        assert JUDGES.report(data).verdict is Verdict.ALTERED


def test_seal_taken_back_to_the_live_manifest_is_unexplained_and_refused_by_the_others() -> None:
    bench = Bench(AUTHORITY.signer())
    emitter, live = bench.live()
    emitter.seal(Closing(bench.now, Reason.STOPPED))
    JUDGES.all_refuse(live, Verdict.UNEXPLAINED_GAP)


# The journal.


def test_journal_edited_in_place_is_altered() -> None:
    """The captured time of the first fragment, one minute earlier."""
    box = BOXES["journal"]
    entry = parse_entry(entry_bytes(box.raw()))
    edited = _a_minute_earlier(entry)
    assert len(edited) == box.size
    JUDGES.all_refuse(patched(SEALED, box.offset, edited), Verdict.ALTERED)


def test_journal_edited_and_signed_with_another_session_key_is_altered() -> None:
    """The attacker moves every fragment by an hour, chains and signs anew, but has no certified session key."""
    forger = Bench(AUTHORITY.signer())
    forger.session = SessionKey(private_key("a forger's session"))
    forger.pass_time(3_600_000)
    forged = forger.sealed()
    data = SEALED[: BENCH.records[0].offset] + forged[forger.records[0].offset :]
    JUDGES.all_refuse(data, Verdict.ALTERED)


def test_journal_rechained_under_a_stolen_session_key_breaks_on_the_seal() -> None:
    """Even with the session key of this very recording the device's seal over the whole file is missing."""
    found = examine(Source.of_bytes(SEALED))
    assert found.manifest is not None
    assert found.manifest.seal is not None
    live, number, at = found.manifest.seal.live_manifest, 6, BENCH.records[5]
    changed = replace(at.entry, moment=replace(at.entry.moment, duration_ms=499))
    box = encode_entry_box(changed.encode())
    media = SEALED[at.media_offset : at.media_offset + at.media_size]
    moof, mdat = (media[it.offset : it.end] for it in walk(Source.of_bytes(media)))
    emsg = vsi.sign_fragment(BENCH.session, live, number, 499, 0, [box, moof, mdat])
    data = SEALED[: at.offset] + vsi.STYP + emsg + box + moof + mdat
    report = JUDGES.report(data)
    assert (report.fragments, report.verdict) == (6, Verdict.ALTERED)
    JUDGES.all_refuse(data, Verdict.ALTERED)


# Honest mishaps on which all agree.


def test_recovered_recording_is_accepted_by_all() -> None:
    bench = Bench(AUTHORITY.signer())
    data = bench.live()[1][:-200]
    found = examine(Source.of_bytes(data))
    patch = seal_recovered(found, bench.signer, bench.now)
    JUDGES.all_accept(patched(data[: found.intact_bytes], patch.offset, patch.data), Verdict.EXPLAINED_GAP)


def test_recovery_over_interior_damage_is_altered_though_the_seal_makes_it_whole_for_the_others() -> None:
    """The device seals what it found and says what is damaged in it: only we read that."""
    bench = Bench(AUTHORITY.signer())
    data = bench.live()[1]
    data = flipped(data, bench.records[1].media_offset + 2000)
    patch = seal_recovered(examine(Source.of_bytes(data)), bench.signer, bench.now)
    JUDGES.only_we_object(patched(data, patch.offset, patch.data), Verdict.ALTERED)


def test_hole_in_time_is_unexplained_though_the_others_do_not_judge_time() -> None:
    bench = Bench(AUTHORITY.signer())
    emitter = SegmentEmitter(bench.origin(), bench.signer, bench.session)
    data = emitter.opening(bench.media.init)
    for media in bench.media.fragments:
        captured = bench.now
        bench.pass_time(FRAGMENT_MS)
        data += emitter.fragment(media, FragmentMoment(captured, FRAGMENT_MS, bench.now)).data
        bench.pass_time(1500)
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    JUDGES.only_we_object(patched(data, patch.offset, patch.data), Verdict.UNEXPLAINED_GAP)
