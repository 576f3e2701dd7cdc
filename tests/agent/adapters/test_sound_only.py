"""Sound-only recordings: the same path, the same guarantees, the same foreign verdicts."""

import shutil

import pytest

from agent.adapters.packets import Codec
from agent.adapters.recorder import PreEventSettings, RecorderSettings
from agent.adapters.sources import CaptureSettings, make_source
from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from agent.errors import EnvironmentFault, OperatorFault
from agent.evidence.bmff import Source
from agent.evidence.journal import Reason
from agent.evidence.report import Verdict
from agent.evidence.verify import SegmentFile, verify_recording
from tests.agent.adapters.recording_bench import (
    AUTHORITY,
    CLOCK,
    FIRST,
    SIGNER,
    RecordingBench,
    chained,
    decoded_frames,
    eventually,
    verdict,
)
from tests.agent.evidence.bench import NOW, flipped
from tests.agent.evidence.foreign import c2pa_state, encypher_accepts

pytestmark = pytest.mark.xdist_group("sound-only")
SOUND = CaptureSettings(camera="none", audio="test")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> RecordingBench:
    """Two segments of the tone, with a pre-event second that is heard."""
    settings = RecorderSettings(retry_s=0.2, margin_bytes=0, segment_minutes=2 / 60, pre_event=PreEventSettings(1))
    root = tmp_path_factory.mktemp("sound") / "recordings"
    bench = RecordingBench(root, iter([make_source(SOUND, CLOCK)]), settings)
    bench.start()
    bench.wait_for_fragments(6)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    return bench


def test_sound_alone_is_signed_fragment_by_fragment_and_sealed(recorded):
    segments = recorded.segments()
    assert len(segments) == 2
    assert recorded.verdict() == "complete"
    assert chained(segments) == list(range(1, len(recorded.stored()) + 1))
    assert segments[0].origin.context["source"] == "sound:test"
    assert segments[0].origin.context["synthetic"] is True
    for place, segment in zip(recorded.spool.segments(FIRST), segments, strict=True):
        frames = decoded_frames(place)
        assert set(frames) == {"audio"}
        durations = [record.entry.moment.duration_ms for record in segment.fragments]
        assert abs(frames["audio"] * 1024 / 48 - sum(durations)) < 50
        assert all(400 < duration < 600 for duration in durations[:-1])


def test_foreign_engines_trust_it_and_find_a_flipped_bit(recorded):
    for place in recorded.spool.segments(FIRST):
        data = place.read_bytes()
        assert c2pa_state(data, AUTHORITY.root_pem) == "Trusted"
        assert encypher_accepts(data, AUTHORITY.root_pem)
        broken = flipped(data, len(data) - 9)
        assert c2pa_state(broken, AUTHORITY.root_pem) == "Invalid"
        assert not encypher_accepts(broken, AUTHORITY.root_pem)


def test_its_cut_tail_is_missed(recorded, tmp_path):
    folder = shutil.copytree(recorded.spool.folder(FIRST), tmp_path / FIRST)
    last = max(folder.glob("segment-*.mp4"))
    last.write_bytes(last.read_bytes()[:-200])
    assert verdict(folder) == "altered"  # its sums say so as well
    for name in ("SHA256SUMS", "SHA256SUMS.p7s"):
        (folder / name).unlink()
    files = [SegmentFile(last.name, Source.of_bytes(last.read_bytes()))]
    assert verify_recording(files, [AUTHORITY.root], NOW).verdict is Verdict.MISSING


def test_sound_card_that_is_missing_is_told_and_not_left_out():
    source = make_source(CaptureSettings(camera="none", audio="alsa:nowhere"), CLOCK)
    with pytest.raises(EnvironmentFault):
        source.open()


def test_neither_pictures_nor_sound_is_an_operators_mistake():
    with pytest.raises(OperatorFault, match="没有可录的内容"):
        make_source(CaptureSettings(camera="none", audio="none"), CLOCK)


def test_its_only_track_is_sound():
    source = make_source(SOUND, CLOCK)
    (track,) = source.open()
    assert (track.codec, track.is_video) == (Codec.AAC, False)
    assert track.silence
    source.close()


def test_muting_is_all_that_a_sound_only_recording_can_lose(tmp_path):
    from agent.adapters.orders import ActAsked
    from agent.control.acts import Act

    bench = RecordingBench(tmp_path / "recordings", iter([make_source(SOUND, CLOCK)]))
    bench.start()
    bench.wait_for_fragments(1)
    bench.recorder.act(ActAsked(Act.MUTE, "secrecy", CLOCK.read()))
    before = len(bench.stored())
    eventually(lambda: len(bench.stored()) > before + 1, "fragments of silence")
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(60)
    assert bench.verdict() == "unexplained-gap"
    assert recover(Spool(tmp_path / "recordings"), SIGNER, CLOCK) == []
