"""`liuhen-center retention`: how long recordings stay, holds, and deletion (保存期限、冻结、删除)."""

from pathlib import Path
from typing import Annotated, Any

import typer

from agent.clock import system_clock
from agent.duty.holds import Deed, Keeping
from agent.duty.retention import parse_retention
from agent.errors import OperatorFault
from agent.key_files import read_signer
from agent.wire.identifiers import parse_recording_id
from agent.wire.instant import BEIJING
from provisioning.center.cases import CaseRoom
from provisioning.center.config import read_config
from provisioning.center.retention_room import RetentionRoom
from provisioning.cli_frame import tell

app = typer.Typer(no_args_is_help=True, help="保存期限、冻结与删除，每步签名 (retention, holds, deletion).")

Config = Annotated[Path, typer.Option("--config", help="center.toml 的路径")]
Recordings = Annotated[Path, typer.Option("--recordings", help="中心存放录制文件夹的目录")]
Recording = Annotated[str, typer.Argument(help="录制编号，如 REC-0001-R000001")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


@app.command(epilog="例：liuhen-center retention show REC-0001-R000001 --config center.toml --recordings recordings")
def show(recording: Recording, config: Config, recordings: Recordings, as_json: Json = False) -> None:
    """期限、待批准的缩短、冻结与每步记录 (term, proposal, holds, acts)."""
    _tell(_room(config, recordings).keeping(parse_recording_id(recording)), as_json)


@app.command(
    epilog="例：liuhen-center retention act REC-0001-R000001 hold --hold 诉讼-1 --reason 诉讼调取 --key k --chain c "
    "--config center.toml --recordings recordings"
)
def act(
    recording: Recording,
    deed: Annotated[str, typer.Argument(help="classify 归类 | approve-shorter 批准缩短 | hold 冻结 | lift 解除冻结")],
    config: Config,
    recordings: Recordings,
    key: Annotated[Path, typer.Option(help="办理人的私钥 (PKCS8 PEM)")],
    chain: Annotated[Path, typer.Option(help="办理人的证书链 (PEM)")],
    term: Annotated[str, typer.Option(help="存储期限，如 永久、30年、6个月（classify、approve-shorter）")] = "",
    hold: Annotated[str, typer.Option(help="冻结的名称（hold、lift）")] = "",
    reason: Annotated[str, typer.Option(help="理由（hold、lift）")] = "",
    as_json: Json = False,
) -> None:
    """办理一步并签名；缩短须另一人批准 (one signed act)."""
    done = _deed(deed)
    body = {"hold": hold, "reason": reason}
    if done in (Deed.CLASSIFY, Deed.APPROVE):
        body = {"term": parse_retention(term, "--term").text}
    room = _room(config, recordings)
    _tell(room.act(parse_recording_id(recording), done, body, read_signer(key, chain)), as_json)


@app.command(epilog="例：liuhen-center retention delete REC-0001-R000001 --config center.toml --recordings recordings")
def delete(recording: Recording, config: Config, recordings: Recordings, as_json: Json = False) -> None:
    """删除到期且未冻结的录像；先写签名记录，再删文件 (delete what is past its term)."""
    settings = read_config(config)
    room = _room(config, recordings)
    _tell(room.delete(parse_recording_id(recording), read_signer(settings.key, settings.chain)), as_json)


def _room(config: Path, recordings: Path) -> RetentionRoom:
    return RetentionRoom(CaseRoom(read_config(config), recordings, system_clock().read().wall))


def _deed(text: str) -> Deed:
    try:
        return Deed(text)
    except ValueError as error:
        raise OperatorFault(f"没有“{text[:20]}”这一步，可用：{'、'.join(set(Deed) - {Deed.DELETE})}。") from error


def _tell(keeping: Keeping, as_json: bool) -> None:
    facts = _facts(keeping)
    own = f"按清单 {facts['listed']}" if facts["listed"] else "尚未归类"
    lines = [f"{keeping.recording}  期限 {facts['in_force'] or own}（{'人工归类' if keeping.term else own}）"]
    if keeping.proposal is not None:
        lines.append(f"待批准：缩短为 {facts['proposal']}，由 {keeping.proposal.by} 提出；请另一人 approve-shorter。")
    lines += [f"冻结 {name}：{reason}" for name, reason in keeping.holds.items()]
    if keeping.deleted is not None:
        lines.append(f"已于 {keeping.deleted.astimezone(BEIJING):%Y-%m-%d %H:%M} 删除。")
    tell("\n".join(lines), facts, as_json=as_json)


def _facts(keeping: Keeping) -> dict[str, Any]:
    acts = [{"kind": it.act.kind, "by": it.act.by, "at": it.act.at.isoformat()} for it in keeping.acts]
    return {
        "recording": keeping.recording,
        "in_force": None if keeping.in_force is None else keeping.in_force.text,
        "listed": None if keeping.listed is None else keeping.listed.text,
        "term": None if keeping.term is None else keeping.term.text,
        "proposal": None if keeping.proposal is None else keeping.proposal.term.text,
        "holds": dict(keeping.holds),
        "deleted": None if keeping.deleted is None else keeping.deleted.isoformat(),
        "acts": acts,
    }
