"""One job in a process of its own, so that its memory can be told: `python -m tests.benchmarks.jobs NAME ARGS...`.

Prints one JSON object: what the job says of itself, and `peak_mb` (VmHWM), `cpu_s` and `wall_s` of the whole process.
"""

import hashlib
import json
import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MEGA = 1_000_000
ROUNDS = 5


def record(path: Path, megabytes: str, fragment_ms: str, seal: str = "seal") -> dict[str, Any]:
    """Record and seal, or leave it as a power cut would."""
    from tests.benchmarks.workload import record as recorded

    return asdict(recorded(path, int(megabytes) * MEGA, int(fragment_ms), seal=seal == "seal"))


def verify(path: Path, root: str) -> dict[str, Any]:
    """All layers as `liuhen-verify` runs them, and hashlib.sha256 on the same file, in turns."""
    ours, plain, ours_cpu, plain_cpu = [], [], [], []
    for _ in range(ROUNDS):
        begin = time.process_time()
        plain.append(_timed(lambda: _sha256(path)))
        between = time.process_time()
        ours.append(_timed(lambda: _complete(_verified(path, root))))
        plain_cpu.append(between - begin)
        ours_cpu.append(time.process_time() - between)
    processor = {"verify_cpu_s": min(ours_cpu), "sha256_cpu_s": min(plain_cpu)}
    return {"verify_s": min(ours), "sha256_s": min(plain), "median_s": statistics.median(ours), **processor}


def verify_once(path: Path, root: str) -> dict[str, Any]:
    """As a person runs it, once: for its memory."""
    return {"verify_s": _timed(lambda: _complete(_verified(path, root)))}


def recover(path: Path) -> dict[str, Any]:
    """What a start of the device does to a segment cut in its last fragment; every round on a fresh copy."""
    from agent.adapters.segment_recovery import Break, heal
    from tests.benchmarks.workload import AUTHORITY, ORIGIN, WorkloadClock

    seconds, signer = [], AUTHORITY.signer()
    for number in range(ROUNDS):
        # A device heals only what stands in its own recording's folder under its own name.
        folder = path.parent / f"round-{number}" / ORIGIN.recording
        folder.mkdir(parents=True)
        copy = folder / "segment-0001.mp4"
        shutil.copyfile(path, copy)
        with copy.open("r+b") as file:
            file.truncate(copy.stat().st_size - 5000)
            os.fsync(file.fileno())  # a device finds it on the disk, not waiting to be written
        seconds.append(_timed(lambda copy=copy: heal(copy, signer, WorkloadClock(), Break())))
        shutil.rmtree(folder.parent)
    return {"recover_s": statistics.median(seconds), "worst_s": max(seconds)}


