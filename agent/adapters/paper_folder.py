"""The folder of papers in the state folder: one private file each, never written over."""

import re
from pathlib import Path

from agent import durable
from agent.duty.papers import MAX_PAPER_BYTES, PAPER_SUFFIX, PAPERS, Paper, parse_paper
from agent.errors import EnvironmentFault, OperatorFault, SenderFault

DRAFTS = ".*.new"  # as agent.durable calls a file that is being written
NAME = re.compile(r"([a-z-]+)-([0-9]{6,})")


class PaperTaken(OperatorFault):
    """A paper of that number stands here already; `highest` is the greatest serial number of its kind."""

    def __init__(self, name: str, highest: int) -> None:
        super().__init__(f"编号已用过：{name} 已有文书，未出具。请再执行一次。")
        self.highest = highest


class PaperFolder:
    """`papers/` in `state_dir`. What parties wrote stands in it: for the device's own user alone."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / PAPERS

    def keep(self, name: str, paper: Paper) -> None:
        """Bring the paper to the disk; raises `PaperTaken` when its file is there, `EnvironmentFault`."""
        durable.make_directory(self._folder, 0o700)
        path = self._path(name)
        if path.exists():
            raise PaperTaken(name, self._highest(name))
        durable.write_bytes(path, paper.encode(), durable.PRIVATE)

    def sweep(self) -> None:
        """Take away what a kill left half written: nothing was told of it. Raises `EnvironmentFault`."""
        try:
            for path in self._folder.glob(DRAFTS):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise EnvironmentFault(f"文书目录 {self._folder} 无法清理（{error.strerror}）。请检查存储卡。") from error

    def read(self, name: str) -> Paper:
        """The paper in file `name`; raises `OperatorFault` when it is not there or cannot be read as one."""
        path = self._path(name)
        try:
            if path.stat().st_size > MAX_PAPER_BYTES:
                raise OperatorFault(f"文书文件 {path.name} 过大，已拒绝。请从备份恢复。")
            return parse_paper(path.read_bytes())
        except FileNotFoundError as error:
            raise OperatorFault(f"文书文件 {path.name} 不在本机。请从备份恢复，或重新出具。") from error
        except OSError as error:
            raise EnvironmentFault(f"文书文件 {path.name} 无法读取（{error.strerror}）。请检查存储卡。") from error
        except SenderFault as fault:
            raise OperatorFault(f"文书文件 {path.name} 已损坏（{fault}）请从备份恢复，或重新出具。") from fault

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise OperatorFault(f"“{name[:40]}”不是文书文件的名称。")
        return self._folder / f"{name}{PAPER_SUFFIX}"

    def _highest(self, name: str) -> int:
        kind = name.rpartition("-")[0]
        found = (NAME.fullmatch(path.stem) for path in self._folder.glob(f"{kind}-*{PAPER_SUFFIX}"))
        return max((int(match[2]) for match in found if match is not None and match[1] == kind), default=0)
