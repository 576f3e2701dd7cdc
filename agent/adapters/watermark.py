"""The watermark burned into every picture: time with its trust mark, device, officer, unit (GA/T 947 style, 对照).

Every glyph is drawn once; a frame costs the copying of a few rows, and only the characters that changed are laid anew.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from agent.adapters.glyph_font import alphabet
from agent.adapters.lettering import Alphabet
from agent.wire.instant import BEIJING, Instant, TimeState

LINES = 30  # a line is so many times lower than the picture
MIN_HEIGHT = 16  # pixels; below it Chinese cannot be read
MAX_CHARACTERS = 48  # ours; what an officer's unit is called is never longer
SYNTHETIC = "合成画面 SYNTHETIC"
CLOCK_CHARACTERS = "0123456789-:. ±ms"  # drawn before the first picture comes
ENGLISH = {TimeState.UNSET: "TIME NOT SET"}
TRUST = {state: (state.chinese, ENGLISH.get(state, state.name)) for state in TimeState}


@dataclass
class Caption:
    """Who records, as the picture says it; the recorder's owner sets `officer` at any time, from any thread."""

    device: str = ""
    unit: str = ""
    officer: str = ""

    @property
    def line(self) -> str:
        """The second line."""
        return " ".join(word for word in (self.device, self.officer, self.unit) if word)[:MAX_CHARACTERS]


class Watermark:
    """For pictures of one size; used by the thread that encodes. `synthetic` adds the mark of pictures that show no
    scene. `letters` are chosen by the picture's height when it is None."""

    def __init__(self, caption: Caption, *, synthetic: bool = False, letters: Alphabet | None = None) -> None:
        self._caption, self._synthetic, self._letters = caption, synthetic, letters
        self._lines: list[_Line] = []
        self._shown: tuple[datetime, TimeState, int | None] | None = None
        self._clock_words = ""

    @property
    def font(self) -> str:
        """What it is written in; empty before `fit`."""
        return "" if self._letters is None else self._letters.name

    def fit(self, height: int) -> None:
        """Load the letters for pictures `height` pixels high."""
        if self._letters is None:
            self._letters = alphabet(max(MIN_HEIGHT, height // LINES & ~1))
        self._letters.learn(CLOCK_CHARACTERS)
        self._lines = [_Line(self._letters) for _ in range(3 if self._synthetic else 2)]

    def draw(self, luma: memoryview, stride: int, captured: Instant) -> None:
        """Write the lines at the top left of a picture: its Y plane as writable bytes, `stride` bytes a row. Colour is
        left as it is, so the letters may be tinted; what does not fit is cut off."""
        if self._letters is None:
            raise RuntimeError("fit comes before draw")
        words = [self._clock_line(captured, chinese=self._letters.chinese), self._caption.line]
        top = 0
        for line, text in zip(self._lines, [SYNTHETIC, *words] if self._synthetic else words, strict=True):
            line.write(text)
            top = line.copy(luma, stride, top)

    def _clock_line(self, captured: Instant, *, chinese: bool) -> str:
        """`clock_line`, made anew when it says something else: every third picture or so."""
        tenth = captured.wall.microsecond // 100_000 * 100_000
        shown = captured.wall.replace(microsecond=tenth), captured.state, captured.error_ms
        if shown != self._shown:
            self._shown, self._clock_words = shown, clock_line(captured, chinese=chinese)
        return self._clock_words


class _Line:
    """One row of letters, kept as it was drawn last."""

    def __init__(self, letters: Alphabet) -> None:
        self._letters = letters
        self._text = ""
        self._places = [0]
        self._rows: list[bytearray] = []

    def write(self, text: str) -> None:
        """Lay out `text`; only the stretch that changed, as long as none of its characters has another width."""
        if text == self._text:
            return
        self._letters.learn(text)
        old, self._text = self._text, text
        changed = [at for at, (was, now) in enumerate(zip(old, text, strict=False)) if was != now]
        if len(old) != len(text):
            self._lay()
            return
        first, end = changed[0], changed[-1] + 1
        glyphs = [self._letters.glyph(character) for character in text[first:end]]
        if any(len(glyph[0]) != self._width(at) for at, glyph in enumerate(glyphs, first)):
            self._lay()
            return
        stretch = slice(self._places[first], self._places[end])
        for row, *parts in zip(self._rows, *glyphs, strict=True):
            row[stretch] = b"".join(parts)

    def copy(self, luma: memoryview, stride: int, top: int) -> int:
        """Put it into a picture, `top` pixels below its edge; returns where the next line begins."""
        width = min(self._places[-1], stride)
        start = top * stride
        for row in self._rows:
            if start + width > len(luma):
                break
            luma[start : start + width] = row if len(row) == width else row[:width]
            start += stride
        return top + len(self._rows)

    def _width(self, at: int) -> int:
        return self._places[at + 1] - self._places[at]

    def _lay(self) -> None:
        glyphs = [self._letters.glyph(character) for character in self._text]
        self._places = list(accumulate((len(glyph[0]) for glyph in glyphs), initial=0))
        self._rows = [bytearray(b"".join(parts)) for parts in zip(*glyphs, strict=True)]


def clock_line(captured: Instant, *, chinese: bool) -> str:
    """Beijing time to the tenth of a second, how it was set, and how wrong it may be; the journal has milliseconds."""
    clock = captured.wall.astimezone(BEIJING)
    bound = "" if captured.error_ms is None else f" ±{captured.error_ms}ms"
    return f"{clock:%Y-%m-%d %H:%M:%S}.{clock.microsecond // 100_000} {TRUST[captured.state][not chinese]}{bound}"
