"""How far a segment that is still being written is whole: up to the end of its last complete fragment.

What was uploaded so far then is a file that can be verified as it is, as after a power cut at that moment.
"""

from agent.errors import SenderFault
from agent.evidence.bmff import BrokenBox, Source, box_at
from agent.evidence.encrypted_stream import (
    HEAD_BYTES,
    MAX_HEADER_BYTES,
    SLOT_BYTES,
    parse_head,
    parse_header,
    record_bytes,
)

FRAGMENT_END = frozenset({b"mdat"})


class Growth:
    """Follows one segment; `end` is where its last whole fragment ends so far, 0 before the first."""

    def __init__(self, *, encrypted: bool) -> None:
        self._encrypted, self._at, self.end = encrypted, 0, 0

    def follow(self, source: Source) -> int:
        """`end`, with the file as long as `source` is now; only what is new is read."""
        try:
            while self._at < source.size:
                self._at = self._next_record(source) if self._encrypted else self._next_box(source)
        except BrokenBox:
            return self.end  # the rest is still being written, or is none of ours
        return self.end

    def _next_box(self, source: Source) -> int:
        box = box_at(source, self._at)
        if box.kind in FRAGMENT_END:
            self.end = box.end
        return box.end

    def _next_record(self, source: Source) -> int:
        """The recorder appends one record for a fragment."""
        if self._at == 0:
            return self._opening(source)
        length = parse_head(source.read_at(self._at, HEAD_BYTES))
        if length is None or self._at + record_bytes(length) > source.size:
            raise BrokenBox(self._at, beyond=True)
        self.end = self._at + record_bytes(length)
        return self.end

    def _opening(self, source: Source) -> int:
        try:
            _, begin = parse_header(source.read_at(0, MAX_HEADER_BYTES))
        except SenderFault as fault:
            raise BrokenBox(0, beyond=True) from fault
        if begin + SLOT_BYTES > source.size:
            raise BrokenBox(0, beyond=True)
        return begin + SLOT_BYTES
