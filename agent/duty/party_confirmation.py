"""What the party did with the checksum of a recording (当事人确认): signed by name, on paper, or refused.

Whoever signs on the screen writes a name. It stays in the recorder's private folder and on the confirmation's paper:
chain, centre and recording get the party's pseudonym and a salted hash of the name, so that the paper can prove later
who it was and nobody can guess it from the hash.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.duty.case_facts import Served
from agent.errors import OperatorFault
from agent.wire.identifiers import DeviceId, Digest, RecordingId
from agent.wire.instant import BEIJING

DOMAIN = b"liuhen party confirmation v1\n"
MAX_NAME = 60  # characters, ours: the longest names of companies
CONFIRMED = (Served.SIGNED, Served.REFUSED, Served.ABSENT)  # 未送达 says nothing of a checksum


@dataclass(frozen=True)
class Confirmation:
    """Number `number` of `device`: `served` is what the party did with `head`, the end of `recording`'s chain as the
    receipt `receipt` has it. `name` is what was written on the screen, `paper` the number of the paper that was signed
    by hand; `salt` belongs to this confirmation alone."""

    device: DeviceId
    number: int
    receipt: str
    task: str
    party: str
    recording: RecordingId
    head: Digest
    served: Served
    name: str
    paper: str
    salt: str
    at: datetime
    clock_set: bool = True

    def __post_init__(self) -> None:
        if self.served not in CONFIRMED:
            raise OperatorFault(f"当事人确认应为{'、'.join(CONFIRMED)}之一。")
        if len(self.name) > MAX_NAME or not self.name.isprintable():
            raise OperatorFault(f"当事人姓名或名称应是 {MAX_NAME} 字以内的一行文字。请改写。")
        if self.served is Served.SIGNED and not (self.name or self.paper):
            raise OperatorFault("当事人签收须写明屏幕上签的姓名（--name），或已签字的回执、文书编号（--paper）。")

    @property
    def title(self) -> str:
        """As it stands on paper."""
        return f"{self.device}-Q{self.number:06d}"

    @property
    def signature(self) -> str:
        """SHA-256 over salt, name and head; empty where no name was written."""
        if not self.name:
            return ""
        return hashlib.sha256(DOMAIN + f"{self.salt}\n{self.head}\n{self.name}".encode()).hexdigest()

    def as_data(self) -> Mapping[str, Any]:
        """What `party-confirmed` tells."""
        return {
            **confirmed_data(self.task, self.served, self.recording, self.head, self.paper),
            "number": self.title,
            "party": self.party,
            "receipt": self.receipt,
            "signature": self.signature,
        }

    @property
    def text(self) -> str:
        """All of the confirmation, for the recorder's private folder and for paper."""
        when = self.at.astimezone(BEIJING)
        signed = (
            (f"签名：{self.name}", f"签名随机数：{self.salt}", f"签名校验值：{self.signature}") if self.name else ()
        )
        return "\n".join(
            (
                f"确认编号：{self.title}",
                f"回执编号：{self.receipt}",
                f"任务编号：{self.task or '无'}",
                f"录制编号：{self.recording}",
                f"录像校验值：{self.head}",
                f"确认情况：{self.served}",
                *((f"签字纸质件：{self.paper}",) if self.paper else ()),
                *signed,
                f"时间：{when:%Y-%m-%d %H:%M:%S}{'' if self.clock_set else '（时钟未校准）'}",
            )
        )


def confirmed_data(task: str, served: Served, recording: RecordingId, head: Digest, paper: str) -> Mapping[str, Any]:
    """What every `party-confirmed` tells: what the party did with the checksum `head` of `recording`, and on which
    paper (the number of a receipt or document), empty where the party signed on the screen."""
    return {"head": head, "paper": paper, "recording": recording, "served": served.value, "task": task}
