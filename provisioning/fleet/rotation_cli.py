"""`liuhen-provision rotate`: new keys for devices in use."""

from pathlib import Path
from typing import Annotated

import typer

from agent import durable
from agent.errors import OperatorFault
from provisioning.authority.authority import open_authority
from provisioning.authority.certificates import Profile
from provisioning.cli_frame import read_given, tell
from provisioning.fleet.enrolment import enrolment_desk
from provisioning.fleet.inventory import open_inventory
from provisioning.fleet.inventory_cli import AuthorityDir, By, Json, now, operator
from provisioning.fleet.rotation import Due, due, order, rotate_evidence

KEYS = {Profile.TLS_CLIENT: "连接密钥", Profile.EVIDENCE: "证据密钥"}


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command(
        epilog="例：liuhen-provision rotate REC-0001 --authority authority；rotate --due --authority authority"
    )(rotate)


def rotate(
    authority: AuthorityDir,
    device: Annotated[str, typer.Argument(help="在用的设备；与 --due 同用时不写")] = "",
    list_due: Annotated[bool, typer.Option("--due", help="只列出该换的")] = False,
    request: Annotated[Path | None, typer.Option(help="设备的换钥申请（liuhen-agent rotate --out）")] = None,
    out: Annotated[Path | None, typer.Option(help="答复写到这里，带回设备")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """换钥：令设备换连接密钥（它下次续期检查时自取），或答复其证据密钥申请；新旧证书都有效 (rotate keys)."""
    source = open_authority(authority, operator(by))
    if list_due == bool(device) or (request is None) != (out is None):
        raise OperatorFault("请写明一台设备，或只写 --due；--request 与 --out 须同时写。")
    if list_due:
        with open_inventory(source.folder, source.by) as inventory:
            _list(due(inventory, now()), as_json)
    elif request is not None and out is not None:
        with enrolment_desk(source) as desk:
            durable.write_bytes(out, rotate_evidence(desk, read_given(request), now(), device))
        step = f"下一步：在设备上运行 liuhen-agent rotate --answer {out.name}，再在中心运行 trust --install。"
        facts = {"device": device, "which": "evidence", "answer": out}
        tell(f"{device} 的新证据证书已签发，旧的仍可核验，答复已写到 {out}。{step}", facts, as_json=as_json)
    else:
        with open_inventory(source.folder, source.by) as inventory:
            order(inventory, device, now())
        step = "下一步：serve 须在运行；设备每天检查一次，或在设备上运行 liuhen-agent renew。"
        tell(f"已令 {device} 换连接密钥。{step}", {"device": device, "which": "tls"}, as_json=as_json)


def _list(found: tuple[Due, ...], as_json: bool) -> None:
    lines = [
        f"{it.device}  {KEYS[it.profile]}  有效至 {it.until:%Y-%m-%d}{'  已下令' if it.ordered else ''}" for it in found
    ]
    step = "下一步：连接密钥由设备自己续期，久未联网的请让它联网；证据密钥在设备上运行 liuhen-agent rotate。"
    facts = [{"device": it.device, "which": it.profile.label, "until": it.until, "ordered": it.ordered} for it in found]
    tell("\n".join([*lines, step]) if lines else "没有该换的密钥。", {"due": facts}, as_json=as_json)
