"""How often the device key signs: slow chips and worn fuses are asked twice per segment and once per recording."""

import pytest

from agent.adapters.fake_source import FakeSource
from agent.adapters.recorder import RecorderSettings
from agent.evidence.journal import Reason
from agent.wire.signing import CertifiedSigner
from tests.agent.adapters.recording_bench import SIGNER, RecordingBench, footage
from tests.agent.evidence.bench import Bench
from tests.support.media import Media, make_media


class CountingSigner:
    """A device key that keeps count."""

    def __init__(self, inner: CertifiedSigner) -> None:
        self._inner = inner
        self.key_id, self.chain, self.count = inner.key_id, inner.chain, 0

    def sign(self, data: bytes) -> bytes:
        self.count += 1
        return self._inner.sign(data)


@pytest.mark.parametrize("times", [1, 100])
def test_a_segment_takes_two_signatures_whatever_its_length(times: int) -> None:
    signer, media = CountingSigner(SIGNER), make_media()
    bench = Bench(signer, Media(media.init, media.fragments * times))
    bench.sealed()
    assert (len(bench.records), signer.count) == (6 * times, 2)


def test_a_recording_takes_two_for_each_segment_and_one_for_its_sums(tmp_path):
    signer = CountingSigner(SIGNER)
    settings = RecorderSettings(retry_s=0.2, margin_bytes=0, segment_minutes=2 / 60)
    source = FakeSource(*footage(6))
    bench = RecordingBench(tmp_path / "recordings", iter([source]), settings, signer=signer)
    bench.start()
    bench.wait_for_fragments(10)
    bench.recorder.stop(Reason.STOPPED)
    sealed = bench.wait_for_end()
    assert bench.recorder.close(60)
    assert (sealed.segments, signer.count) == (3, 2 * 3 + 1)
    assert bench.verdict() == "complete"
