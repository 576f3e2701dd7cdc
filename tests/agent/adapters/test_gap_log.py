"""The journal of interruptions: nothing doubled, nothing endless, and a stepped clock is told."""

from dataclasses import replace
from datetime import timedelta

from agent.adapters.gap_log import MAX_PENDING, NOTE_CHARACTERS, GapLog
from agent.evidence.journal import HEALTH, JournalEvent, Reason
from tests.agent.evidence.bench import START

LATER = replace(START, wall=START.wall + timedelta(seconds=5), monotonic_ns=START.monotonic_ns + 5 * 10**9)


def kinds(log: GapLog) -> list[str]:
    return [event.kind for event in log.pending]


def test_a_second_reason_for_the_same_gap_is_no_second_gap():
    log = GapLog()
    assert log.open(Reason.CAMERA_LOST, START)
    assert not log.open(Reason.STORAGE_FAILED, LATER)
    log.close(LATER)
    log.close(LATER)
    assert [(event.kind, event.reason) for event in log.pending] == [
        ("gap-opened", Reason.CAMERA_LOST),
        ("gap-closed", Reason.CAMERA_LOST),
    ]


def test_what_goes_wrong_after_a_pause_is_a_gap_from_the_end_of_the_pause():
    log = GapLog()
    log.open(Reason.PAUSED, START)
    assert not log.open(Reason.CAMERA_LOST, START), "the pause stands"
    log.resumed(LATER)
    much_later = replace(LATER, monotonic_ns=LATER.monotonic_ns + 10**10)
    assert log.open(Reason.STORAGE_FAILED, much_later)
    log.close(much_later)
    assert [(event.kind, event.reason, event.at) for event in log.pending] == [
        ("gap-opened", Reason.PAUSED, START),
        ("gap-closed", Reason.PAUSED, LATER),
        ("gap-opened", Reason.STORAGE_FAILED, LATER),
        ("gap-closed", Reason.STORAGE_FAILED, much_later),
    ]


def test_every_reason_is_told_once_until_a_fragment_is_stored_again():
    log = GapLog()
    log.open(Reason.ENCODER_STALLED, START)
    assert log.unheard(Reason.ENCODER_STALLED)
    assert log.unheard(Reason.CAMERA_LOST)
    log.written()  # the fragment that carries the beginning of the gap
    assert not log.unheard(Reason.CAMERA_LOST)
    log.close(LATER)
    assert not log.unheard(Reason.CAMERA_LOST)
    log.written()
    assert log.unheard(Reason.CAMERA_LOST)


def test_attempts_that_fail_do_not_fill_the_journal():
    log = GapLog()
    assert log.open(Reason.STORAGE_FAILED, START)
    for _ in range(1000):
        log.close(LATER)
        assert not log.open(Reason.STORAGE_FAILED, LATER)
    assert kinds(log) == ["gap-opened"]


def test_a_gap_after_a_written_one_is_news():
    log = GapLog()
    log.open(Reason.CAMERA_LOST, START)
    log.close(LATER)
    log.written()
    assert log.pending == ()
    assert log.open(Reason.CAMERA_LOST, LATER)


def test_endless_events_are_bounded_and_counted():
    log = GapLog()
    for _ in range(MAX_PENDING):
        log.passed(Reason.FRAMES_DROPPED, START, LATER, "1 packets")
    assert len(log.pending) == MAX_PENDING
    last = log.pending[-1]
    assert (last.kind, last.reason, last.note) == ("gap-opened", Reason.FRAMES_DROPPED, f"+{MAX_PENDING + 1} more")
    log.written()
    assert log.pending == ()


def test_a_long_note_is_cut_to_what_fits_a_seal():
    log = GapLog()
    log.open(Reason.STORAGE_FAILED, START, "坏" * 5000)
    assert log.pending[0].note == "坏" * NOTE_CHARACTERS


def test_stepped_wall_clock_is_told_and_a_steady_one_is_not():
    log = GapLog()
    log.tick(START)
    log.tick(LATER)
    assert log.pending == ()
    log.tick(replace(LATER, wall=LATER.wall - timedelta(days=3650)))
    (event,) = log.pending
    assert (event.kind, event.reason, event.note) == ("clock-jumped", Reason.CLOCK_JUMPED, "-315360000000 ms")


def test_readings_of_a_long_interruption_do_not_crowd_the_interruption_out_of_the_seal() -> None:
    log = GapLog()
    log.open(Reason.PAUSED, START)
    for number in range(40):
        log.note(JournalEvent(HEALTH, START, None, f"why=interval clk=ntp gap={number} flt=0 cut=0"))
    kept = [event.note for event in log.pending if event.kind == HEALTH]
    assert [note.split()[2] for note in kept] == ["gap=0", "gap=1", "gap=2", "gap=39"]
    assert log.pending[0].reason is Reason.PAUSED
