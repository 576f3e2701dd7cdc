"""Which syncs of a scenario nobody would miss: each kind of them is taken out of the trace by itself, and the checker
that finds nothing wrong otherwise must find a promise broken. One that is not missed protects nothing that is promised,
or the checker does not look."""

import re
from pathlib import Path

from tests.faults.disk import Model
from tests.faults.explorer import Scenario, judge, played, without
from tests.faults.operations import Synced, Trace

HEX, NUMBER, CHANCE = re.compile(r"[0-9a-f]{8,}"), re.compile(r"\d+"), re.compile(r"(\.export)-\w{8}\b")
AT_A_TIME = 40  # disks, each time others: most syncs are missed among the first


def kind(sync: Synced) -> str:
    """What was synced, alike for all files of a kind: numbers, digests and names of chance are left out."""
    if sync.node is None:
        return "everything"
    name = NUMBER.sub("N", HEX.sub("H", CHANCE.sub(r"\1-H", sync.node.path)))
    return f"{name}/" if sync.node.is_folder else name


def unmissed(scenario: Scenario, folder: Path, budget: int, rounds: int) -> tuple[list[str], int]:
    """The kinds of syncs without which some `budget` disks break no promise, and of how many. Raises `TraceFault`."""
    bench, traced = played(scenario, folder, str(rounds))
    kinds = list(dict.fromkeys(kind(it) for _, it in traced.operations if isinstance(it, Synced)))
    return [it for it in kinds if not _missed(scenario, bench, traced, it, budget)], len(kinds)


def _missed(scenario: Scenario, bench: Path, traced: Trace, left_out: str, budget: int) -> bool:
    worse = without(traced, lambda sync: kind(sync) == left_out)
    tries = range(max(1, budget // AT_A_TIME))
    return any(judge(scenario, worse, [], bench, Model.STRICT, min(budget, AT_A_TIME), seed).broken for seed in tries)
