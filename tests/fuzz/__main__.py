"""`python -m tests.fuzz [--rounds N] [--seed S] [TARGET...]`: fuzz, keep what reached something new in `corpus.json`,
and say what broke, as bytes to be played again."""

import argparse
import sys

from tests.fuzz.corpus import corpus, keep
from tests.fuzz.coverage import Target, fuzz
from tests.fuzz.targets import TARGETS


def main(arguments: list[str]) -> int:
    """1 when something broke, 130 when it was broken off; what was kept until then stays."""
    given = _asked(arguments)
    chosen = [target for target in TARGETS if not given.targets or target.name in given.targets]
    try:
        broken = sum([_fuzzed(target, given.rounds, given.seed) for target in chosen])
    except KeyboardInterrupt:
        sys.stderr.write("broken off; what the targets above reached is kept in corpus.json\n")
        return 130
    return 1 if broken else 0


def _fuzzed(target: Target, rounds: int, seed: int) -> int:
    before = corpus(target.name)
    found = fuzz(target, before, rounds, seed)
    new = [it for it in found.kept if it not in {*target.seeds()}]
    keep(target.name, [*before, *new])  # none that once was new goes
    sys.stdout.write(f"{target.name}: {len(found.edges)} edges, {len(found.kept)} kept, {len(found.broken)} broken\n")
    for what, data in found.broken.items():
        sys.stdout.write(f"    {what}: {data!r}\n")
    sys.stdout.flush()
    return len(found.broken)


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20_000, help="inputs for each target (20 000)")
    parser.add_argument("--seed", type=int, default=1, help="another one finds other inputs (1)")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(target.name for target in TARGETS))
    given = parser.parse_args(arguments)
    if unknown := {*given.targets} - {target.name for target in TARGETS}:
        parser.error(f"there is no target {', '.join(sorted(unknown))}; --help names them")
    if given.rounds < 1:
        parser.error(f"--rounds {given.rounds} would look at nothing")
    return given


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
