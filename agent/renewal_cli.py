"""`liuhen-agent renew`: the next TLS certificate, by hand or by a timer."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

output = Console()


def renew(
    config: Annotated[Path, typer.Option("--config", help="agent.toml 的路径")],
    force: Annotated[bool, typer.Option("--force", help="未到期也换")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """连接证书过了三分之二有效期即续期：先试用，再替换；不断开现有连接。 Renew the TLS certificate.

    示例： liuhen-agent renew --config /etc/liuhen/agent.toml
    """
    from agent import tls_renewal
    from agent.clock import system_clock
    from agent.config import read_config

    found = read_config(config)
    now = system_clock().read().wall
    done = tls_renewal.renew(
        found, now, tls_renewal.https_ask(found), tls_renewal.broker_probe(found.broker), force=force
    )
    days = (done.until - now).days
    if as_json:
        output.out(json.dumps({"changed": done.changed, "until": done.until.isoformat(), "days": days}))
    else:
        state = "已续期，下次连接起使用" if done.changed else "未到续期时间"
        output.out(f"连接证书{state}，有效至 {done.until:%Y-%m-%d}（{days} 天）。", highlight=False)
