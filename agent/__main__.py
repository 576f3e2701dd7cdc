"""`python -m agent`, the same as `liuhen-agent`."""

from agent.cli import main

main()
