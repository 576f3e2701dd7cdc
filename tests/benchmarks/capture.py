"""Order C's figures of capture: what recording costs beside FFmpeg and GStreamer, and how soon things are on the disk.

The three programs record the same looped pictures in real time, one after the other, with the same x264 settings,
watermark and half-second fragments; ours signs and syncs besides. What each costs is read from /proc between two
moments of its run, so starting up is nobody's. A busy machine shows less in processor time than in times on the wall.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agent.adapters.fragment_muxer import sample_counts
from agent.adapters.glyph_font import font_file
from tests.benchmarks.figures import Bench, Row

FPS, CLIP_S, WARM_S = 30, 2, 3
SIZES = {"720p30": (1280, 720, 4000), "1080p30": (1920, 1080, 8000)}
WORDS = "REC-0001 110042 星河区综合行政执法局"
NOT_RUN = "not run"
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 60.0


def job(bench: Bench, name: str, *arguments: object) -> dict[str, Any]:
    """Run a job of `tests.benchmarks.capture_jobs` in its own process and folder."""
    bench.tell(name)
    folder = _fresh(bench, name)
    command = [sys.executable, "-m", "tests.benchmarks.capture_jobs", name, str(folder), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def capture_cpu(bench: Bench) -> list[Row]:
    """Processor seconds a second of video, ours and the peers'."""
    rows = []
    for name, (width, height, kbps) in SIZES.items():
        clip = _clip(bench, width, height)
        seconds = 4 if bench.quick else 10
        turns = {"ours": _ours, "ffmpeg": _ffmpeg, "gstreamer": _gstreamer}
        spent: dict[str, list[float]] = {peer: [] for peer in turns}
        for _ in range(1 if bench.quick else 3):
            for peer, command in turns.items():
                bench.tell(f"{name} {peer}")
                found = _cost(bench, command(clip, width, height, kbps), seconds)
                spent[peer] += [] if found is None else [found]
        clip.unlink()
        shutil.rmtree(clip.with_suffix(".frames"))
        rows += _cpu_rows(name, {peer: statistics.median(row) for peer, row in spent.items() if row})
    return rows


def _cpu_rows(name: str, cpu: dict[str, float]) -> Iterator[Row]:
    ours = cpu["ours"]
    note = "CPU s a second of video; ours also signs and syncs. Same pictures, x264 ultrafast zerolatency, 1 thread"
    for peer, most, missing in (("ffmpeg", 1.15, "ffmpeg"), ("gstreamer", 0.85, "gst-launch-1.0 with x264enc")):
        figure = f"recording {name} beside {peer}"
        if peer not in cpu:
            yield Row(figure, f"{ours:.4f}", f"<= {most}x", None, f"{NOT_RUN}: {missing} is not here", note=note)
            continue
        share = ours / cpu[peer]
        yield Row(
            figure, f"{ours:.4f} ({share:.2f}x)", f"<= {most}x", share <= most, f"{cpu[peer]:.4f}", 1 / share, note
        )


def watermark_cpu(bench: Bench) -> list[Row]:
    """The watermark beside the encoder that follows it."""
    rows = []
    for name, (width, height, kbps) in SIZES.items():
        found = job(bench, "watermark", width, height, kbps)
        share = 100 * found["drawing_s"] / found["encoding_s"]
        note = f"Chinese in {found['font']}; {1000 * found['drawing_s']:.1f} ms a second of video"
        rows.append(Row(f"watermark {name}, of encoding", f"{share:.2f} %", "<= 3 %", share <= 3, note=note))
    return rows


def first_encoded_frame(bench: Bench) -> list[Row]:
    """From the start of a process to the first coded picture of its recorder; the first of all only compiles."""
    took, cpu, environment = [], [], _compiled(bench)
    for number in range(6 if bench.quick else 12):
        folder = _fresh(bench, f"first-{number}")
        command = [sys.executable, "-m", "tests.benchmarks.first_frame", str(folder)]
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        at, spent = map(float, done.stdout.split())
        took.append(at - begin)
        cpu.append(spent)
    took, cpu = took[1:], cpu[1:]
    best, middle = min(took), statistics.median(took)
    note = f"test scene 720p30 with sound; median of {len(took)}, best {best:.2f} s, processor {min(cpu):.2f} s"
    return [Row("process start to first coded picture", f"{middle:.2f} s", "<= 0.35 s", middle <= 0.35, note=note)]


