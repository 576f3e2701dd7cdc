"""The certificate of erasure: what is known about the end of a device, and what is not (pure)."""

from dataclasses import dataclass
from datetime import datetime

from agent.wire import canonical

ERASURE_TYPE = "application/vnd.liuhen.erasure+json"
RESIDUAL = (
    "闪存控制器会把旧数据留在主机读不到的备用块中；覆盖与删除都达不到那里。未加密存过的内容，只有物理销毁存储卡才能排除。",
    "“未见明文”只说明按字节读遍所给介质没有找到所列标记，不说明没有其他内容。",
    "设备的声明在擦除之前签署：擦除之后已没有密钥可签。",
    "此前若有人复制过存储卡，副本不受本次擦除影响；其证书已被吊销，不能再以该设备的名义签名或连接。",
)


@dataclass(frozen=True)
class Erasure:
    """`statement` is the SHA-256 of the device's signed last word, empty when the device could give none; `read` bytes
    of its medium were looked through and `found` markers seen there, `read` 0 when it was not at hand."""

    device: str
    hardware: str
    statement: str
    events: int
    recordings: int
    read: int
    found: tuple[str, ...]
    reason: str
    by: str
    at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the authority to seal."""
        return canonical.encode(
            {
                "at": canonical.timestamp(self.at),
                "by": self.by,
                "device": self.device,
                "events": self.events,
                "found": list(self.found),
                "hardware": self.hardware,
                "read": self.read,
                "reason": self.reason,
                "recordings": self.recordings,
                "residual": list(RESIDUAL),
                "statement": self.statement,
            }
        )
