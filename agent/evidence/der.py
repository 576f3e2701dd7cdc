"""As much DER (X.690) as signatures are made of: writing elements, and taking them apart where they stand.

What is taken apart is written again and compared by whoever reads, so that there is one form, and nothing beside it.
"""

from collections.abc import Iterator

SEQUENCE, SET, INTEGER, OCTETS, CONTEXT_0 = 0x30, 0x31, 0x02, 0x04, 0xA0


def element(tag: int, *content: bytes) -> bytes:
    """An element of type `tag` with the parts of its content."""
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def only(data: bytes, tag: int) -> bytes:
    """The content of the one element of type `tag` that fills `data`; raises `ValueError` or `IndexError`."""
    begin, end = _bounds(data, 0)
    if data[0] != tag or end != len(data):
        raise ValueError("unexpected DER element")
    return data[begin:end]


def children(data: bytes) -> Iterator[bytes]:
    """The elements that `data` is made of; raises `ValueError` or `IndexError` when it is not."""
    position = 0
    while position < len(data):
        _, end = _bounds(data, position)
        yield data[position:end]
        position = end


def _bounds(data: bytes, position: int) -> tuple[int, int]:
    length, begin = data[position + 1], position + 2
    if length >= 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size]), begin + size
    if begin + length > len(data):
        raise ValueError("DER element runs over its end")
    return begin, begin + length
