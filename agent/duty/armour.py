"""Bytes in the text of a QR code: base64url without padding."""

import base64
import binascii

from agent.errors import SenderFault


def armoured(data: bytes) -> str:
    """The text of `data`."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bare(text: str, complaint: str) -> bytes:
    """The inverse of `armoured`; raises `SenderFault` with `complaint`."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SenderFault(complaint) from error
