"""The code on a chest badge or a desk sign (胸牌、公示牌): which entry of which signed board it was printed from. Pure.

`LB1|window-board.hall-1|3|2|0123456789abcdef`: the document, its version, the entry from 1, and the first 16 digits of
the SHA-256 of the document's payload. It holds no name. A screen answers it from the documents that it shows itself.
"""

import re
from dataclasses import dataclass

from agent.errors import SenderFault
from agent.wire.disclosures import Disclosure, DisclosureKind
from kiosk.shelf import Shelf

PREFIX = "LB1"
_CODE = re.compile(rf"{PREFIX}\|(window-board\.[a-z0-9][a-z0-9-]{{0,63}})\|(\d{{1,9}})\|(\d{{1,4}})\|([0-9a-f]{{16}})")


@dataclass(frozen=True)
class Badge:
    """What a code comes to: the document that is in force and the number of its entry."""

    document: Disclosure
    number: int


def is_badge(text: str) -> bool:
    """Whether `text` says of itself that it is a badge's code."""
    return text.startswith(f"{PREFIX}|")


def badge_code(document: Disclosure, payload_digest: str, number: int) -> str:
    """The code of entry `number` (from 1)."""
    return f"{PREFIX}|{'.'.join(document.key)}|{document.version}|{number}|{payload_digest[:16]}"


def check_badge(text: str, shelf: Shelf) -> Badge:
    """The entry that the badge was printed from, when it is still the one in force; raises `SenderFault`, one Chinese
    line for whoever scanned it."""
    found = _CODE.fullmatch(text.strip())
    if found is None:
        raise SenderFault("这不是胸牌或公示牌的核验码。")
    shown = shelf.shown.get(found[1])
    if shown is None or shown.document.kind is not DisclosureKind.WINDOW_BOARD or shown.document.withdrawn is not None:
        raise SenderFault("本屏没有此牌所依据的窗口公示，请向咨询台核实。")
    version, number = int(found[2]), int(found[3])
    if version < shown.document.version:
        raise SenderFault(f"此牌按第 {version} 版公示制作，现行为第 {shown.document.version} 版，请以屏上公示为准。")
    if version > shown.document.version or not shown.payload_digest.startswith(found[4]):
        raise SenderFault("此牌与签名的窗口公示不符，请向咨询台核实。")
    if not 1 <= number <= len(shown.document.entries):
        raise SenderFault("签名的窗口公示中没有此人，请向咨询台核实。")
    return Badge(shown.document, number)
