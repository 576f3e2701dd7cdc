"""The answer to a party's receipt: on file, complete, gaps explained, kept until when; without a network. Pure.

No picture and nobody's name: whoever holds the paper learns what became of the recording (行政处罚法 41: 便利查询).
"""

import re
from collections.abc import Callable
from datetime import datetime

from agent.duty.party_receipt import PREFIX, PartyReceipt, SignedReceipt, open_signed, read_code, spelled
from agent.duty.receipt_list import DELETED, ReceiptAnswer, ReceiptPart, open_part, part_of
from agent.errors import SenderFault
from agent.wire.identifiers import District
from agent.wire.trust import TrustList
from kiosk.beijing import minute_text
from kiosk.board import Banner
from kiosk.identity import IdentityView

ANSWERS = {
    "complete": Banner("info", "录像已归档，完整，未被改动。"),
    "explained-gap": Banner("info", "录像已归档，未被改动；有 {gaps} 处中断，均已说明原因。"),
    "unexplained-gap": Banner("warn", "录像已归档；有 {gaps} 处中断，其中有未说明原因的。您可以拨打投诉举报电话询问。"),
    "missing": Banner("warn", "录像尚未归档。请于次日再查；仍未归档的，请拨打投诉举报电话。"),
    "altered": Banner("stop", "归档的录像与回执不符。请保存好回执并拨打投诉举报电话。"),
    DELETED: Banner("info", "录像保存期已满，已按规定清理。"),
    "untrusted": Banner("stop", "归档的录像无法确认出自登记的设备。请保存好回执并拨打投诉举报电话。"),
}
NOT_THERE = ("missing", DELETED)
GENUINE = Banner("info", "回执真实：由本区登记的执法记录仪出具。")
REVOKED = Banner(
    "warn", "出具这份回执的密钥已停用，清单中又没有这份回执，无法确认它的真伪。请保存好回执并拨打投诉举报电话核实。"
)
AHEAD = Banner("stop", "回执上的时间还没有到，不能采信。请保存好回执并拨打投诉举报电话核实。")
NO_LIST = Banner("warn", "本机尚无可用的回执清单，暂时无法查询归档情况。请换一台公示屏，或拨打投诉举报电话。")
NOT_YET = Banner("warn", "截至 {as_of}，中心尚未收到这份录像。请于次日再查；仍查不到的，请拨打投诉举报电话。")
UNKNOWN = Banner("warn", "截至 {as_of}，没有这个查询码。请对照回执核对，或改为扫描回执上的二维码。")
TYPED = re.compile(r"[0-9A-Za-z -]+")

Part = Callable[[int], bytes | None]
"""The bytes of one part of the list, None where it has not come."""


def is_receipt(text: str) -> bool:
    """Whether a scanned or typed text is meant as a receipt, not as an officer's code."""
    return text.strip().startswith(f"{PREFIX}.") or TYPED.fullmatch(text.strip()) is not None


def receipt_view(
    text: str, part: Part, now: datetime, trust: TrustList, place: District, *, clock_set: bool = True
) -> IdentityView:
    """The answer for `text`: a scanned receipt, or the short code that stands on it. `clock_set`: whether this screen
    knows the time."""
    try:
        signed = open_signed(text, trust, place) if "." in text else None
        code = read_code(text) if signed is None else signed.receipt.short_code
    except SenderFault as fault:
        return IdentityView((Banner("stop", str(fault)),))
    receipt = None if signed is None else signed.receipt
    if signed is not None and clock_set and signed.ahead(now):
        return IdentityView((AHEAD,), _fields(code, receipt))
    held = _held(code, part, now, trust, place)
    banner, more = _answered(code, receipt is not None, held)
    genuine = () if signed is None else (_genuine(signed, now, listed=held is not None and code in held.answers),)
    return IdentityView((*genuine, banner), (*_fields(code, receipt), *more))


def _genuine(signed: SignedReceipt, now: datetime, *, listed: bool) -> Banner:
    """A receipt on the list was told by its device itself when it was made out; of any other only the key speaks."""
    return REVOKED if signed.revoked(now) and not listed else GENUINE


def _held(code: str, part: Part, now: datetime, trust: TrustList, place: District) -> ReceiptPart | None:
    data = part(part_of(code))
    try:
        return None if data is None else open_part(data, part_of(code), trust, now, place)
    except SenderFault:
        return None


def _answered(code: str, genuine: bool, held: ReceiptPart | None) -> tuple[Banner, tuple[tuple[str, str], ...]]:
    if held is None:
        return NO_LIST, ()
    answer, as_of = held.answers.get(code), minute_text(held.issued)
    if answer is None:
        banner = NOT_YET if genuine else UNKNOWN
        return Banner(banner.tone, banner.text.format(as_of=as_of)), ()
    banner = ANSWERS[answer.verdict]
    kept = () if answer.verdict in NOT_THERE and answer.kept_until is None else (("保存至", _kept(answer)),)
    return Banner(banner.tone, banner.text.format(gaps=answer.gaps)), (*kept, ("清单截至", as_of))


def _kept(answer: ReceiptAnswer) -> str:
    until = answer.kept_until
    return "长期保存" if until is None else f"{until.year}年{until.month}月{until.day}日"


def _fields(code: str, receipt: PartyReceipt | None) -> tuple[tuple[str, str], ...]:
    if receipt is None:
        return (("查询码", spelled(code)),)
    when = minute_text(receipt.issued) + ("" if receipt.clock_set else "（设备时钟未校准）")
    return (
        ("回执编号", receipt.name),
        ("单位", receipt.unit),
        ("设备", receipt.device),
        ("出具时间", when),
        ("校验值", receipt.head),
        ("查询码", spelled(code)),
    )
