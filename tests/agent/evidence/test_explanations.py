"""What explains an interruption: spoken words later in the recording, or a signed note; and what does not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.adapters.gap_log import MAX_PENDING, GapLog
from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.grounds import Grounds
from agent.evidence.interruptions import judged_interruptions
from agent.evidence.journal import (
    EXPLANATION,
    GAP_CLOSED,
    GAP_OPENED,
    MUTE_OFF,
    MUTE_ON,
    FragmentMoment,
    JournalEvent,
    Reason,
)
from agent.evidence.manifest import RESERVED_BYTES
from agent.evidence.reasons import Cause
from agent.evidence.report import Report, Verdict
from agent.evidence.segment import Closing, SegmentEmitter, SegmentOrigin
from agent.evidence.verify import SegmentFile, Sidecars, examine_files, verify_recording
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import recording_id
from agent.wire.notes import MAX_NOTES, RecordingNote, note_digest, note_name, open_note, seal_note
from tests.agent.evidence.bench import DEVICE, NOW, Authority, Bench, flipped, make_authority
from tests.agent.evidence.telling import Centre
from tests.support.media import FRAGMENT_MS

AUTHOR = "示例-000001"
Events = dict[int, tuple[JournalEvent, ...]]


def report(authority: Authority, data: bytes, notes: Mapping[str, bytes] | None = None) -> Report:
    files = [SegmentFile("segment-0001.mp4", Source.of_bytes(data))]
    return verify_recording(files, [authority.root], NOW, Sidecars(notes=notes or {}))


def gap(bench: Bench, reason: Reason = Reason.CAMERA_LOST) -> tuple[JournalEvent, ...]:
    return (JournalEvent(GAP_OPENED, bench.now, reason), JournalEvent(GAP_CLOSED, bench.now, reason))


def spoken(bench: Bench, first: int, last: int, cause: str = "") -> tuple[JournalEvent, ...]:
    return (JournalEvent(EXPLANATION, bench.now, None, cause, (first, last)),)


def note(bench: Bench, **changes: object) -> RecordingNote:
    made = RecordingNote(
        recording_id(DEVICE, 1), 1, 1, 6, Cause.EQUIPMENT_FAILURE.value, "存储卡松动，已重新插好。", AUTHOR, DEVICE,
        NOW + timedelta(days=1), bench.head, GENESIS,
    )  # fmt: skip
    return replace(made, **changes)


def sealed_notes(bench: Bench, *notes: RecordingNote) -> dict[str, bytes]:
    return {note_name(entry.number): seal_note(entry, bench.signer) for entry in notes}


def test_words_spoken_after_the_gap_explain_it(authority: Authority, bench: Bench) -> None:
    found = report(authority, bench.sealed(events={1: gap(bench), 4: spoken(bench, 3, 5, "secrecy")}))
    assert found.verdict is Verdict.EXPLAINED_GAP
    assert "第 3 至 5 片段有口头说明（涉密/商业秘密/个人隐私）" in found.completeness.lines[0]


@pytest.mark.parametrize("told", ["at once", "aloud", "in a note", "never"])
@pytest.mark.parametrize("cause", [Cause.PLACE_CHANGED.value, "site｜检查场所变化"])
def test_the_cause_that_an_officer_gave_is_not_lost_behind_the_devices_reason(
    bench: Bench, told: str, cause: str
) -> None:
    """A case's facts carry both: 人为暂停 by the device, 检查场所变化 by the officer."""
    paused = JournalEvent(GAP_OPENED, bench.now, Reason.PAUSED, cause if told == "at once" else "")
    events = {1: (paused,), **({4: spoken(bench, 3, 5, cause)} if told == "aloud" else {})}
    found = examine_files([SegmentFile("segment-0001.mp4", Source.of_bytes(bench.sealed(events=events)))])
    notes = [note(bench, cause=cause)] if told == "in a note" else []
    ((_, explained, words),) = judged_interruptions(found, notes)
    assert words == ("人为暂停" if told == "never" else "人为暂停（检查场所变化）")
    assert explained is (told in ("aloud", "in a note"))


def test_words_spoken_before_the_gap_do_not_explain_it(authority: Authority, bench: Bench) -> None:
    found = report(authority, bench.sealed(events={1: spoken(bench, 1, 2), 4: gap(bench)}))
    assert found.verdict is Verdict.UNEXPLAINED_GAP
    assert "均未见到" in found.completeness.lines[0]