def at_rest(path: Path, megabytes: str) -> dict[str, Any]:
    """Encrypt fragments of half a second at 6.5 Mbit/s into a file and read all of it again; processor time, because
    the disk is no part of the figure."""
    from agent.evidence.bmff import Source
    from agent.evidence.encrypted_reading import open_encrypted
    from agent.evidence.encrypted_stream import KEY_BYTES, Header, StreamKey, StreamWriter, final_record, wrap_key
    from tests.agent.evidence.bench import private_key
    from tests.benchmarks.workload import BITS_PER_SECOND, ORIGIN

    data_key, fragment = bytes(KEY_BYTES), os.urandom(BITS_PER_SECOND // 8 // 2)
    header = Header(wrap_key(data_key, ORIGIN.recording, private_key("archive").public_key()), bytes(16))
    key, count = StreamKey(data_key, header), int(megabytes) * MEGA // len(fragment)
    writer, wrote, plain = StreamWriter(key, header), 0.0, count * len(fragment)
    with path.open("w+b") as file:
        file.write(writer.opening())
        for _ in range(count):
            begin = time.process_time()
            record = writer.append(fragment)
            wrote += time.process_time() - begin
            file.write(record)
        file.write(final_record(key, writer.size))
        file.flush()
        begin = time.process_time()
        opened = open_encrypted(Source(file.tell(), lambda at, length: os.pread(file.fileno(), length, at)), data_key)
        same = all(chunk for chunk in opened.plain.chunks(0, opened.plain.size)) and opened.size == plain
        took = time.process_time() - begin
        overhead = 100 * (file.tell() - plain) / plain
    path.unlink()
    if not same or not opened.finished:
        raise SystemExit("what was encrypted does not come back")
    return {"write_mb_s": plain / wrote / MEGA, "read_mb_s": plain / took / MEGA, "overhead": overhead}


def plain_twin(path: Path, target: str) -> dict[str, Any]:
    """The same pictures and sound in an ordinary, unsigned MP4, as the peer wants it."""
    from tests.benchmarks.peer import remux

    remux(path, Path(target))
    return {"size": Path(target).stat().st_size}


def c2pa_sign(path: Path, target: str, settings: str = "{}") -> dict[str, Any]:
    """The peer signs the same media: c2pa-python, default settings."""
    import c2pa

    from agent.evidence.manifest import COMPUTED
    from tests.benchmarks.peer import peer_signer

    created = {"action": "c2pa.created", "digitalSourceType": COMPUTED}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [created]}}
    definition = {"claim_generator_info": [{"name": "bench"}], "format": "video/mp4", "assertions": [actions]}
    with c2pa.Context.from_dict(json.loads(settings)) as context, peer_signer() as signer:

        def sign() -> None:
            with path.open("rb") as source, Path(target).open("w+b") as sink:
                c2pa.Builder(definition, context).sign(signer, "video/mp4", source, sink)

        seconds = _timed(sign)
    return {"sign_s": seconds, "written": Path(target).stat().st_size}


def c2pa_read(path: Path, root: str) -> dict[str, Any]:
    """The peer reads and validates a file."""
    import c2pa

    from tests.benchmarks.peer import trust_settings

    with c2pa.Context.from_dict(trust_settings(Path(root).read_text())) as context:
        begin = time.perf_counter()
        with path.open("rb") as stream, c2pa.Reader("video/mp4", stream, context=context) as reader:
            state = json.loads(reader.json())["validation_state"]
        return {"read_s": time.perf_counter() - begin, "state": state}


def gnss_garbage(_: Path, lines: str) -> dict[str, Any]:
    """Damaged lines to the reader, then two sound seconds."""
    from firmware_hooks.nmea import NmeaReader
    from firmware_hooks.simulated_gnss import SECOND, sentences
    from tests.firmware_hooks.garbage import NOON, garbage_lines

    reader, fixes, seconds = NmeaReader(), 0, 0.0
    for line in garbage_lines(random.Random(947), int(lines)):
        begin = time.perf_counter()
        fixes += len(reader.feed(line))
        seconds += time.perf_counter() - begin
    sound, heard = reader.sentences, [reader.feed(sentences(NOON + step * SECOND, 39.9, 116.4)) for step in (0, 1)]
    return {"fixes": fixes, "sound": sound, "per_s": int(lines) / seconds, "heard_after": [*map(len, heard)] == [0, 1]}


JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    job.__name__: job
    for job in (record, verify, verify_once, recover, at_rest, plain_twin, c2pa_sign, c2pa_read, gnss_garbage)
}


def _verified(path: Path, root: str) -> Any:
    from agent.verify_files import judge_path, read_basis

    return judge_path(path, read_basis([Path(root)], [], [], datetime.now(UTC)), lambda _: None).report


def _complete(report: Any) -> None:
    if report.verdict.value != "complete":
        raise SystemExit(f"the workload is {report.verdict}: {report.as_json()}")


def _sha256(path: Path) -> None:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _peak_mb() -> float:
    # ru_maxrss would count the parent's memory before exec.
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / MEGA


def main(name: str, path: str, *arguments: str) -> None:
    """Run one job and say what it came to."""
    begin, found = time.perf_counter(), JOBS[name](Path(path), *arguments)
    process = {"peak_mb": _peak_mb(), "cpu_s": time.process_time(), "wall_s": time.perf_counter() - begin}
    sys.stdout.write(json.dumps({**found, **process}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
