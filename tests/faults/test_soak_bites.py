"""The soak finds a process that leaks, in each of its four measures, and leaves one alone that does not."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.cable import Cable
from tests.support.soak import MEASURES, Sample, Sampler, Watched, plot, table, too_much, trends

LIMITS = dict(zip(MEASURES, (4.0, 0.5, 0.5, 0.5), strict=True))
LEAKY = """
import sys, threading
from pathlib import Path
place, leak, kept = Path(sys.argv[1]), sys.argv[2], []
never = threading.Event()
print("ready", flush=True)
for number, _ in enumerate(sys.stdin):
    bytearray(b"x" * 2_000_000)  # what every piece of work takes for a moment
    if leak == "memory, MB": kept.append(bytearray(b"x" * 1_000_000))
    if leak == "descriptors": kept.append(open("/dev/null"))
    if leak == "threads": threading.Thread(target=never.wait, daemon=True).start()
    if leak == "disk, MB": (place / str(number)).write_bytes(bytes(200_000))
    print("done", flush=True)
"""


def worked(folder: Path, leak: str, turns: int = 12) -> list[Sample]:
    folder.mkdir()
    command = [sys.executable, "-c", LEAKY, str(folder), leak]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        with Sampler({"it": Watched(process.pid, (folder,))}) as sampler:
            for _ in range(turns):
                process.stdin.write("go\n")
                assert process.stdout.readline() == "done\n"
                sampler.look(rest=True)
        process.stdin.close()
    return sampler.samples


@pytest.mark.parametrize("leak", MEASURES)
def test_a_process_that_leaks_is_named_with_what_it_leaks(tmp_path: Path, leak: str) -> None:
    found = too_much(trends(worked(tmp_path / "it", leak), 0), LIMITS)
    assert [line.partition(" grew by ")[0] for line in found] == [f"it: {leak}"]


def test_a_process_that_works_and_keeps_nothing_is_not_named(tmp_path: Path) -> None:
    samples = worked(tmp_path / "it", "nothing")
    assert too_much(trends(samples, 0), LIMITS) == []
    assert table(trends(samples, 0)).count("\n| it |") == len(MEASURES)
    assert plot(samples).count("<polyline") == len(MEASURES)


def test_what_is_held_while_working_is_no_leak_and_the_warm_up_is_left_out() -> None:
    def sample(at: int, memory: float, *, rest: bool) -> Sample:
        return Sample(float(at), "it", (memory, 8.0, 2.0, 1.0), rest)

    warm = [sample(at, 10.0 + 5 * at, rest=True) for at in range(10)]
    later = [sample(10 + at, 100.0 if at % 2 else 60.0, rest=not at % 2) for at in range(40)]
    found = trends([*warm, *later], 10)
    assert too_much(found, LIMITS) == []
    assert (found[0].first, found[0].last, found[0].most) == pytest.approx((60, 60, 100))


def test_a_step_is_no_leak_and_a_slow_leak_is_one() -> None:
    def looks(memory: list[float]) -> list[Sample]:
        return [Sample(float(at), "it", (held, 8.0, 2.0, 1.0), True) for at, held in enumerate(memory)]

    assert too_much(trends(looks([100.0] * 50 + [130.0] * 25), 0), LIMITS) == []
    assert len(too_much(trends(looks([100.0 + 0.1 * at + 5 * (at % 3) for at in range(75)]), 0), LIMITS)) == 1


def test_a_run_that_is_too_short_to_tell_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too short a run: 2 looks"):
        trends(worked(tmp_path / "it", "threads", turns=2), 0)


def test_a_cable_that_is_cut_drops_both_ends_and_lets_new_ones_in() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker, Cable(broker.getsockname()[1]) as cable:
        for joined in (1, 2):
            with socket.create_connection(("127.0.0.1", cable.port)) as client:
                near, _ = broker.accept()
                with near:
                    big = bytes(300_000)
                    threading.Thread(target=client.sendall, args=(big,)).start()
                    assert near.recv(len(big), socket.MSG_WAITALL) == big
                    near.sendall(b"heard")
                    assert client.recv(5, socket.MSG_WAITALL) == b"heard"
                    assert (cable.cut(), cable.joined) == (1, joined)
                    assert (client.recv(1), near.recv(1)) == (b"", b"")


def test_a_cable_to_a_broker_that_is_away_refuses_and_goes_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        port = broker.getsockname()[1]
    with Cable(port) as cable:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", cable.port)) as client:
                assert client.recv(1) == b""
        assert cable.joined == 0
