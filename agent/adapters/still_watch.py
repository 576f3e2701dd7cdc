"""A picture that stands still for longer than any camera does: a real sensor's noise changes every frame.

Affordable: a checksum over every eighth row, twice a second (0.7 ms a second at 720p). What is noticed is a label,
never a stop: a blank wall behind a heavily denoised stream may look the same.
"""

import zlib
from fractions import Fraction

FROZEN_S = Fraction(5)  # ours; a stream's next keyframe, which codes everything anew, is nearer than that
LOOK_S = Fraction(1, 2)
ROW_STEP = 8


class StillWatch:
    """Looks at the brightness of pictures before anything is drawn into them."""

    def __init__(self) -> None:
        self._next_look = Fraction(0)
        self._sum: int | None = None
        self._since = Fraction(0)
        self.frozen = False

    def look(self, luma: memoryview, stride: int, at: Fraction) -> bool:
        """Whether the picture of the moment `at` (seconds) is the same as all since `FROZEN_S` or longer."""
        if at < self._next_look:
            return self.frozen
        self._next_look = at + LOOK_S
        seen = _checksum(luma, stride)
        if seen != self._sum:
            self._sum, self._since = seen, at
        self.frozen = at - self._since >= FROZEN_S
        return self.frozen


def _checksum(luma: memoryview, stride: int) -> int:
    found = 0
    for start in range(0, len(luma), stride * ROW_STEP):
        found = zlib.crc32(luma[start : start + stride], found)
    return found
