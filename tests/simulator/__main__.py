"""`python -m tests.simulator`: play seeds; the first that fails is told with the command that plays it again."""

import argparse
import json
import logging
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.simulator.district import District, Keys

MEMORY = Path("/dev/shm")
EXAMPLES = """examples:
  python -m tests.simulator                        seeds 0 to 99
  python -m tests.simulator --seeds 5000:15000     for a night
  python -m tests.simulator --seed 4711 --log      one seed once more, with what the rooms log
"""


@dataclass(frozen=True)
class Played:
    """What one seed came to; `fault` is empty where everything held."""

    seed: int
    hours: float
    steps: int
    events: int
    faults: Counter[str]
    fault: str = ""


def play(seed: int, keys: Keys, minutes: float) -> Played:
    """One district, from its start to its end."""
    folder = Path(tempfile.mkdtemp(prefix=f"district-{seed}-", dir=MEMORY if MEMORY.is_dir() else None))
    district = District(seed, folder, keys)
    fault = ""
    try:
        district.start()
        district.play(minutes)
        district.heal()
        district.check_end()
    except Exception as error:  # noqa: BLE001 - whatever a room raises is what this seed has found
        where = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{where.name}: {type(error).__name__} {error}"
    finally:
        for device in district.devices.values():
            device.cut_power()
        district.centre.cut_power()
        shutil.rmtree(folder)
    hours = district.world.now_ns / 3600e9 * len(district.devices)
    events = sum(it.devseq for it in district.devices.values())
    return Played(seed, hours, district.world.steps, events, Counter(district.faults), fault)


def main(arguments: list[str]) -> int:
    """The command; exit code 1 when a seed failed, 130 when it was broken off."""
    options = _asked(arguments)
    logging.basicConfig(level=logging.DEBUG if options.log else logging.CRITICAL)
    seeds = range(options.seed, options.seed + 1) if options.seed is not None else options.seeds
    keys, began, done, broken_off = Keys(), time.monotonic(), list[Played](), False
    try:
        for seed in seeds:
            done.append(played := play(seed, keys, options.minutes))
            if played.fault:
                sys.stderr.write(f"seed {seed}: {played.fault}\n  python -m tests.simulator --seed {seed} --log\n")
    except KeyboardInterrupt:
        broken_off = True
        rest = f"{seeds.start + len(done)}:{seeds.stop}"
        sys.stderr.write(f"broken off; the rest: python -m tests.simulator --seeds {rest}\n")
    _tell(done, time.monotonic() - began, as_json=options.json)
    return 130 if broken_off else 1 if any(it.fault for it in done) else 0


def _tell(done: list[Played], seconds: float, *, as_json: bool) -> None:
    failed = [it.seed for it in done if it.fault]
    minutes, events = sum(round(it.hours * 60) for it in done), sum(it.events for it in done)
    faults = sum((it.faults for it in done), Counter[str]())
    if as_json:
        told = {"seeds": len(done), "steps": sum(it.steps for it in done), "events": events, "device_minutes": minutes}
        sys.stdout.write(json.dumps({**told, "seconds": round(seconds, 1), "faults": faults, "failed": failed}) + "\n")
    else:
        sys.stdout.write(
            f"{len(done)} seeds, {minutes / 60:.0f} device-hours, {events} events, "
            f"{sum(faults.values())} deeds in {seconds:.0f} s: {len(failed)} failed {failed[:20]}\n"
        )


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=_range, default="0:100", metavar="FIRST:END", help="END is not played")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--minutes", type=_minutes, default=10, help="of faults, before everything is healed")
    parser.add_argument("--log", action="store_true", help="show what the rooms log")
    parser.add_argument("--json", action="store_true", help="one line at the end for programs")
    return parser.parse_args(arguments)


def _range(text: str) -> range:
    """`FIRST:END`, or one seed. A range that holds none would be green without a word."""
    first, _, end = text.partition(":")
    if not first.isdecimal() or not (end or first).isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not FIRST:END, as 0:100")
    found = range(int(first), int(end or int(first) + 1))
    if not found:
        raise argparse.ArgumentTypeError(f"{text} holds no seed: END must be above FIRST")
    return found


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} minutes are no time in which anything goes wrong")
    return minutes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
