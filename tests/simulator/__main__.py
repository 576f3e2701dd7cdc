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
  python -m tests.simulator --seeds 5000:15000     what runs at night
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


def main() -> int:
    """The command; exit code 1 when a seed failed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", default="0:100", metavar="FIRST:END", help="END is not played")
    parser.add_argument("--seed", type=int, help="this one only")
    parser.add_argument("--minutes", type=float, default=10, help="of faults, before everything is healed")
    parser.add_argument("--log", action="store_true", help="show what the rooms log")
    parser.add_argument("--json", action="store_true", help="one line at the end for programs")
    options = parser.parse_args()
    logging.basicConfig(level=logging.DEBUG if options.log else logging.CRITICAL)
    first, _, end = options.seeds.partition(":")
    seeds = [options.seed] if options.seed is not None else range(int(first), int(end or int(first) + 1))
    keys, began, told = Keys(), time.monotonic(), Counter[str]()
    faults: Counter[str] = Counter()
    failed = []
    for seed in seeds:
        played = play(seed, keys, options.minutes)
        told.update(seeds=1, steps=played.steps, events=played.events, device_minutes=round(played.hours * 60))
        faults += played.faults
        if played.fault:
            failed.append(seed)
            sys.stderr.write(f"seed {seed}: {played.fault}\n  python -m tests.simulator --seed {seed} --log\n")
    seconds = time.monotonic() - began
    if options.json:
        sys.stdout.write(json.dumps({**told, "seconds": round(seconds, 1), "faults": faults, "failed": failed}) + "\n")
    else:
        sys.stdout.write(
            f"{told['seeds']} seeds, {told['device_minutes'] / 60:.0f} device-hours, {told['events']} events, "
            f"{sum(faults.values())} deeds in {seconds:.0f} s: {len(failed)} failed {failed[:20]}\n"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
