"""A short recording made, sealed and judged on aarch64: the encoder, the muxer and the signatures of that machine."""

import platform

import pytest

from agent.adapters.fake_source import FakeSource
from agent.evidence.journal import Reason
from tests.agent.adapters.recording_bench import AUTHORITY, FIRST, RecordingBench, footage
from tests.agent.evidence.foreign import c2pa_state
from tests.support.decoding import decoded_pictures

pytestmark = pytest.mark.arm64


def test_a_recording_made_on_aarch64_is_complete_and_trusted_by_foreign_software(tmp_path):
    assert platform.machine() == "aarch64"
    tracks, packets = footage(3)
    bench = RecordingBench(tmp_path, iter([FakeSource(tracks, packets)]))
    bench.start()
    bench.wait_for_fragments(5)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    assert bench.recorder.close(20)
    assert bench.verdict() == "complete"
    (place,) = bench.spool.segments(FIRST)
    assert c2pa_state(place.read_bytes(), AUTHORITY.root_pem) == "Trusted"
    assert decoded_pictures(place) == sum(packet.stream == 0 for packet in packets)
