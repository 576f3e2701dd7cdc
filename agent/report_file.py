"""Where `liuhen-verify --report` writes: over nothing but an earlier report."""

import os
from pathlib import Path

from agent import durable
from agent.adapters.one_open_file import open_regular
from agent.errors import EnvironmentFault, OperatorFault

REPORT_MARK = "<h1>录像检验报告".encode()
MARK_WITHIN = 64 * 1024  # ours; the style comes before it


def write_report(target: Path, html: str) -> None:
    """Write a report to `target`, over nothing but an earlier report and through no link; raises `OperatorFault`."""
    try:
        if os.path.lexists(target) and (target.is_symlink() or REPORT_MARK not in _beginning(target)):
            raise OperatorFault(f"{target} 已存在且不是检验报告，未写入，以免盖掉证据。请用 --report 另取一个名字。")
        durable.write_bytes(target, html.encode(), durable.SHARED)
    except (OSError, EnvironmentFault) as error:
        why = f"{error.strerror}。" if isinstance(error, OSError) else f"{error}"
        raise OperatorFault(f"无法写入报告 {target}：{why}请换一个位置，结论不受影响。") from error


def _beginning(path: Path) -> bytes:
    with open_regular(path) as stream:
        return stream.read(MARK_WITHIN)
