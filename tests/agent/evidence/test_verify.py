"""What liuhen-verify's judgement says of honest recordings, honest mishaps and attacks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.evidence import bmff
from agent.evidence.bmff import Source, encode_box, walk
from agent.evidence.journal import GAP_CLOSED, GAP_OPENED, FragmentMoment, JournalEvent, Reason
from agent.evidence.reasons import EXPLANATION, Explained
from agent.evidence.recovery import examine, seal_recovered
from agent.evidence.report import Place, Report, Status, Verdict
from agent.evidence.segment import Closing, SegmentEmitter
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from agent.wire.instant import TimeState
from tests.agent.evidence.bench import NOW, Authority, Bench, flipped, make_authority, patched
from tests.support.media import FRAGMENT_MS

NO_SIDECARS = Sidecars()


def _files(*segments: bytes) -> list[SegmentFile]:
    return [
        SegmentFile(f"segment-{number:04d}.mp4", Source.of_bytes(data)) for number, data in enumerate(segments, start=1)
    ]


def _report(authority: Authority, *segments: bytes) -> Report:
    return verify_recording(_files(*segments), [authority.root], NOW, NO_SIDECARS)


def _only_place(report: Report) -> Place:
    assert len(report.places) == 1, report.places
    return report.places[0]


def test_one_sealed_segment_is_complete(authority: Authority, bench: Bench) -> None:
    report = _report(authority, bench.sealed())
    assert report.verdict is Verdict.COMPLETE
    assert (report.device, report.recording) == ("REC-0001", "REC-0001-R000001")
    assert (report.segments, report.fragments, report.duration_s) == (1, 6, 3.0)
    assert report.places == ()
    assert report.duty.status is Status.NOT_JUDGED
    assert "不证明画面内容属实" in report.as_json()["statement"]


def test_three_segments_are_complete_in_any_order_of_files(authority: Authority, bench: Bench) -> None:
    first, second = bench.sealed(Reason.CONTINUED), bench.sealed(Reason.CONTINUED)
    third = bench.sealed()
    assert _report(authority, third, first, second).verdict is Verdict.COMPLETE


@pytest.mark.parametrize("kind", ["mdat", "moof", "journal", "signature", "structure"])
def test_flipped_bit_names_fragment_time_and_box(authority: Authority, bench: Bench, kind: str) -> None:
    data, hit = bench.sealed(), bench.records[3]
    boxes = {box.kind: box for box in bmff.walk(Source.of_bytes(data[: hit.offset + hit.size]), hit.offset)}
    box = boxes[
        {"mdat": b"mdat", "moof": b"moof", "journal": b"uuid", "signature": b"emsg", "structure": b"styp"}[kind]
    ]
    for offset in (box.end - 1, box.offset + 3, box.offset + 5):
        report = _report(authority, flipped(data, offset))
        assert report.verdict is Verdict.ALTERED
        place = _only_place(report)
        assert (place.segment, place.sequence) == (1, 4)
        assert place.kind == kind
        assert place.captured is not None
        assert place.captured.wall == hit.entry.moment.captured.wall


def test_last_fragment_damaged_is_altered_and_not_cut(authority: Authority, bench: Bench) -> None:
    data = bench.sealed()
    place = _only_place(report := _report(authority, flipped(data, len(data) - 3)))
    assert (report.verdict, place.kind, place.sequence) == (Verdict.ALTERED, "mdat", 6)


def test_every_byte_of_a_sealed_file_counts(authority: Authority, bench: Bench) -> None:
    bench.media = replace(bench.media, fragments=bench.media.fragments[:2])
    data = bench.sealed()
    padding = data.find(bytes(1000))
    edges = {*range(0, 400, 3), *range(padding - 1500, padding + 2000, 31), *range(16380, 18500, 3), len(data) - 1}
    for offset in sorted(edges):
        assert _report(authority, flipped(data, offset)).verdict not in (Verdict.COMPLETE, Verdict.EXPLAINED_GAP), (
            offset
        )


@pytest.mark.parametrize("kind", ["moov", "ftyp"])
def test_damaged_head_is_named(authority: Authority, bench: Bench, kind: str) -> None:
    data = bench.sealed()
    box = next(box for box in bmff.walk(Source.of_bytes(data)) if box.kind == kind.encode())
    report = _report(authority, flipped(data, box.end - 2))
    assert (report.verdict, _only_place(report).kind) == (Verdict.ALTERED, kind)


def test_damaged_manifest_is_named(authority: Authority, bench: Bench) -> None:
    report = _report(authority, flipped(bench.sealed(), 900))
    assert (report.verdict, _only_place(report).kind) == (Verdict.ALTERED, "manifest")


def _without(data: bytes, bench: Bench, *numbers: int) -> bytes:
    for number in sorted(numbers, reverse=True):
        record = bench.records[number - 1]
        data = data[: record.offset] + data[record.offset + record.size :]
    return data


def _piece(data: bytes, bench: Bench, number: int) -> bytes:
    record = bench.records[number - 1]
    return data[record.offset : record.offset + record.size]


@pytest.mark.parametrize("state", ["sealed", "live"])
@pytest.mark.parametrize(("gone", "first", "count"), [((3,), 3, 1), ((2, 3), 2, 2), ((1,), 1, 1)])
def test_removed_fragments_are_missing(
    authority: Authority, bench: Bench, state: str, gone: tuple[int, ...], first: int, count: int
) -> None:
    data = bench.sealed() if state == "sealed" else bench.live()[1]
    report = _report(authority, _without(data, bench, *gone))
    place = _only_place(report)
    assert (report.verdict, place.kind, place.sequence, place.count) == (Verdict.MISSING, "missing", first, count)
    assert place.captured is not None
    assert place.captured.wall == bench.records[first - 1].entry.moment.captured.wall


def test_sealed_file_cut_at_a_fragment_or_inside_one_is_missing_its_end(authority: Authority, bench: Bench) -> None:
    data = bench.sealed()
    for end in (bench.records[4].offset, bench.records[4].offset + 100, bench.records[4].media_offset + 900):
        report = _report(authority, data[:end])
        place = _only_place(report)
        assert (report.verdict, place.sequence, place.count) == (Verdict.MISSING, 5, 2), end


@pytest.mark.parametrize("gone", [b"emsg", b"uuid", b"moof"])
def test_box_cut_out_of_the_last_fragment_is_no_cut_tail(authority: Authority, bench: Bench, gone: bytes) -> None:
    data = bench.sealed()
    box = next(it for it in walk(Source.of_bytes(data), bench.records[-1].offset) if it.kind == gone)
    report = _report(authority, data[: box.offset] + data[box.end :])
    assert (report.verdict, _only_place(report).offset) == (Verdict.ALTERED, bench.records[-1].offset)


def test_swapped_fragments_are_altered(authority: Authority, bench: Bench) -> None:
    data = bench.sealed()
    head, tail = data[: bench.records[1].offset], data[bench.records[3].offset :]
    swapped = head + _piece(data, bench, 3) + _piece(data, bench, 2) + tail
    report = _report(authority, swapped)
    assert (report.verdict, _only_place(report).kind) == (Verdict.ALTERED, "swapped")
    assert _only_place(report).sequence == 2


def test_repeated_fragment_is_altered(authority: Authority, bench: Bench) -> None:
    data = bench.sealed()
    at = bench.records[2].offset
    report = _report(authority, data[:at] + _piece(data, bench, 2) + data[at:])
    place = _only_place(report)
    assert (report.verdict, place.kind, place.sequence) == (Verdict.ALTERED, "duplicated", 2)


@pytest.mark.parametrize("state", ["sealed", "live"])
@pytest.mark.parametrize("at", [3, None], ids=["between fragments", "at the end"])
def test_foreign_box_is_named_as_appended(authority: Authority, bench: Bench, state: str, at: int | None) -> None:
    data = bench.sealed() if state == "sealed" else bench.live()[1]
    place_at = len(data) if at is None else bench.records[at].offset
    report = _report(authority, data[:place_at] + encode_box(b"free", bytes(3000)) + data[place_at:])
    if state == "live" and at is None:
        assert report.verdict is Verdict.MISSING  # indistinguishable from a torn tail
    else:
        assert (report.verdict, _only_place(report).kind) == (Verdict.ALTERED, "appended")


def test_unsealed_segment_is_an_unexplained_gap(authority: Authority, bench: Bench) -> None:
    report = _report(authority, bench.live()[1])
    assert (report.verdict, report.fragments) == (Verdict.UNEXPLAINED_GAP, 6)
    assert "未封存" in report.completeness.lines[0]


def test_unsealed_cut_tail_is_missing(authority: Authority, bench: Bench) -> None:
    data = bench.live()[1]
    report = _report(authority, data[:-200])
    place = _only_place(report)
    assert (report.verdict, place.kind, place.sequence) == (Verdict.MISSING, "missing", 6)


def test_sealed_file_rolled_back_to_its_live_head_is_not_complete(authority: Authority, bench: Bench) -> None:
    emitter, live = bench.live()
    emitter.seal(Closing(bench.now, Reason.STOPPED))
    assert _report(authority, live[: bench.records[4].offset]).verdict is Verdict.UNEXPLAINED_GAP


def test_recovered_segment_is_an_explained_gap(authority: Authority, bench: Bench) -> None:
    data = bench.live()[1][:-200]
    found = examine(Source.of_bytes(data))
    patch = seal_recovered(found, bench.signer, bench.now)
    report = _report(authority, patched(data[: found.intact_bytes], patch.offset, patch.data))
    assert (report.verdict, report.recovered, report.fragments) == (Verdict.EXPLAINED_GAP, True, 5)


def test_recovery_does_not_launder_interior_damage(authority: Authority, bench: Bench) -> None:
    data = flipped(bench.live()[1], bench.records[1].media_offset + 2000)
    found = examine(Source.of_bytes(data))
    patch = seal_recovered(found, bench.signer, bench.now)
    report = _report(authority, patched(data, patch.offset, patch.data))
    assert report.verdict is Verdict.ALTERED
    assert _only_place(report).sequence == 2


def _with_hole(bench: Bench, hole_ms: int, *events: JournalEvent) -> bytes:
    emitter = SegmentEmitter(bench.origin(), bench.signer, bench.session)
    data = emitter.opening(bench.media.init)
    for number, media in enumerate(bench.media.fragments):
        if number == 3:
            bench.pass_time(hole_ms)
        captured = bench.now
        bench.pass_time(FRAGMENT_MS)
        told = events if number == 3 else ()
        data += emitter.fragment(media, FragmentMoment(captured, FRAGMENT_MS, bench.now, told)).data
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    return patched(data, patch.offset, patch.data)


def test_hole_in_time_without_a_word_is_unexplained(authority: Authority, bench: Bench) -> None:
    report = _report(authority, _with_hole(bench, 1500))
    place = _only_place(report)
    assert (report.verdict, place.kind, place.sequence) == (Verdict.UNEXPLAINED_GAP, "time-hole", 3)
    assert _report(authority, _with_hole(Bench(bench.signer), 900)).verdict is Verdict.COMPLETE


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [(Reason.FRAMES_DROPPED, Verdict.EXPLAINED_GAP), (Reason.CAMERA_LOST, Verdict.UNEXPLAINED_GAP)],
)
def test_hole_in_time_with_a_signed_reason_is_explained_where_the_rule_asks_for_no_more(
    authority: Authority, bench: Bench, reason: Reason, verdict: Verdict
) -> None:
    later = replace(bench.now, monotonic_ns=bench.now.monotonic_ns + 6_500_000_000)
    opened = JournalEvent(GAP_OPENED, bench.now, reason, "usb")
    report = _report(authority, _with_hole(bench, 5000, opened, JournalEvent(GAP_CLOSED, later, reason)))
    assert report.verdict is verdict
    assert "（usb）" in report.completeness.lines[0]


@pytest.mark.parametrize("reason", Reason)
def test_end_of_a_recording_is_judged_by_the_one_table(authority: Authority, bench: Bench, reason: Reason) -> None:
    if reason is Reason.CONTINUED:
        pytest.skip("says that another segment follows: test_removed_segments_are_missing")
    expected = {
        Explained.NO_INTERRUPTION: Verdict.COMPLETE,
        Explained.BY_DEVICE: Verdict.EXPLAINED_GAP,
        Explained.BY_PERSON: Verdict.UNEXPLAINED_GAP,
    }
    assert _report(authority, bench.sealed(reason)).verdict is expected[EXPLANATION[reason]]


def test_fragment_signed_but_never_stored_is_missing_between_segments(authority: Authority, bench: Bench) -> None:
    """The disk failed on the last fragment of segment 1, which was recovered later; segment 2 follows its head."""
    data = bench.live()[1]
    found = examine(Source.of_bytes(data[: bench.records[-1].offset]))
    patch = seal_recovered(found, bench.signer, bench.now)
    first = patched(data[: found.intact_bytes], patch.offset, patch.data)
    report = _report(authority, first, bench.sealed())
    place = _only_place(report)
    assert (report.verdict, place.segment, place.sequence, place.count) == (Verdict.MISSING, 1, 6, 1)


def test_missing_segments_are_named(authority: Authority, bench: Bench) -> None:
    first, second = bench.sealed(Reason.CONTINUED), bench.sealed(Reason.CONTINUED)
    third = bench.sealed()
    for given, number in (((first, third), 2), ((second, third), 1), ((first, second), 3)):
        report = _report(authority, *given)
        place = _only_place(report)
        assert (report.verdict, place.kind, place.segment) == (Verdict.MISSING, "missing", number)


def test_single_file_is_judged_for_itself(authority: Authority, bench: Bench) -> None:
    bench.sealed(Reason.CONTINUED)
    report = verify_recording(_files(bench.sealed(Reason.CONTINUED)), [authority.root], NOW)
    assert report.verdict is Verdict.COMPLETE
    assert "不判断录制的其他分段" in report.completeness.lines[-1]


def test_segment_of_another_recording_is_altered(authority: Authority, bench: Bench) -> None:
    other = Bench(bench.signer, number=2)
    other.sealed(Reason.CONTINUED)
    assert _report(authority, bench.sealed(Reason.CONTINUED), other.sealed()).verdict is Verdict.ALTERED


def test_segment_replaced_by_another_take_of_the_same_number_is_altered(authority: Authority, bench: Bench) -> None:
    first = bench.sealed(Reason.CONTINUED)
    take = Bench(bench.signer)
    take.pass_time(1)
    take.sealed(Reason.CONTINUED)
    report = _report(authority, first, take.sealed())
    assert (report.verdict, _only_place(report).kind) == (Verdict.ALTERED, "swapped")


def test_intact_recording_of_a_stranger_is_untrusted(bench: Bench) -> None:
    report = _report(make_authority("beidou"), bench.sealed())
    assert (report.verdict, report.trust.status) == (Verdict.UNTRUSTED, Status.FAILED)
    assert report.integrity.status is Status.PASSED


def test_damage_is_altered_even_from_a_stranger(bench: Bench) -> None:
    data = bench.sealed()
    assert _report(make_authority("beidou"), flipped(data, len(data) - 3)).verdict is Verdict.ALTERED


def test_no_root_at_all_is_untrusted(bench: Bench) -> None:
    assert verify_recording(_files(bench.sealed()), [], NOW).verdict is Verdict.UNTRUSTED


@pytest.mark.parametrize(
    "make",
    [
        lambda authority: authority.signer("REC-0002"),
        lambda authority: authority.signer(usage=[ExtendedKeyUsageOID.CLIENT_AUTH]),
        lambda authority: authority.signer(days=1),
    ],
    ids=["another device", "TLS certificate", "expired when signing"],
)
def test_wrong_certificate_of_the_right_district_is_untrusted(
    authority: Authority, bench: Bench, make: Callable[[Authority], object]
) -> None:
    bench.signer = make(authority)  # type: ignore[assignment]
    assert _report(authority, bench.sealed()).verdict is Verdict.UNTRUSTED


def test_unset_clock_is_told_and_not_punished(authority: Authority, bench: Bench) -> None:
    epoch = bench.now.wall.replace(year=1970)
    bench.now = replace(bench.now, wall=epoch, state=TimeState.UNSET, error_ms=None)
    report = _report(authority, bench.sealed())
    assert report.verdict is Verdict.COMPLETE
    assert any("时钟当时未校准" in line for line in report.time.lines)
    later = verify_recording(_files(bench.sealed()), [authority.root], NOW + timedelta(days=20_000), NO_SIDECARS)
    assert later.verdict is Verdict.UNTRUSTED


def test_clock_that_jumped_is_told(authority: Authority, bench: Bench) -> None:
    emitter = SegmentEmitter(bench.origin(), bench.signer, bench.session)
    data = emitter.opening(bench.media.init)
    for media in bench.media.fragments[:2]:
        captured = bench.now
        bench.pass_time(FRAGMENT_MS)
        data += emitter.fragment(media, FragmentMoment(captured, FRAGMENT_MS, bench.now)).data
        bench.now = replace(bench.now, wall=bench.now.wall + timedelta(hours=1))
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED))
    report = _report(authority, patched(data, patch.offset, patch.data))
    assert report.verdict is Verdict.COMPLETE
    assert any("跳变 1 次" in line for line in report.time.lines)


def test_empty_folder_is_missing(authority: Authority) -> None:
    assert _report(authority).verdict is Verdict.MISSING
