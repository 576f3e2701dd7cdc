"""QR codes made at publish time: a picture for a screen, modules for paper. The only file that knows segno."""

import io

import segno

MAX_TEXT = 300  # characters: kiosk.md 3.2, what a phone shows at once


def qr_svg(content: str) -> bytes:
    """An SVG with its quiet zone; it scales to whatever box it is put into."""
    out = io.BytesIO()
    segno.make_qr(content, error="m").save(out, kind="svg", xmldecl=False, svgns=True, omitsize=True, unit=None)
    return out.getvalue()


def qr_modules(content: str) -> list[list[bool]]:
    """The modules, dark ones True, without a quiet zone."""
    return [[bool(module) for module in row] for row in segno.make_qr(content, error="m").matrix]
