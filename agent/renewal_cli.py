"""`liuhen-agent renew, rotate`: the next TLS certificate, by hand or by a timer; the next evidence key, by hand."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.errors import OperatorFault

output, errors = Console(markup=False), Console(markup=False, stderr=True)


def renew(
    config: Annotated[Path, typer.Option("--config", help="agent.toml 的路径")],
    force: Annotated[bool, typer.Option("--force", help="未到期也换")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """连接证书过了三分之二有效期即续期：先试用，再替换；不断开现有连接。 Renew the TLS certificate.

    示例： liuhen-agent renew --config /etc/liuhen/agent.toml
    """
    from agent import errands, tls_renewal
    from agent.clock import system_clock
    from agent.config import read_config

    found = read_config(config)
    now = system_clock().read().wall
    force = force or errands.is_ordered(found)
    for line in errands.run(found, now):
        errors.out(line, highlight=False)
    done = tls_renewal.renew(
        found, now, tls_renewal.https_ask(found), tls_renewal.broker_probe(found.broker), force=force
    )
    if done.changed:
        errands.is_ordered(
            found
        )  # shows the new certificate: whoever copied the old key gets no other one from then on
    days = (done.until - now).days
    if as_json:
        output.out(json.dumps({"changed": done.changed, "until": done.until.isoformat(), "days": days}))
    else:
        state = "已续期，下次连接起使用" if done.changed else "未到续期时间"
        output.out(f"连接证书{state}，有效至 {done.until:%Y-%m-%d}（{days} 天）。", highlight=False)


def rotate(
    config: Annotated[Path, typer.Option("--config", help="agent.toml 的路径")],
    out: Annotated[Path | None, typer.Option("--out", help="离线：把申请写到这里，带到工作台")] = None,
    answer: Annotated[Path | None, typer.Option("--answer", help="离线：工作台的答复")] = None,
    serial_file: Annotated[Path | None, typer.Option(help="硬件序列号所在的文件；缺省为树莓派的")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """更换证据密钥：旧密钥签过的照样可核验，新密钥即刻起签名；本机代理须先停止。 Rotate the evidence key.

    示例： liuhen-agent rotate --config /var/lib/liuhen/agent.toml

    示例： liuhen-agent rotate --config agent.toml --out /media/usb/REC-0001.dsse
    """
    from agent import durable, key_rotation
    from agent.clock import system_clock
    from agent.config import read_config
    from agent.firstboot import SERIAL_FILES, hardware_serial

    if out and answer:
        raise OperatorFault("--out 与 --answer 只能写一个。请先 --out，带回答复后再 --answer。")
    found, now = read_config(config), system_clock().read().wall
    if answer is None:
        hardware = hardware_serial((serial_file,) if serial_file else SERIAL_FILES)
        request = key_rotation.rotation_request(found, hardware, now)
        if out is not None:
            durable.write_bytes(out, request)
            step = "下一步：在工作台运行 liuhen-provision rotate --request，再带回答复运行 --answer。"
            _say(f"换钥申请已写到 {out}。{step}", {"request": str(out)}, as_json)
            return
        reply = key_rotation.https_ask(found)(request)
    else:
        reply = key_rotation.read_reply(answer)
    done = key_rotation.install(found, reply, now)
    said = f"证据密钥已更换（{done.key[:16]}…），证书有效至 {done.until:%Y-%m-%d}。"
    step = "下一步：在中心运行 trust --install 换上新的信任清单，再启动 liuhen-agent。"
    _say(said + step, {"key": done.key, "until": done.until.isoformat()}, as_json)


def _say(line: str, facts: dict[str, str], as_json: bool) -> None:
    output.out(json.dumps(facts, ensure_ascii=False) if as_json else line, highlight=False)
