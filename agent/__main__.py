"""`python -m agent`, the same as `liuhen-agent`. A line that only starts the device goes on there at once, without the
command line's libraries: loading them is half of what a start takes, and a slow board takes it many times over."""

import sys

from agent.command import become

PLAIN = {"--config", "--log-level"}


def main() -> None:
    """The command; whatever is more than a plain `run` is read by `agent.cli`."""
    verb, *words = sys.argv[1:] or [""]
    given = dict(zip(words[::2], words[1::2], strict=False))
    if verb == "run" and "--config" in given and given.keys() <= PLAIN and len(words) == 2 * len(given):
        become("agent.daemon", given["--config"], given.get("--log-level", "info"))
    from agent import cli

    cli.main()


if __name__ == "__main__":
    main()
