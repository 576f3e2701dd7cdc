"""The party's receipt (记录回执): on scene, printed or shown as a QR code; what any kiosk later answers from it.

    LR1.<base64url of canonical JSON>.<base64url of the signature>

The recorder's evidence key signs (ES256 over `DOMAIN` and the JSON's bytes). Its short code is for typing: 80 bits of
the SHA-256 of the same bytes, so that nobody finds another party's receipt by trying. No name, no picture, no place.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.duty.armour import armoured, bare
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import (
    DeviceId,
    Digest,
    District,
    RecordingId,
    device_id,
    digest,
    district,
    parse_recording_id,
    recording_device,
)
from agent.wire.instant import BEIJING
from agent.wire.signing import Signer, verify_raw
from agent.wire.trust import Role, TrustList

PREFIX, DOMAIN = "LR1", b"liuhen party receipt v1\n"
INCOMPLETE = "回执的二维码不完整。请重新扫描，或输入回执上的查询码。"
MAX_CHARACTERS = 700  # ours: what `firmware_hooks.slip_printer` can print so that it is read again
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
MISREAD = str.maketrans("ILO", "110")
MAX_AHEAD = timedelta(hours=1)  # ours; how far a screen's clock may be behind a recorder's
CODE_LENGTH, CODE_GROUP = 16, 4
CODE = re.compile(f"[{ALPHABET}]{{{CODE_LENGTH}}}")


@dataclass(frozen=True)
class PartyReceipt:
    """`head` is the end of the recording's chain after fragment `last`, which ties the receipt to exactly what was
    recorded until then; `number` counts the device's receipts from 1; `clock_set` False: the device's time is a guess.
    """

    place: District
    device: DeviceId
    number: int
    unit: str
    task: str
    recording: RecordingId
    last: int
    head: Digest
    issued: datetime
    clock_set: bool = True

    def encode(self) -> bytes:
        """The canonical JSON; short names, for it stands in a QR code."""
        return canonical.encode(
            {
                "d": self.device,
                "h": self.head,
                "i": canonical.timestamp(self.issued),
                "k": self.clock_set,
                "l": self.last,
                "n": self.number,
                "p": self.place,
                "r": self.recording,
                "t": self.task,
                "u": self.unit,
            }
        )

    @property
    def name(self) -> str:
        """The receipt's number as people read it."""
        return f"{self.device}-H{self.number:06d}"

    @property
    def short_code(self) -> str:
        """`CODE_LENGTH` characters; see `spelled` for how people read them."""
        bits = int.from_bytes(hashlib.sha256(DOMAIN + self.encode()).digest()[:10])
        return "".join(ALPHABET[bits >> shift & 31] for shift in range(5 * (CODE_LENGTH - 1), -1, -5))

    def as_data(self) -> Mapping[str, Any]:
        """What `receipt-issued` tells: with it the centre can say the same code, and check the head."""
        return {
            "code": self.short_code,
            "head": self.head,
            "last": self.last,
            "number": self.name,
            "recording": self.recording,
            "task": self.task,
        }


def sign_receipt(receipt: PartyReceipt, signer: Signer) -> str:
    """The text of the QR code; raises `ValueError` when it could not be printed so that it is read again."""
    payload = receipt.encode()
    text = f"{PREFIX}.{armoured(payload)}.{armoured(signer.sign(DOMAIN + payload))}"
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"a receipt of {len(text)} characters cannot be read from a slip")
    return text


@dataclass(frozen=True)
class SignedReceipt:
    """A receipt whose signature was verified; `revoked_at` is when its key was revoked, None where it never was."""

    receipt: PartyReceipt
    revoked_at: datetime | None

    def ahead(self, now: datetime) -> bool:
        """Whether it says to be of a time that has not come, by a device that knew the time."""
        return self.receipt.clock_set and self.receipt.issued > now + MAX_AHEAD

    def revoked(self, now: datetime) -> bool:
        """Whether its key has been revoked by now: whoever has it may sign receipts of any day."""
        return self.revoked_at is not None and self.revoked_at <= now


def open_receipt(text: str, trust: TrustList, place: District) -> PartyReceipt:
    """The receipt when a recorder of this district signed it, as `open_signed`."""
    return open_signed(text, trust, place).receipt


def open_signed(text: str, trust: TrustList, place: District) -> SignedReceipt:
    """The receipt when a recorder of this district signed it; raises `SenderFault` in words for a citizen.

    The key counts as of the day of the receipt: one that was replaced since has not made it worthless."""
    parts = text.strip().split(".")
    if len(text) > MAX_CHARACTERS or len(parts) != 3 or parts[0] != PREFIX:
        raise SenderFault("这不是执法记录回执。请对准回执上的二维码重新扫描，或输入回执上的 16 位查询码。")
    payload, signature = bare(parts[1], INCOMPLETE), bare(parts[2], INCOMPLETE)
    receipt = parse_receipt(payload)
    if receipt.place != place:
        raise SenderFault("这是其他区域的回执，本区无法查询。请到出具回执的区域查询。")
    keys = [it for it in trust.credentials.values() if (it.subject, it.role) == (receipt.device, Role.RECORDER)]
    for credential in keys:
        try:
            verify_raw(credential.public_key, signature, DOMAIN + payload)
        except SenderFault:
            continue
        if receipt.clock_set:
            credential.valid_at(receipt.issued)
        return SignedReceipt(receipt, credential.revoked_at)
    raise SenderFault("回执的签名不属于本区登记的执法记录仪，可能是伪造。请拨打投诉举报电话核实。", "signature")


def parse_receipt(payload: bytes) -> PartyReceipt:
    """The inverse of `PartyReceipt.encode`; raises `SenderFault`, also when a recording is another device's."""
    fields = Fields("记录回执", canonical.decode(payload))
    receipt = PartyReceipt(
        district(fields.text("p")),
        device_id(fields.text("d")),
        fields.integer("n", 1),
        fields.text("u"),
        fields.text("t"),
        parse_recording_id(fields.text("r")),
        fields.integer("l", 1),
        digest(fields.text("h")),
        fields.moment("i"),
        fields.boolean("k"),
    )
    if recording_device(receipt.recording) != receipt.device:
        raise SenderFault("回执中的录制编号不属于出具回执的设备，已拒绝。")
    return receipt


def slip_of(receipt: PartyReceipt) -> tuple[str, ...]:
    """The lines under the title 执法记录回执 on paper; the same for the same receipt."""
    when = receipt.issued.astimezone(BEIJING)
    return (
        f"回执编号：{receipt.name}",
        f"单位：{receipt.unit}",
        f"设备：{receipt.device}",
        f"时间：{when:%Y-%m-%d %H:%M:%S}{'' if receipt.clock_set else '（时钟未校准）'}",
        f"录制编号：{receipt.recording}",
        f"校验值：{receipt.head}",
        f"查询码：{spelled(receipt.short_code)}",
        "请妥善保存。凭二维码或查询码可在任一政务大厅公示屏查询录像是否完整归档、保存到何时。",
    )


def spelled(code: str) -> str:
    """A short code in groups of four, as it stands on paper."""
    return "-".join(code[at : at + CODE_GROUP] for at in range(0, len(code), CODE_GROUP))


def read_code(text: str) -> str:
    """The short code that somebody typed: blanks, hyphens, small letters and the letters I, L, O are forgiven; raises
    `SenderFault`."""
    code = re.sub(r"[\s-]", "", text).upper().translate(MISREAD)
    if not CODE.fullmatch(code):
        raise SenderFault(f"查询码应是 {CODE_LENGTH} 位字母和数字。请对照回执重新输入，或扫描二维码。")
    return code
