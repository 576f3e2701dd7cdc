"""The roles of a rehearsal as real processes of this computer, started by their commands and ended in reverse."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self, TypeVar

from agent.errors import EnvironmentFault

STOP_SECONDS = 8.0  # the roles promise to stop within 5 s of SIGTERM
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 5

_T = TypeVar("_T")


class Role:
    """One running process with a name for people and a log file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name, self._process, self._log = name, process, log

    @property
    def pid(self) -> int:
        """The number of the process, for whoever looks at what it holds."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        """The process's standard input."""
        if self._process.stdin is None:
            raise ValueError(f"{self.name} was started without standard input")
        return self._process.stdin

    def check_alive(self) -> None:
        """Raise `EnvironmentFault` with the end of the log when the process has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise EnvironmentFault(f"{self.name} 意外退出（代码 {code}）。日志 {self._log} 末尾：{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of the log, joined into one."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(lines[-LOG_TAIL_LINES:]) or "（空）"

    def kill(self) -> None:
        """SIGKILL: what a power cut looks like to a process."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, then SIGKILL after `STOP_SECONDS`; returns the exit code. Safe to call again."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode


class Processes:
    """Starts roles and, on leaving, stops every one that still runs, the last started first."""

    def __init__(self, logs: Path) -> None:
        self._logs, self._stack = logs, ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def start(self, name: str, argv: Sequence[str | Path], *, with_input: bool = False) -> Role:
        """Start `argv`; its output goes to `<logs>/<name>.log`, which grows over restarts."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        role = Role(name, process, log)
        self._stack.callback(role.stop)
        return role


def command(name: str) -> Path:
    """The installed command `name` beside this Python; raises `EnvironmentFault` when it is not there."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise EnvironmentFault(f"找不到命令 {path}。请先安装：make demo 会自动完成。")
    return path


def run(argv: Sequence[str | Path], *, accept: Sequence[int] = (0,)) -> str:
    """Run a short command to its end and return what it printed; raises `EnvironmentFault` with its own words."""
    done = subprocess.run([str(word) for word in argv], check=False, capture_output=True, text=True)
    if done.returncode not in accept:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise EnvironmentFault(
            f"{Path(argv[0]).name} 失败（代码 {done.returncode}）：{words[-1] if words else '无输出'}"
        )
    return done.stdout


def free_port() -> int:
    """A loopback TCP port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, probe: Callable[[], _T | None], seconds: float, roles: Sequence[Role] = ()) -> _T:
    """The first truthy answer of `probe`; raises `EnvironmentFault` naming `what` when time is up or a role died."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        for role in roles:
            role.check_alive()
        if time.monotonic() >= deadline:
            raise EnvironmentFault(f"等待“{what}”超过 {seconds:.0f} 秒。请查看工作目录中 logs/ 下的日志。")
        time.sleep(POLL_SECONDS)


def listens(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
