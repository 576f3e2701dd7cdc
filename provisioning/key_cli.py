"""`liuhen-provision archive-key` and `complaint-key`: key pairs that only one desk of the district opens with."""

from pathlib import Path
from typing import Annotated

import typer

from provisioning.authority.archive_key import ARCHIVE_KEY, ARCHIVE_PUBLIC, make_archive_key
from provisioning.authority.authority import open_authority
from provisioning.authority.complaint_key import COMPLAINT_KEY, COMPLAINT_PUBLIC, make_complaint_key
from provisioning.cli_frame import tell

AuthorityDir = Annotated[Path, typer.Option("--authority", help="机构目录（init-ca 所建）")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


def archive_key(authority: AuthorityDir, as_json: Json = False) -> None:
    """补建存档密钥（init-ca 已自动建好）：录像为它加密，只有存档处能解开 (archive key pair)."""
    changed = make_archive_key(open_authority(authority).folder)
    state = "已写好" if changed else "没有变化"
    message = (
        f"{authority / ARCHIVE_PUBLIC} {state}。下一步：add-device 会把它发给记录仪；"
        f"把 {ARCHIVE_KEY} 移到存档处并离线备份，丢失则录像无人能读。"
    )
    tell(message, {"folder": authority, "changed": changed}, as_json=as_json)


def complaint_key(authority: AuthorityDir, as_json: Json = False) -> None:
    """补建投诉密钥（init-ca 已自动建好）：公示屏上的投诉为它加密，只有受理处能读 (complaint key pair)."""
    changed = make_complaint_key(open_authority(authority).folder)
    state = "已写好" if changed else "没有变化"
    message = (
        f"{authority / COMPLAINT_PUBLIC} {state}。下一步：add-device 会把它发给窗口终端（已有的终端再运行一次即补上）；"
        f"把 {COMPLAINT_KEY} 移到投诉受理处，用 liuhen-center complaints --key 阅读。"
    )
    tell(message, {"folder": authority, "changed": changed}, as_json=as_json)
