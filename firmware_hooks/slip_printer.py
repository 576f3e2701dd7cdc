"""Slips on an ESC/POS printer: lines of text and a QR code become the printer's bytes. The only import of escpos.

Chinese printers take double-byte text in their Kanji mode (`FS &`), by GB18030 or, older ones, GBK alone. The library
knows neither as a code page and chooses pages by itself, so text goes past that: encoded here, in one mode, all of it.
What a printer cannot show stands as 〓 and is told, for a name must not change silently. The library has no way to ask
what a printer took; `SerialLink.write` says whether the line did.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

BAUD = 9600  # the common setting of serial slip printers
KANJI_ON, KANJI_OFF = b"\x1c&", b"\x1c."
MISSING = "〓"  # in GBK, unlike most replacement marks
GB18030, GBK = "gb18030", "gbk"
COLUMNS = 32  # half-width characters of a 58 mm printer's line
UNIT = re.compile("[（〔《“]*(?:[!-~]+|.)[，。、；：？！）〕》”]*", re.DOTALL)  # what a line is not broken within
MAX_QR = 700  # ours: bytes; more cannot be read from 58 mm paper


@dataclass(frozen=True)
class Slip:
    """The bytes for the printer, and the characters that it could not show, in order."""

    data: bytes
    missing: str


def compose_slip(title: str, lines: Sequence[str], qr: str = "", encoding: str = GB18030) -> Slip:
    """A slip with `title` large, `lines` broken at the width of the paper, and `qr` as a code; raises `ValueError` for
    a code that could not be read."""
    from escpos.printer import Dummy

    if len(qr.encode()) > MAX_QR:
        raise ValueError(f"a QR code of {len(qr.encode())} bytes cannot be read from a slip")
    printer = Dummy()
    printer.hw("INIT")
    missing = [*_text(printer, [title], encoding, large=True)]
    missing += _text(printer, [part for line in lines for part in broken(line)], encoding)
    if qr:
        printer.qr(qr, native=True, size=6)
    printer.ln(3)
    printer.cut()
    return Slip(printer.output, "".join(missing))


def broken(line: str, columns: int = COLUMNS) -> list[str]:
    """`line` in pieces of at most `columns` half-width characters; printers break in the middle of a character. A
    number stays whole where it fits, and no piece begins with a mark that closes or ends with one that opens."""
    pieces = [""]
    for unit in UNIT.findall(line):
        for part in [unit] if _width(unit) <= columns else unit:
            if _width(pieces[-1] + part) > columns:
                pieces.append("")
            pieces[-1] += part
    return pieces


def _width(text: str) -> int:
    return sum(1 if letter.isascii() else 2 for letter in text)


def encoded(line: str, encoding: str) -> tuple[bytes, str]:
    """`line` in the printer's bytes, and what of it is missing. Nothing in it can steer the printer."""
    shown, missing = "", ""
    for letter in line:
        known = letter.isprintable() and _fits(letter, encoding)
        shown += letter if known else MISSING
        missing += "" if known else letter
    return shown.encode(encoding), missing


def _fits(letter: str, encoding: str) -> bool:
    try:
        return bool(letter.encode(encoding))
    except UnicodeEncodeError:
        return False


def _text(printer: object, lines: Sequence[str], encoding: str, *, large: bool = False) -> list[str]:
    missing = []
    printer.set(align="center" if large else "left", double_width=large, double_height=large)  # type: ignore[attr-defined]
    for line in lines:
        data, lost = encoded(line, encoding)
        printer._raw(KANJI_ON + data + KANJI_OFF + b"\n")  # type: ignore[attr-defined]
        missing.append(lost)
    return missing