def test_mute_asks_for_words_and_they_must_be_audible(authority: Authority, bench: Bench) -> None:
    on, off = (JournalEvent(kind, bench.now, Reason.MUTED) for kind in (MUTE_ON, MUTE_OFF))
    silent = {0: (on,), 3: spoken(bench, 3, 4)}
    assert report(authority, bench.sealed(events=silent)).verdict is Verdict.UNEXPLAINED_GAP
    heard = {0: (on,), 2: (off,), 4: spoken(bench, 4, 5)}
    assert report(authority, Bench(bench.signer).sealed(events=heard)).verdict is Verdict.EXPLAINED_GAP


def test_words_in_a_recording_without_sound_explain_nothing(authority: Authority) -> None:
    class Deaf(Bench):
        def origin(self) -> SegmentOrigin:
            made = super().origin()
            return replace(made, context={**made.context, "sound": False})

    bench = Deaf(authority.signer())
    found = report(authority, bench.sealed(events={1: gap(bench), 4: spoken(bench, 3, 5)}))
    assert found.verdict is Verdict.UNEXPLAINED_GAP


@pytest.mark.parametrize("reason", [Reason.FRAMES_DROPPED, Reason.DEVICE_RESTART])
def test_the_device_alone_explains_what_nobody_may_have_noticed(
    authority: Authority, bench: Bench, reason: Reason
) -> None:
    assert report(authority, bench.sealed(events={1: gap(bench, reason)})).verdict is Verdict.EXPLAINED_GAP


