"""`liuhen-center receipts`: the list that kiosks answer parties' receipts from."""

from pathlib import Path
from typing import Annotated

import typer

from agent.clock import system_clock
from agent.key_files import read_signer
from provisioning.center.cases import CaseRoom
from provisioning.center.config import read_config
from provisioning.center.party_receipts import ReceiptRoom
from provisioning.cli_frame import tell


def receipts(
    config: Annotated[Path, typer.Option("--config", help="center.toml 的路径")],
    recordings: Annotated[Path, typer.Option("--recordings", help="中心存放录制文件夹的目录")],
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")] = False,
) -> None:
    """核验回执所指的录像，签发回执清单，由接收端发到各公示屏；宜每日运行 (sign the list of receipts for kiosks)."""
    settings = read_config(config)
    room = ReceiptRoom(CaseRoom(settings, recordings, system_clock().read().wall))
    answers = room.answers()
    written = room.publish(answers, read_signer(settings.key, settings.chain))
    counts = {verdict: sum(one.verdict == verdict for one in answers) for verdict in {one.verdict for one in answers}}
    facts = {"receipts": len(answers), "verdicts": counts, "written": list(written), "folder": str(settings.receipts)}
    tell(f"回执 {len(answers)} 份，更新清单 {len(written)} 册，在 {settings.receipts}。", facts, as_json=as_json)
