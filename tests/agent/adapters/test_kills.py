"""kill -9 in the middle of a recording with a pre-event part: what is on the disk plays, verifies, and reaches to
within 0.7 s of what the camera had delivered. Ten kills here; fifty in the slow tier (`make test-faults`)."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.adapters.spool import Spool
from agent.adapters.spool_recovery import recover
from provisioning.center.archive import decrypt_recording
from tests.agent.adapters.recording_bench import (
    AUTHORITY,
    CLOCK,
    FIRST,
    SIGNER,
    chained,
    decoded_frames,
    examined,
    verdict,
)
from tests.agent.adapters.test_at_rest import ARCHIVE, write_keys
from tests.agent.evidence.foreign import c2pa_state

REPOSITORY = Path(__file__).parents[3]
Seen = tuple[int, int]
MAX_LOSS_S = 0.7  # order B; a fragment is 0.5 s
SCRIPT = "tests.agent.adapters.pre_event_process"


def killed(
    root: Path, camera: str, delivered_before_trigger: int, stored: int, more: int, past_s: int = 0, *archive: str
) -> Seen:
    """Trigger after so many pictures, kill `more` pictures after so many fragments were stored; returns the moment of
    the last picture delivered (monotonic ns) and the last fragment said to be stored."""
    command = [sys.executable, "-m", SCRIPT, str(root), camera, str(past_s), *archive]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    seen = {"delivered": 0, "stored": 0, "near": 0 if past_s else 1}
    after = pictures = 0
    with subprocess.Popen(command, text=True, cwd=REPOSITORY, **pipes) as process:
        for line in process.stdout:
            word, number = line.split()
            seen[word] = int(number)
            pictures += word == "delivered"
            if pictures == delivered_before_trigger and word == "delivered":
                process.stdin.write("\n")
                process.stdin.flush()
            after += word == "delivered" and seen["stored"] >= stored and seen["near"] > 0
            if after > more:
                process.kill()
    assert process.returncode == -signal.SIGKILL, "the recorder wanted more than may be lost before it stored anything"
    return seen["delivered"], seen["stored"]


def check(root: Path, camera: str, pick: random.Random, past_s: int = 0, *archive: str) -> float:
    """One kill at a random moment after the ring has reached the disk; returns the seconds lost. With the public key of
    an `archive` it is encrypted."""
    # Two minutes take a second or so to sign, and what comes meanwhile waits: both are stored some fragments later.
    before, stored_s = pick.randrange(40, 80), pick.randrange(4, 8) + (2 * past_s + 10 if past_s else 0)
    delivered, stored = killed(root, camera, before, stored_s, pick.randrange(0, 20), past_s, *archive)
    (sealed,) = recover(Spool(root), SIGNER, CLOCK)
    if archive:
        root = decrypted(root)
    segments = [examined(place) for place in Spool(root).segments(FIRST)]
    numbers = chained(segments)
    assert sealed.fragments >= stored, "a fragment that was said to be stored is gone"
    assert numbers == list(range(1, sealed.fragments + 1))
    assert segments[0].origin.context["pre_event_ms"] > past_s * 1000
    assert verdict(root / FIRST) == "explained-gap"
    for place in Spool(root).segments(FIRST):
        assert sum(decoded_frames(place).values()) > 0
        assert c2pa_state(place.read_bytes(), AUTHORITY.root_pem) == "Trusted"
    last = segments[-1].fragments[-1].entry.moment
    end = last.captured.monotonic_ns + last.duration_ms * 10**6
    return (delivered - end) / 10**9


def decrypted(root: Path) -> Path:
    """The recording as the archive reads it, with no complaint about its encryption."""
    clear = root.with_name("clear")
    assert {each.problems for each in decrypt_recording(root / FIRST, ARCHIVE, clear / FIRST)} == {()}
    assert not list(root.with_name("keys").glob("*.key"))
    return clear


@pytest.mark.serial
@pytest.mark.xdist_group("kills")
@pytest.mark.parametrize("seed", range(10))
def test_kill_loses_at_most_the_fragment_being_filled(tmp_path, seed):
    loss = check(tmp_path / "recordings", "none" if seed == 9 else "test", random.Random(seed))
    assert loss <= MAX_LOSS_S, loss


@pytest.mark.faults
@pytest.mark.serial
def test_fifty_kills_lose_at_most_the_fragment_being_filled_each(tmp_path, record_property):
    losses = [check(tmp_path / f"kill-{seed}", "test", random.Random(seed)) for seed in range(100, 150)]
    record_property("largest_loss_s", max(losses))
    print(f"\n50 kills: largest loss {max(losses):.3f} s, median {sorted(losses)[len(losses) // 2]:.3f} s")  # noqa: T201
    assert max(losses) <= MAX_LOSS_S


@pytest.mark.faults
@pytest.mark.serial
def test_fifty_kills_behind_a_ring_of_two_minutes_lose_no_more(tmp_path, record_property):
    losses = []
    for seed in range(200, 250):
        losses.append(check(tmp_path / f"kill-{seed}", "test", random.Random(seed), past_s=118))
        shutil.rmtree(tmp_path / f"kill-{seed}")
    record_property("largest_loss_s", max(losses))
    middle = sorted(losses)[len(losses) // 2]
    print(f"\n50 kills, 120 s before: largest loss {max(losses):.3f} s, median {middle:.3f} s")  # noqa: T201
    assert max(losses) <= MAX_LOSS_S


@pytest.mark.faults
@pytest.mark.serial
def test_twenty_kills_of_an_encrypting_recorder_lose_no_more(tmp_path):
    write_keys(tmp_path)
    archive = str(tmp_path / "archive.pub")
    losses = [check(tmp_path / f"{seed}" / "recordings", "test", random.Random(seed), 0, archive) for seed in range(20)]
    print(f"\n20 kills, encrypted: largest loss {max(losses):.3f} s, median {sorted(losses)[10]:.3f} s")  # noqa: T201
    assert max(losses) <= MAX_LOSS_S
