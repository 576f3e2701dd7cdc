"""`liuhen-center intake`, `unfinished`: recordings that devices have brought to the store of objects (录像接收)."""

import threading
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from agent import durable
from agent.clock import system_clock
from agent.errors import EnvironmentFault, OperatorFault
from agent.key_files import read_private_key, read_signer
from agent.object_store import ObjectStore, read_access
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import RecordingId, parse_recording_id
from agent.wire.signing import load_pem_certificates
from provisioning.authority.authority import read_file
from provisioning.center.config import CenterConfig, read_config
from provisioning.center.offloaded import Shelf
from provisioning.cli_frame import err, tell

LOOK_S = 15.0  # ours

Config = Annotated[Path, typer.Option("--config", help=r"center.toml 的路径，其中要有 \[offload] 一节")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]


def intake(
    config: Config,
    recordings: Annotated[Path, typer.Option("--recordings", help="中心存放录制文件夹的目录")],
    key: Annotated[Path | None, typer.Option(help="存档私钥 archive.key；没有时加密录像只核对字节")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="持续接收，直到 Ctrl-C")] = False,
    as_json: Json = False,
) -> None:
    """从对象存储取回设备上传的录像，逐字节核对并检验，合格才签发录像回执 (fetch, verify, receipt)."""
    from provisioning.center.grounds import open_grounds
    from provisioning.center.offload_intake import Office, OffloadIntake
    from provisioning.center.receipt_folder import ReceiptFolder
    from provisioning.center.store import open_store

    settings = read_config(config)
    root = load_pem_certificates(read_file(settings.root))[0]
    trust = open_trust_list(read_file(settings.trust_list), root)
    archive = None if key is None else read_private_key(key)
    signer, filed = read_signer(settings.key, settings.chain), partial(_filed, settings, recordings)
    office = Office(settings.receiver, signer, root, trust, archive, filed)
    store = open_store(settings.database, settings.folder, create=False)
    durable.make_directory(recordings)
    work = OffloadIntake(
        office, store, _shelf(settings), recordings, ReceiptFolder(settings.folder), open_grounds(settings)
    )
    while True:
        try:
            _show(work.look(system_clock().read().wall), as_json=as_json, fails=not watch)
        except EnvironmentFault as fault:
            if not watch:
                raise
            err.print(str(fault))
        if not watch:
            break
        threading.Event().wait(LOOK_S)
    store.close()


def unfinished(
    recording: Annotated[str, typer.Argument(help="录制编号，如 REC-0001-R000001")],
    config: Config,
    out_folder: Annotated[Path, typer.Option("--out", help="写入此目录下的同名子目录")],
    as_json: Json = False,
) -> None:
    """取回没有传完的录像（如设备已毁）：能衔接到哪里就取到哪里，之后可用 liuhen-verify 检验 (what got out)."""
    wanted = parse_recording_id(recording)
    target = out_folder / wanted
    if target.exists():
        raise OperatorFault(f"{target} 已存在，未作改动。请用 --out 指明另一个目录。")
    durable.make_directory(out_folder)
    found = _shelf(read_config(config)).fetch_unfinished(wanted, target)
    if not found:
        raise OperatorFault(f"对象存储中没有 {wanted} 的任何内容。请核对录制编号与 [offload]。")
    lines = [f"{target / file.name}  {file.size} 字节" for file in found]
    facts = {"recording": wanted, "files": [{"file": file.name, "size": file.size} for file in found]}
    tell("\n".join(lines), facts, as_json=as_json)


def _filed(settings: CenterConfig, recordings: Path, recording: RecordingId) -> str:
    """The class under which the centre keeps it, in the words of the lists; empty while it is not filed."""
    from provisioning.center.cases import CaseRoom
    from provisioning.center.retention_room import RetentionRoom

    term = RetentionRoom(CaseRoom(settings, recordings, system_clock().read().wall)).keeping(recording).term
    return "" if term is None else term.text


def _shelf(settings: CenterConfig) -> Shelf:
    offload = settings.offload
    if offload is None:
        raise OperatorFault("center.toml 没有 [offload] 一节。请写上 url 与 credentials。")
    return Shelf(settings.district, ObjectStore(read_access(offload.url, offload.credentials, offload.ca)))


def _show(done: list[Any], *, as_json: bool, fails: bool) -> None:
    lines = [f"{it.recording}  {it.problem or f'{it.verdict}  {it.size} 字节，已签录像回执'}" for it in done]
    text = "\n".join(lines) or "没有新上传的录像。"
    tell(text, {"recordings": [vars(it) for it in done]}, as_json=as_json)
    left = [it for it in done if it.again]
    if left and fails:
        raise EnvironmentFault(f"{len(left)} 次录制未能写入中心的磁盘。请检查存储空间与权限后再运行 intake。")
