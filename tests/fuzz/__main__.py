"""`python -m tests.fuzz [--rounds N] [--seed S] [TARGET...]`: fuzz, keep what reached something new in `corpus.json`,
and say what broke, as bytes to be played again."""

import argparse
import sys

from tests.fuzz.corpus import corpus, keep
from tests.fuzz.coverage import fuzz
from tests.fuzz.targets import TARGETS


def main(arguments: list[str]) -> int:
    """1 when something broke."""
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz")
    asked.add_argument("--rounds", type=int, default=20_000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("targets", nargs="*")
    given = asked.parse_args(arguments)
    broken = 0
    for target in TARGETS:
        if given.targets and target.name not in given.targets:
            continue
        found = fuzz(target, corpus(target.name), given.rounds, given.seed)
        keep(target.name, [it for it in found.kept if it not in {*target.seeds()}])
        broken += len(found.broken)
        sys.stdout.write(
            f"{target.name}: {len(found.edges)} edges, {len(found.kept)} kept, {len(found.broken)} broken\n"
        )
        for what, data in found.broken.items():
            sys.stdout.write(f"    {what}: {data!r}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
