"""QR codes: a picture for a screen, modules for paper or for comparing. The only file of the kiosk that knows segno."""

import io

import segno

MAX_TEXT = 300  # characters: kiosk.md 3.2, what a phone shows at once


def qr_svg(content: str, error: str = "m", quiet: int | None = None) -> bytes:
    """An SVG with its quiet zone of `quiet` modules, of correction level `error`; it scales to whatever box it is put
    into."""
    out = io.BytesIO()
    code = segno.make_qr(content, error=error)
    code.save(out, kind="svg", xmldecl=False, svgns=True, omitsize=True, unit=None, border=quiet, nl=False)
    return out.getvalue()


def qr_svg_of_size(content: str, module_px: int, quiet: int) -> str:
    """An inline SVG, black on white, of `module_px` CSS pixels a module and `quiet` modules of white around it; of the
    lowest correction level, so that it is small."""
    out = io.BytesIO()
    code = segno.make_qr(content, error="l")
    code.save(out, "svg", scale=module_px, border=quiet, xmldecl=False, svgns=True, light="#fff", nl=False)
    return out.getvalue().decode()


def qr_modules(content: str, error: str = "m") -> list[list[bool]]:
    """The modules, dark ones True, without a quiet zone."""
    return [[bool(module) for module in row] for row in segno.make_qr(content, error=error).matrix]
