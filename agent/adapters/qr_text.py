"""QR codes for a terminal: two rows of modules in one line of text."""

import io

import segno


def qr_text(content: str) -> str:
    """The QR code of `content` in half blocks, with its quiet zone."""
    text = io.StringIO()
    segno.make_qr(content, error="l").terminal(out=text, compact=True)
    return text.getvalue()
