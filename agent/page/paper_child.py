"""`python -m agent.page.paper_child AGENT.TOML NAME`: one paper as PDF on standard output, in a process that ends with
it."""

import sys
from pathlib import Path

from agent.adapters.paper_folder import PaperFolder
from agent.adapters.paper_pdf import write_pdf
from agent.config import read_config
from agent.errors import LiuhenFault


def main() -> int:
    """The command of the child."""
    config, name = sys.argv[1:]
    try:
        pdf = write_pdf(PaperFolder(read_config(Path(config)).state_dir).read(name))
    except LiuhenFault as fault:
        sys.stderr.write(f"{fault}\n")
        return fault.exit_code
    sys.stdout.buffer.write(pdf)
    return 0


if __name__ == "__main__":
    sys.exit(main())