def test_note_explains_the_gap_in_its_range_and_is_read_out(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    found = report(authority, data, sealed_notes(bench, note(bench, first=2, last=3)))
    assert found.verdict is Verdict.EXPLAINED_GAP
    assert f"{AUTHOR} 于 2026-11-23 补充说明（设备故障）" in found.completeness.lines[0]
    assert any("存储卡松动" in line for line in found.completeness.lines)


def test_note_about_another_stretch_explains_nothing(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    assert report(authority, data, sealed_notes(bench, note(bench, first=5))).verdict is Verdict.UNEXPLAINED_GAP


def test_note_beside_a_whole_recording_leaves_it_complete(authority: Authority, bench: Bench) -> None:
    assert report(authority, bench.sealed(), sealed_notes(bench, note(bench))).verdict is Verdict.COMPLETE


def test_altered_note_is_told_and_explains_nothing(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    sealed = sealed_notes(bench, note(bench))["0001.dsse"]
    found = report(authority, data, {"0001.dsse": flipped(sealed, 40)})
    assert found.verdict is Verdict.ALTERED
    assert [(place.file, place.kind) for place in found.places] == [("notes/0001.dsse", "note")]
    assert any("均未见到" in line for line in found.completeness.lines)


def test_note_of_another_recording_or_of_other_bytes_is_refused(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    for wrong in (note(bench, recording=recording_id(DEVICE, 2)), note(bench, head=GENESIS)):
        assert report(authority, data, sealed_notes(bench, wrong)).verdict is Verdict.ALTERED


def test_note_by_another_device_of_the_district_is_not_believed(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    stranger = {"0001.dsse": seal_note(note(bench), authority.signer("REC-0002"))}
    assert report(authority, data, stranger).verdict is Verdict.UNTRUSTED


@pytest.mark.parametrize(("days", "told"), [(32, Verdict.UNTRUSTED), (1, Verdict.EXPLAINED_GAP)])
def test_note_written_after_its_key_was_revoked_explains_nothing(
    authority: Authority, bench: Bench, days: int, told: Verdict
) -> None:
    data, written = bench.sealed(events={1: gap(bench)}), NOW + timedelta(days=days)
    beside = Sidecars(notes=sealed_notes(bench, note(bench, first=2, last=3, written=written)))
    trust = Centre(authority, revoked_at=NOW + timedelta(days=2)).trust
    files = [SegmentFile("segment-0001.mp4", Source.of_bytes(data))]
    found = verify_recording(files, [authority.root], NOW + timedelta(days=60), beside, grounds=Grounds(trust))
    assert found.verdict is told
    explained = not any("均未见到" in line for line in found.completeness.lines)
    assert explained is (told is Verdict.EXPLAINED_GAP)


def test_note_written_when_its_certificate_was_over_explains_nothing(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    assert report(authority, data, sealed_notes(bench, note(bench))).verdict is Verdict.EXPLAINED_GAP
    late = note(bench, written=NOW + timedelta(days=20_000))
    assert report(authority, data, sealed_notes(bench, late)).verdict is not Verdict.EXPLAINED_GAP


def test_note_signed_under_another_root_is_not_believed(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    foreign = {"0001.dsse": seal_note(note(bench), make_authority("beidou").signer())}
    assert report(authority, data, foreign).verdict is Verdict.UNTRUSTED


def test_note_removed_from_between_others_is_missed(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    first = seal_note(note(bench), bench.signer)
    second = seal_note(note(bench, number=2, previous=note_digest(first)), bench.signer)
    assert report(authority, data, {"0001.dsse": first, "0002.dsse": second}).verdict is Verdict.EXPLAINED_GAP
    assert report(authority, data, {"0002.dsse": second}).verdict is Verdict.MISSING
    assert report(authority, data, {"0001.dsse": second}).verdict is Verdict.MISSING


def test_more_notes_than_a_device_writes_are_not_passed_over_in_silence(authority: Authority, bench: Bench) -> None:
    data = bench.sealed()
    files = {note_name(number): b"%d" % number for number in range(1, MAX_NOTES + 1)}
    assert not any("多于" in line for line in report(authority, data, files).integrity.lines)
    files[note_name(MAX_NOTES + 1)] = seal_note(note(bench), bench.signer)
    lines = report(authority, data, files).integrity.lines
    assert any(line.startswith("notes/1000.dsse：补充说明多于 999 份") for line in lines)


def test_damaged_recording_is_not_blamed_on_its_note(authority: Authority, bench: Bench) -> None:
    data = bench.sealed(events={1: gap(bench)})
    found = report(authority, flipped(data, bench.records[-1].offset - 9), sealed_notes(bench, note(bench)))
    assert [place.file for place in found.places] == ["segment-0001.mp4"]


def test_note_carries_exactly_one_signature_of_its_own_certificate(authority: Authority, bench: Bench) -> None:
    bench.sealed()
    assert open_note(seal_note(note(bench), bench.signer)).note == note(bench)
    with pytest.raises(SenderFault, match="不是由所附证书"):
        open_note(_signed_by(authority.signer("REC-0002"), note(bench), bench.signer.chain))


def _signed_by(signer, told: RecordingNote, chain: Sequence[bytes]) -> bytes:
    from agent.wire.envelope import seal
    from agent.wire.notes import NOTE_TYPE

    return seal(NOTE_TYPE, told.encode(chain), [signer])


def test_note_out_of_limits_is_not_written(bench: Bench) -> None:
    for wrong in ({"text": ""}, {"text": "长" * 2001}, {"first": 3, "last": 2}, {"number": 1000}):
        with pytest.raises(ValueError, match="limits"):
            note(bench, **wrong).encode(bench.signer.chain)


def test_interruptions_that_found_no_room_in_the_seal_are_told_and_never_complete(
    authority: Authority, bench: Bench
) -> None:
    """By-device reasons alone would be explained; that some are known by number only is not."""
    emitter, live = bench.live()
    dropped = tuple(JournalEvent(GAP_OPENED, bench.now, Reason.FRAMES_DROPPED, f"{n} packets") for n in range(20))
    patch = emitter.seal(Closing(bench.now, Reason.STOPPED, gaps=dropped))
    found = report(authority, live[: patch.offset] + patch.data + live[patch.offset + len(patch.data) :])
    assert found.verdict is Verdict.UNEXPLAINED_GAP
    assert "封存时有 20 条中断记录，只写得下 16 条" in found.completeness.lines[0]
    assert any("+5 more" in line for line in found.completeness.lines)


def test_full_seal_with_the_longest_notes_and_context_fits_its_reserved_box(bench: Bench) -> None:
    bench.unit = "星河区综合行政执法局第一执法大队"
    context = {"version": "0.1.0", **{f"k{n}": "x" * 100 for n in range(17)}}
    origin = replace(bench.origin(), context=context)
    emitter = SegmentEmitter(origin, bench.signer, bench.session)
    emitter.opening(bench.media.init)
    log = GapLog()
    for number in range(MAX_PENDING):
        log.note(JournalEvent(GAP_OPENED, bench.now, Reason.CAMERA_LOST, f"{number}" + "断" * 300))
    moment = FragmentMoment(bench.now, FRAGMENT_MS, bench.now, log.pending)
    emitter.fragment(bench.media.fragments[0], moment)
    assert len(emitter.seal(Closing(bench.now, Reason.CAMERA_LOST, gaps=log.pending)).data) == RESERVED_BYTES