def _compiled(bench: Bench) -> dict[str, str]:
    """An environment in which modules stay compiled from one run to the next, as they are after an installation."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(_fresh(bench, "compiled"))}


def pre_event_ring(bench: Bench) -> list[Row]:
    """Two minutes at 8 Mbit/s: what they cost in memory, and how soon after the press they are on the disk."""
    seconds, kbps = 120, 8000
    kept, flushed = job(bench, "ring", seconds, kbps), job(bench, "flush", seconds, kbps)
    share, lost = kept["grown"] / kept["payload"], flushed["frames_in"] - flushed["frames_out"]
    note = f"{kept['payload'] / 1e6:.0f} MB in the ring"
    fine = flushed["flush_s"] <= 0.5 and not lost
    told = (
        f"{flushed['cpu_s']:.2f} s of processor; {lost} of {flushed['frames_in']} pictures lost, all signed and synced"
    )
    return [
        Row("pre-event ring, memory over payload", f"{share:.2f}x", "<= 1.35x", share <= 1.35, note=note),
        Row("pre-event ring of 120 s, flushed", f"{flushed['flush_s']:.2f} s", "<= 0.5 s, 0 lost", fine, note=told),
    ]


def segment_cut(bench: Bench) -> list[Row]:
    """What a cut between two segments costs."""
    found = job(bench, "cut")
    fine = found["frames_in"] == found["frames_out"] and found["gap_ms"] <= 40
    note = f"{found['frames_in']} pictures in, {found['frames_out']} out of {found['segments']} segments"
    return [Row("segment cut", f"{found['gap_ms']:.1f} ms", "<= 40 ms, in = out", fine, note=note)]


def stop_to_sealed(bench: Bench) -> list[Row]:
    """A recording of ten minutes that is stopped."""
    minutes = 2 if bench.quick else 10
    found = job(bench, "stop", minutes, 8000)
    took = 1000 * found["sealed_s"]
    note = f"{found['size'] / 1e6:.0f} MB; its sums and their signature stand after {1000 * found['done_s']:.0f} ms"
    return [Row(f"stop to sealed, {minutes} min", f"{took:.0f} ms", "<= 100 ms", took <= 100, note=note)]


def agent_memory(bench: Bench) -> list[Row]:
    """The whole daemon while it records the test scene with sound, its broker out of reach."""
    from firmware_hooks.simulated_mcu import SimulatedMcu
    from tests.support.device import DistrictKeys

    bench.tell("agent")
    with SimulatedMcu() as mcu:
        more = f'[capture]\ncamera = "test"\n[hooks]\nmcu = "{mcu.device}"\n'
        config = DistrictKeys().write_folder(_fresh(bench, "agent"), 9, more=more)
        command = [sys.executable, "-m", "agent", "run", "--config", str(config)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
            films = config.parent / "state" / "recordings"
            try:
                _until(lambda: (config.parent / "state" / "agent.db").exists(), "the daemon's start")
                _until(lambda: _pressed(mcu, films), "the first fragment")
                time.sleep(5 if bench.quick else 15)
                resident, peak = (_status(daemon.pid, key) / 1000 for key in ("VmRSS", "VmHWM"))
            finally:
                daemon.send_signal(signal.SIGTERM)
                daemon.wait(20)
    note = f"720p30 and sound, recording; highest ever {peak:.0f} MB"
    return [Row("whole agent, resident", f"{resident:.0f} MB", "<= 120 MB", resident <= 120, note=note)]


def _pressed(mcu: Any, films: Path) -> bool:
    if not any(films.glob("*/*.mp4")):
        mcu.press()  # a press before the daemon listens is nobody's
        threading.Event().wait(2)
    return any(films.glob("*/*.mp4"))


def _status(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def _clip(bench: Bench, width: int, height: int) -> Path:
    """`CLIP_S` seconds of raw pictures as y4m, and each picture as a file of its own for GStreamer."""
    import av

    clip = bench.folder / f"{height}.y4m"
    frames = clip.with_suffix(".frames")
    frames.mkdir()
    scenery = f"testsrc2=size={width}x{height}:rate={FPS},format=yuv420p"
    with av.open(scenery, format="lavfi") as scene, clip.open("wb") as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for number, picture in zip(range(CLIP_S * FPS), scene.decode(video=0), strict=False):
            raw = _raw(picture)
            out.write(b"FRAME\n" + raw)
            (frames / f"{number:03d}").write_bytes(raw)
    return clip


def _raw(picture: Any) -> bytes:
    rows = []
    for plane in picture.planes:
        data = memoryview(plane)
        rows += [data[at : at + plane.width] for at in range(0, plane.height * plane.line_size, plane.line_size)]
    return b"".join(rows)


def _ours(clip: Path, width: int, height: int, kbps: int) -> list[str]:
    job = ["record", "{folder}", f"file:{clip}", str(width), str(height), str(kbps)]
    return [sys.executable, "-m", "tests.benchmarks.capture_jobs", *job]


def _ffmpeg(clip: Path, width: int, height: int, kbps: int) -> list[str]:
    if shutil.which("ffmpeg") is None:
        return []
    font = f"fontfile={font_file()}:" if font_file() else ""
    style = f"{font}fontsize={height // 36}:fontcolor=white:box=1:boxcolor=black:x=0"
    marks = f"drawtext={style}:y=0:text='%{{localtime}}',drawtext={style}:y={height // 30}:text='{WORDS}'"
    coder = f"-c:v libx264 -preset ultrafast -tune zerolatency -threads 1 -b:v {kbps}k -g {FPS}"
    mux = "-x264-params scenecut=0:repeat-headers=1 -f mp4 -frag_duration 500000 -flush_packets 1"
    mux += " -movflags empty_moov+default_base_moof+delay_moov"
    begin = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(clip), "-vf", marks]
    return [*begin, *shlex.split(coder), *shlex.split(mux), "{folder}/out.mp4"]


def _gstreamer(clip: Path, width: int, height: int, kbps: int) -> list[str]:
    if shutil.which("gst-launch-1.0") is None or not _has_plugin("x264enc") or not _has_plugin("clockoverlay"):
        return []
    frames = clip.with_suffix(".frames")
    marks = f"clockoverlay valignment=top halignment=left shaded-background=true ! textoverlay text='{WORDS}'"
    line = (
        f"multifilesrc location={frames}/%03d start-index=0 stop-index={CLIP_S * FPS - 1} loop=true "
        f"! rawvideoparse width={width} height={height} format=i420 framerate={FPS}/1 ! clocksync ! {marks} "
        f"! x264enc tune=zerolatency speed-preset=ultrafast threads=1 bitrate={kbps} key-int-max={FPS} "
        "! h264parse ! mp4mux fragment-duration=500 ! filesink location={folder}/out.mp4"
    )
    return ["gst-launch-1.0", "-q", *shlex.split(line)]


def _has_plugin(name: str) -> bool:
    return subprocess.run(["gst-inspect-1.0", name], capture_output=True, check=False).returncode == 0


def _cost(bench: Bench, command: list[str], seconds: int) -> float | None:
    """Processor seconds a second of the running `command`; None when it is not here or writes nothing."""
    if not command:
        return None
    folder = _fresh(bench, "out")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    line = [word.replace("{folder}", str(folder)) for word in command]
    with subprocess.Popen(line, **pipes) as process:
        try:
            _until(lambda: _size(folder) > 50_000, "the first bytes")
            time.sleep(WARM_S)
            begin, spent = _next_fragment(folder), _spent(process.pid)
            time.sleep(seconds)
            end, spent = _next_fragment(folder), _spent(process.pid) - spent
            process.kill()  # a busy machine may not keep the pace: what was written counts, not what time has passed
            return spent * FPS / (_pictures(folder, end) - _pictures(folder, begin))
        except TimeoutError:
            return None
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder)


def _spent(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _next_fragment(folder: Path) -> int:
    """Wait until a fragment is written; returns how large the film is then."""
    before = _size(folder)
    _until(lambda: _size(folder) > before, "a fragment", 0.003)
    time.sleep(0.02)  # written in pieces
    return _size(folder)


def _pictures(folder: Path, size: int) -> int:
    """The pictures in the first `size` bytes of the only film in `folder`."""
    (film,) = (place for place in folder.rglob("*.mp4") if place.is_file())
    found = at = 0
    with film.open("rb") as file:
        while at < size and len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4])
            if head[4:] == b"moof":
                found += sum(count for _, count in sample_counts(head + file.read(length - 8)))
            at += length
            file.seek(at)
    return found


def _size(folder: Path) -> int:
    return sum(place.stat().st_size for place in folder.rglob("*") if place.is_file())


def _until(condition: Callable[[], bool], what: str, every_s: float = 0.05) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"never: {what}")
        threading.Event().wait(every_s)


def _fresh(bench: Bench, name: str) -> Path:
    folder = bench.folder / f"capture-{name}"
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir()
    return folder


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {
    figure.__name__: figure
    for figure in (
        capture_cpu,
        watermark_cpu,
        first_encoded_frame,
        pre_event_ring,
        segment_cut,
        stop_to_sealed,
        agent_memory,
    )
}
