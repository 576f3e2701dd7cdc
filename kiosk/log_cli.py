"""`liuhen-kiosk log`: is the log of what was shown whole, and what was shown at a moment."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from rich.console import Console

from agent.cli_frame import run_app
from agent.duty.windows import same_window
from agent.errors import OperatorFault, SenderFault
from agent.wire.identifiers import digest, key_id
from agent.wire.instant import BEIJING
from agent.wire.trust import Role, TrustList
from kiosk.beijing import minute_text
from kiosk.config import read_config
from kiosk.display_log import log_lines
from kiosk.display_record import FindKey, Head, VerifiedLog, verify_log
from kiosk.display_spans import Jump, Shown, Span, jumps, shown_at

FOLDER = "display-log"
HEAD = re.compile(r"(\d+):([0-9a-f]{64})")
CONFIG = typer.Option(help="kiosk.toml 的路径")
HEADS = typer.Option(help="中心收到的记录头，写作 条数:SHA-256，可重复（截短由此看出）")
out = Console(soft_wrap=True, highlight=False, markup=False)

app = typer.Typer(
    help="展示记录：校验、查询某时某屏展示了什么 (proof of display)。",
    no_args_is_help=True,
    add_completion=False,
)


@app.command(epilog="示例：liuhen-kiosk log verify --config kiosk.toml --head 1204:9f86d08188…")
def verify(
    config: Annotated[Path, CONFIG],
    head: Annotated[list[str] | None, HEADS] = None,
    as_json: Annotated[bool, typer.Option("--json", help="以 JSON 输出")] = False,
) -> None:
    """逐条校验展示记录的签名与衔接；被改、缺失、截短的指出是哪一条 (verify the whole log)。"""
    log = _verified(config, head or [])
    told: dict[str, Any] = {"lines": log.head.number, "head": log.head.digest, "first": None, "last": None}
    jumped = [_jump(one) for one in jumps(log.lines)]
    if log.lines:
        told |= {"first": minute_text(log.lines[0].at), "last": minute_text(log.lines[-1].at)}
    if as_json:
        out.print(json.dumps({**told, "jumps": jumped}, ensure_ascii=False))
        return
    if not log.lines:
        out.print("展示记录为空：一条也没有，不能证明展示过什么。请与中心收到的记录头核对（--head）。")
        return
    out.print(f"展示记录完整：{log.head.number} 条，{told['first']} 至 {told['last']}；记录头 {log.head.digest}")
    for line in jumped:
        out.print(f"  {line}")


@app.command(epilog="示例：liuhen-kiosk log report --config kiosk.toml --at '2026-03-05 10:20' --window 3")
def report(
    config: Annotated[Path, CONFIG],
    at: Annotated[str, typer.Option(help="北京时间，如 '2026-03-05 10:20'")],
    window: Annotated[str, typer.Option(help="只说这个窗口")] = "",
    head: Annotated[list[str] | None, HEADS] = None,
    as_json: Annotated[bool, typer.Option("--json", help="以 JSON 输出")] = False,
) -> None:
    """某时此屏展示了什么：页面、状态、公示文件及其版本、各窗口人员的证件编号 (what was shown then)。"""
    moment = _moment(at)
    found = shown_at(_verified(config, head or []).lines, moment)
    told = [_told(span, window) for span in found.spans] or [{"answer": _unknown(found)}]
    shared = _shared(found)
    if as_json:
        out.print(json.dumps({**told[0], **shared, **({"各次": told} if len(told) > 1 else {})}, ensure_ascii=False))
        return
    for one in told:
        out.print(f"{minute_text(moment)}：{one.pop('answer')}")
        _print(one)
    _print(shared)


def _verified(config: Path, heads: list[str]) -> VerifiedLog:
    from kiosk.trust_store import read_root, read_trust_list

    read = read_config(config)
    trust = read_trust_list(read.trust_list, read_root(read.root), read.district)
    folder = read.state / FOLDER
    if not folder.is_dir():
        raise OperatorFault(f"没有展示记录 {folder}。请核对 kiosk.toml 的 state，或先运行 liuhen-kiosk serve。")
    return verify_log(log_lines(folder), screen_key(trust, read.device), [_head(text) for text in heads])


def screen_key(trust: TrustList, device: str) -> FindKey:
    """Finds the keys of one screen in the trust list, also those that were good then and are no longer."""
    known: dict[str, ec.EllipticCurvePublicKey] = {}

    def find(text: str) -> ec.EllipticCurvePublicKey:
        if text not in known:
            credential = trust.listed(key_id(text))
            if credential.role is not Role.KIOSK or credential.subject != device:
                raise SenderFault(f"签名密钥属于 {credential.subject}，不是本屏 {device}。")
            known[text] = credential.public_key
        return known[text]

    return find


def _print(told: Mapping[str, Any]) -> None:
    for name, value in told.items():
        out.print(f"  {name}：{'、'.join(value) if isinstance(value, list) else value}")


def _told(span: Span, window: str) -> dict[str, Any]:
    line, facts, pixels = span.line, span.line.facts, span.pixels
    windows = [f"{number} 号 {state} {certificate}".strip() for number, state, certificate in facts["windows"]
               if not window or same_window(number, window)]  # fmt: skip
    after = "" if span.followed else "（最后一次画面确认，其后不明）"
    told = {
        "answer": f"展示 {facts['path']}，状态 {facts['state']}",
        "时段": f"{minute_text(line.at)} 至 {minute_text(span.until)}{after}（{line.clock.chinese}）",
        "窗口": windows or ["此页没有该窗口" if window else "此页不列窗口"],
        "公示文件": list(facts["documents"]),
        "页面 SHA-256": facts["html"] or "（群众填写的页面，不留内容）",
        "记录": f"第 {line.number} 条",
    }
    if pixels is not None:
        told["像素核对"] = f"{minute_text(pixels.at)} {'与屏上一致' if pixels.facts['match'] else '与屏上不一致'}"
    return told


def _unknown(found: Shown) -> str:
    """Nobody knows: the screen was off, the browser painted nothing, or the log begins later."""
    near = []
    if found.before is not None:
        near.append(f"此前最后一次在 {minute_text(found.before.until)}（第 {found.before.line.number} 条的页面）")
    if found.after is not None:
        near.append(f"此后第一次在 {minute_text(found.after.line.at)}（第 {found.after.line.number} 条）")
    return f"不明：此刻没有画面确认。{'，'.join(near) or '整份记录中没有任何画面确认'}。"


def _shared(found: Shown) -> dict[str, Any]:
    """What belongs to all answers: the clock was set, so that one moment may stand for several, or for none."""
    told: dict[str, Any] = {}
    if len(found.spans) > 1:
        told["说明"] = f"时钟曾被回拨，此刻出现 {len(found.spans)} 次，以上按记录先后列出"
    if found.jumps:
        told["时钟跳变"] = [_jump(one) for one in found.jumps]
    return told


def _jump(jump: Jump) -> str:
    seconds = int(jump.by.total_seconds())
    return f"第 {jump.number} 条之前时钟被{'前' if seconds > 0 else '回'}拨 {abs(seconds)} 秒"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise OperatorFault(f"时间“{text[:40]}”不对，应写作 '2026-03-05 10:20'。请改正 --at。") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


def _head(text: str) -> Head:
    found = HEAD.fullmatch(text)
    if found is None:
        raise OperatorFault(f"记录头“{text[:40]}”不对，应写作 条数:64 位十六进制。请改正 --head。")
    return Head(int(found[1]), digest(found[2]))


def main() -> None:
    """Run by itself."""
    run_app(app)
