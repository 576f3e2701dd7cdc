"""What many recordings freed must not stay with the process: a small board has other work for it."""

import subprocess
import sys

PROGRAM = """
from pathlib import Path
from agent.adapters.freed_memory import return_freed_memory
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 2**20
blocks = [bytes(600) for _ in range(60_000)]  # larger than what Python keeps in pools of its own
last = blocks[-1]  # lies behind all the others
blocks.clear()
before = resident()
return_freed_memory()
print(before - resident())
"""


def test_memory_that_lies_freed_between_what_is_used_goes_back_to_the_kernel() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 25  # of 36 MB
