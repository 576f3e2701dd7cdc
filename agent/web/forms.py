"""What a browser's form brings, never more than a page can use. Pure."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs


async def read_form(pieces: AsyncIterator[bytes], most_bytes: int) -> dict[str, str]:
    """The first value of each field of a form that comes in `pieces`; nothing of one larger than `most_bytes`."""
    return {name: values[0] for name, values in (await read_fields(pieces, most_bytes)).items()}


async def read_fields(pieces: AsyncIterator[bytes], most_bytes: int) -> dict[str, list[str]]:
    """Every value of each field, as `read_form`."""
    body = b""
    async for piece in pieces:
        body += piece
        if len(body) > most_bytes:
            return {}
    return parse_qs(body.decode("ascii", "replace"))
