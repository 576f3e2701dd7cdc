"""A command line run in this process: what it prints and the code it ends with, without starting Python again.

What only a process can show (its start, signals, a closed pipe, limits) is tested with one; `test_packaging` starts
each installed command.
"""

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module


def run_here(module: str, *words: object, given: str = "") -> subprocess.CompletedProcess[str]:
    """As `python -m module words` with `given` on its standard input. An exception that would be a traceback there is
    raised here."""
    out, err = _stream(), _stream()
    argv = [module, *map(str, words)]
    with redirect_stdout(out), redirect_stderr(err), _process_kept():
        sys.argv, sys.stdin = argv, _stream(given)
        code = _exit_code(module)
    return subprocess.CompletedProcess(argv, code, _text(out), _text(err))


def _exit_code(module: str) -> int:
    try:
        import_module(module).main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@contextmanager
def _process_kept() -> Iterator[None]:
    """A command has its process to itself, its loggers too; here what it sets would outlive it."""
    words, typed = sys.argv, sys.stdin
    known = [it for it in logging.root.manager.loggerDict.values() if isinstance(it, logging.Logger)]
    kept = {it.name: (it.handlers[:], it.level, it.propagate) for it in known}
    try:
        yield
    finally:
        sys.argv, sys.stdin = words, typed
        for it in list(logging.root.manager.loggerDict.values()):
            if isinstance(it, logging.Logger):
                it.handlers[:], level, it.propagate = kept.get(it.name, ([], logging.NOTSET, True))
                it.setLevel(level)


def _stream(text: str = "") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
