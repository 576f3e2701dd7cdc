"""QR codes: for a terminal (two rows of modules in one line of text), for a page, for a PDF. The only use of segno."""

import io

import segno


def qr_text(content: str) -> str:
    """The QR code of `content` in half blocks, with its quiet zone."""
    text = io.StringIO()
    segno.make_qr(content, error="l").terminal(out=text, compact=True)
    return text.getvalue()


def qr_rows(content: str) -> list[list[bool]]:
    """The modules of the QR code of `content`, dark ones True, without a quiet zone."""
    return [[bool(module) for module in row] for row in segno.make_qr(content, error="m").matrix]


def qr_picture(content: str) -> str:
    """The QR code as a `data:` address of an SVG picture, with its quiet zone."""
    return segno.make_qr(content, error="l").svg_data_uri(scale=4)
