"""Mute, pause and spoken explanations: each signed, none of them stops a recording, all of them are told."""

import subprocess
from dataclasses import replace
from fractions import Fraction
from itertools import chain, pairwise

import pytest

from agent.adapters.fake_source import FakeSource
from agent.adapters.orders import ActAsked, NoteAsked
from agent.adapters.packets import seconds
from agent.adapters.recorder import RecorderSettings
from agent.control.acts import Act
from agent.control.messages import GapOpened
from agent.evidence.journal import LABEL, JournalEvent, Reason
from tests.agent.adapters.recording_bench import CLOCK, FIRST, RecordingBench, chained, decoded_frames, footage, moment
from tests.agent.adapters.test_pre_event import Gate


class Acts:
    """A recorder whose camera waits at gates between `parts` of five seconds, where the test acts."""

    def __init__(self, root, parts: int, **settings) -> None:
        self.tracks, packets = footage(5 * parts)
        cuts = [len(packets) * part // parts for part in range(parts + 1)]
        self.gates = [Gate(*packets[begin:end]) for begin, end in pairwise(cuts)]
        made = RecorderSettings(retry_s=0.2, margin_bytes=0, stall_s=60, **settings)
        source = FakeSource(self.tracks, chain.from_iterable(self.gates))
        self.bench = RecordingBench(root / "recordings", iter([source]), made)
        self.bench.start()

    def at_end_of(self, part: int, *acts: tuple[Act, str]) -> None:
        """Act when all packets of `part` are with the recorder, then let the camera go on."""
        gate = self.gates[part]
        assert gate.reached.wait(60)
        for act, cause in acts:
            self.bench.recorder.act(ActAsked(act, cause, moment(Fraction(5 * (part + 1)))))
        gate.opened.set()

    def end(self):
        self.at_end_of(len(self.gates) - 1)
        self.bench.recorder.stop(Reason.STOPPED)
        sealed = self.bench.wait_for_end()
        assert self.bench.recorder.close(60)
        return sealed

    def events(self) -> list[tuple[str, str | None, str]]:
        return [
            (event.kind, event.reason and event.reason.value, event.note)
            for segment in self.bench.segments()
            for record in segment.fragments
            for event in record.entry.moment.events
        ]

    def told(self) -> list[str]:
        return [event.reason for event in self.bench.events if isinstance(event, GapOpened)]


def sound_of(file) -> bytes:
    """The coded sound of a file, packet for packet."""
    command = ["ffmpeg", "-v", "error", "-i", str(file), "-map", "0:a", "-c", "copy", "-f", "data", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_muted_stretch_holds_silence_and_says_so_and_the_pictures_go_on(tmp_path):
    acts = Acts(tmp_path, 3)
    acts.at_end_of(0, (Act.MUTE, "secrecy"), (Act.MUTE, ""))
    acts.at_end_of(1, (Act.UNMUTE, ""), (Act.UNMUTE, ""))
    acts.end()
    assert acts.events() == [("mute-on", "muted", "secrecy"), ("mute-off", "muted", "")]
    assert acts.told() == ["muted"]
    frames = decoded_frames(acts.bench.spool.segment(FIRST, 1))
    assert frames["video"] == 150
    assert frames["audio"] > 690
    assert acts.bench.verdict() == "unexplained-gap"


def test_what_is_said_while_muted_is_nowhere_in_the_file(tmp_path):
    """Bites when the recorder writes the microphone's packets while muted."""
    marked = b"SPOKEN-WHILE-MUTED"
    acts = Acts(tmp_path, 2)
    secret = [replace(packet, data=marked) if packet.stream == 1 else packet for packet in acts.gates[1]._before]
    acts.gates[1]._before = secret
    acts.at_end_of(0, (Act.MUTE, ""))
    acts.end()
    written = acts.bench.spool.segment(FIRST, 1).read_bytes()
    assert acts.tracks[1].silence in sound_of(acts.bench.spool.segment(FIRST, 1))
    assert marked not in written


def test_mute_spoken_about_afterwards_is_explained(tmp_path):
    acts = Acts(tmp_path, 4)
    acts.at_end_of(0, (Act.MUTE, "secrecy"))
    acts.at_end_of(1, (Act.UNMUTE, ""), (Act.EXPLAIN, "secrecy"))
    acts.at_end_of(2, (Act.EXPLAINED, ""))
    acts.end()
    (segment,) = acts.bench.segments()
    spans = [event.span for record in segment.fragments for event in record.entry.moment.events if event.span]
    assert len(spans) == 1
    assert 1 < spans[0][0] < spans[0][1] < 40
    assert acts.bench.verdict() == "explained-gap"


def test_key_mark_is_signed_where_it_was_pressed_and_breaks_nothing(tmp_path):
    acts = Acts(tmp_path, 2)
    acts.at_end_of(0, (Act.MARK, ""))
    acts.end()
    (segment,) = acts.bench.segments()
    events = [event for record in segment.fragments for event in record.entry.moment.events]
    assert [(event.kind, event.note) for event in events] == [("marker", "重点标记")]
    assert acts.bench.verdict() == "complete"


def test_pause_leaves_a_signed_gap_and_no_media(tmp_path):
    acts = Acts(tmp_path, 3)
    acts.at_end_of(0, (Act.PAUSE, "secrecy"), (Act.PAUSE, ""))
    acts.at_end_of(1, (Act.RESUME, ""), (Act.RESUME, ""))
    sealed = acts.end()
    assert sealed.segments == 2
    first, second = acts.bench.segments()
    assert first.manifest.seal.closing.reason is Reason.PAUSED
    assert chained([first, second]) == list(range(1, sealed.fragments + 1))
    assert acts.events() == [("gap-opened", "paused", "secrecy"), ("gap-closed", "paused", "")]
    assert acts.told() == ["paused"]
    counts = [decoded_frames(place)["video"] for place in acts.bench.spool.segments(FIRST)]
    assert counts == [50, 50]
    assert acts.bench.verdict() == "unexplained-gap"


def test_pictures_that_wait_for_their_sound_when_the_pause_is_pressed_are_recorded(tmp_path):
    acts = Acts(tmp_path, 2)
    late = Fraction(46, 10)
    acts.gates[0]._before = [it for it in acts.gates[0]._before if it.stream == 0 or seconds(it, acts.tracks) < late]
    acts.at_end_of(0, (Act.PAUSE, "secrecy"))
    acts.end()
    assert decoded_frames(acts.bench.spool.segment(FIRST, 1))["video"] == 50


def test_pictures_that_wait_for_their_sound_when_the_officer_goes_on_are_not_recorded(tmp_path):
    """Bites when what was seen in the pause is written behind it: the first half second would be the secret's."""
    acts = Acts(tmp_path, 3)
    late = Fraction(96, 10)
    acts.gates[1]._before = [it for it in acts.gates[1]._before if it.stream == 0 or seconds(it, acts.tracks) < late]
    keyed = [replace(it, keyframe=True) if it.stream == 0 else it for it in acts.gates[1]._before]
    acts.gates[1]._before = keyed
    acts.at_end_of(0, (Act.PAUSE, "secrecy"))
    acts.at_end_of(1, (Act.RESUME, ""))
    acts.end()
    assert [decoded_frames(place)["video"] for place in acts.bench.spool.segments(FIRST)] == [50, 50]


def test_pause_explained_on_going_on_is_explained(tmp_path):
    acts = Acts(tmp_path, 4)
    acts.at_end_of(0, (Act.PAUSE, "secrecy"))
    acts.at_end_of(1, (Act.RESUME, ""), (Act.EXPLAIN, "secrecy"))
    acts.at_end_of(2, (Act.EXPLAINED, ""))
    acts.end()
    assert acts.bench.verdict() == "explained-gap"


def test_stop_while_paused_seals_what_there_is_and_the_pause_stays_unexplained(tmp_path):
    acts = Acts(tmp_path, 2)
    acts.at_end_of(0, (Act.PAUSE, ""))
    sealed = acts.end()
    assert (sealed.segments, sealed.reason) == (1, "stopped")
    assert acts.bench.verdict() == "unexplained-gap"


def test_explanation_still_spoken_at_the_stop_ends_there(tmp_path):
    acts = Acts(tmp_path, 3)
    acts.at_end_of(0, (Act.MUTE, ""), (Act.EXPLAINED, ""))
    acts.at_end_of(1, (Act.UNMUTE, ""), (Act.EXPLAIN, "other"))
    acts.end()
    assert acts.events()[-1] == ("explanation", None, "other")
    assert acts.bench.verdict() == "explained-gap"


@pytest.mark.parametrize("act", list(Act))
def test_act_without_a_recording_is_nobodys(tmp_path, act):
    if act is Act.PHOTO:
        pytest.skip("a photo needs no recording: test_photo")
    acts = Acts(tmp_path, 1)
    acts.at_end_of(0)
    acts.end()
    before = list(acts.bench.events)
    bench = RecordingBench(tmp_path / "other", iter(()), RecorderSettings())
    bench.recorder.act(ActAsked(act, "", CLOCK.read()))
    assert bench.recorder.close(60)
    assert bench.events == []
    assert acts.bench.events == before


def test_a_label_noted_just_before_the_stop_stands_in_the_sealed_recording(tmp_path):
    """Bites when what is noted behind the last picture is lost with the recorder's queue."""
    acts = Acts(tmp_path, 2)
    acts.at_end_of(0)
    gate = acts.gates[1]
    assert gate.reached.wait(60)
    note = "stopped-early 全过程记录提前停止：还有 1 个环节未录（送达）"
    acts.bench.recorder.act(NoteAsked(JournalEvent(LABEL, CLOCK.read(), None, note)))
    acts.bench.recorder.stop(Reason.STOPPED)
    gate.opened.set()
    acts.bench.wait_for_end()
    assert acts.bench.recorder.close(60)
    told = [event.note for segment in acts.bench.segments() for event in _signed(segment) if event.kind == LABEL]
    assert told == [note]
    assert acts.bench.verdict() == "complete"


def _signed(segment):
    yield from (event for record in segment.fragments for event in record.entry.moment.events)
    yield from segment.manifest.seal.closing.gaps
