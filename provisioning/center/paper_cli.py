"""`liuhen-center paper`: a paper that somebody brings, against what its device signed when it was made out."""

from pathlib import Path
from typing import Annotated

import typer

from agent.clock import system_clock
from agent.duty.documents import check_against_paper
from agent.duty.paper_check import find_issued, issued_papers
from agent.errors import SenderFault
from agent.key_files import read_private_key
from provisioning.authority.authority import read_file
from provisioning.center.cases import CaseRoom, there
from provisioning.center.config import read_config
from provisioning.cli_frame import tell

EXAMPLES = """例：liuhen-center paper 'LD1|星综执检〔2026〕REC-0001-0007号|…' --config center.toml --recordings 录像目录

没有扫码器时写文书末行的校验值（64 位）：liuhen-center paper 3f9a… --config center.toml --recordings 录像目录"""


def paper(
    code: Annotated[str, typer.Argument(help="文书二维码的文字，或文书上的校验值、签名件校验值")],
    config: Annotated[Path, typer.Option("--config", help="center.toml 的路径")],
    recordings: Annotated[Path, typer.Option("--recordings", help="中心存放录制文件夹的目录")],
    text: Annotated[Path | None, typer.Option(help="电子文本：逐字与二维码核对")] = None,
    key: Annotated[Path | None, typer.Option(help="存档私钥 archive.key，打开加密的文书原文")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """核对一份纸质文书与现场出具、设备签名的是否一致 (paper equals electronic)."""
    archive = None if key is None else read_private_key(key)
    room = CaseRoom(read_config(config), there(recordings), system_clock().read().wall, archive)
    found = find_issued(code, issued_papers(room.events))
    if text is not None:
        check_against_paper(_words(text), f"LD1|{found.number}|{found.digest}")
    facts = room.facts(found.task)
    held = next(it for it in room.papers(facts) if (it.number, it.digest) == (found.number, found.digest))
    served = next((it.served.value for it in facts.documents if it.number == found.number), "")
    told = f"《{found.title}》{found.number}：与设备签名的记录一致，任务 {found.task}。"
    shown = f"{f'送达：{served}。' if served else ''}{held.standing.value}。{held.doubt}"
    more = {"task": found.task, "digest": found.digest, "served": served, "standing": held.standing.value}
    tell(f"{told}{shown}", {"number": found.number, "title": found.title, **more, "doubt": held.doubt}, as_json=as_json)


def _words(path: Path) -> str:
    try:
        return read_file(path).decode("utf-8-sig").replace("\r\n", "\n").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise SenderFault(f"{path} 不是 UTF-8 文本。请另存为 UTF-8 文本后重试。") from error
