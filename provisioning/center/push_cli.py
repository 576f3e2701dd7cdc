"""`liuhen-center push`: released disclosures to an upper-level platform, and again until it has them."""

import random
import time
from pathlib import Path
from typing import Annotated

import typer

from agent.clock import system_clock
from agent.errors import EnvironmentFault, OperatorFault
from provisioning.center.config import CenterConfig, read_config
from provisioning.center.upward import PUSHED, HttpPlatform, Ledger, Pushed, parcels, push_all, retry_after
from provisioning.center.watched import ReleasedFolder, TrustFile
from provisioning.cli_frame import tell

LOOK_S = 5.0  # ours: 即时推送, and no watching of a folder that another machine may write to


def push(
    config: Annotated[Path, typer.Option("--config", help="center.toml 的路径")],
    to: Annotated[str, typer.Option("--to", help="上级平台的地址，https://…")],
    token_file: Annotated[Path | None, typer.Option("--token-file", help="存放访问令牌的文件")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="上级平台的根证书 (PEM)")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="持续运行，有新的即推送；失败的退避重试")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """把已发布的公示推送到上级平台：可重复、失败重试 (push to the platform above, idempotent)。"""
    settings, platform = read_config(config), HttpPlatform(to, _token(token_file), ca)
    ledger, failures = Ledger(settings.folder / PUSHED).load(), 0
    while True:
        done = _pass(settings, platform, ledger)
        if done.taken or done.refused or not watch:
            _tell(done, as_json=as_json)
        if not watch:
            break
        failures = failures + 1 if done.later else 0
        time.sleep(max(LOOK_S, retry_after(failures, random.SystemRandom().random)) if failures else LOOK_S)
    if done.later:
        raise EnvironmentFault(f"还有 {len(done.later)} 件没有送达上级平台。请稍后重新运行，已送达的不会重复。")


def _pass(settings: CenterConfig, platform: HttpPlatform, ledger: Ledger) -> Pushed:
    from provisioning.center.receiver import first_trust, root_of  # SQLAlchemy is an extra

    trust = first_trust(TrustFile(settings.trust_list, root_of(settings)))
    found = parcels(ReleasedFolder(settings.released), trust, settings.district, system_clock().read().wall)
    return push_all(found, platform, ledger)


def _tell(done: Pushed, *, as_json: bool) -> None:
    facts = {"taken": list(done.taken), "later": dict(done.later), "refused": dict(done.refused)}
    text = f"送达 {len(done.taken)} 件，待重试 {len(done.later)} 件，被拒 {len(done.refused)} 件。"
    tell(text, facts, as_json=as_json)


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror}。请检查 --token-file。") from error
