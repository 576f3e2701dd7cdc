"""A Chinese font file, where the device has one, as an alphabet for watermarks; the only file that knows Pillow.

Debian and Raspberry Pi OS: `fonts-wqy-microhei` (5 MB) is enough. Without one the watermark is written in the built-in
capitals, which have no Chinese, and every recording says so (`watermark_font`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.adapters.lettering import BLACK, ROWS, WHITE, Alphabet, BuiltInAlphabet

FONTS = (
    Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"),
    Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallback.ttf"),
)
PACKAGE = "fonts-wqy-microhei"  # the smallest that will do
MAX_FACES = 16  # ours; a collection has one face for every script and weight
EM = 0.82  # of a row's height; leaves room for accents and descenders
_LEVELS = bytes(BLACK + (WHITE - BLACK) * grey // 255 for grey in range(256))


def font_file(fonts: Sequence[Path] = FONTS) -> Path | None:
    """The font that watermarks will be written in; None when there is none with Chinese."""
    return next((font for font in fonts if font.is_file()), None)


def alphabet(height: int, fonts: Sequence[Path] = FONTS) -> Alphabet:
    """Letters `height` pixels high from the first of `fonts` that can be read, else the built-in ones, which may be
    lower. Never raises: a recording without Chinese in its picture is better than none."""
    for font in fonts:
        if font.is_file():
            try:
                return FontAlphabet(font, height)
            except (ImportError, OSError):  # no Pillow, or a damaged file
                continue
    return BuiltInAlphabet(max(1, height // ROWS))


class FontAlphabet:
    """The glyphs of `font`, each drawn once. Chinese characters are as wide as high, others half as wide, so that a
    clock keeps its place. The file is open only while glyphs are drawn: as long as it is, what was read of it counts as
    ours, 3 MB of a large one. Raises `OSError` or `ImportError` when the font cannot be used."""

    chinese = True

    def __init__(self, font: Path, height: int) -> None:
        self.name = font.name
        self._font, self._height = font, height
        self._index = _simplified(font)
        self._known: dict[str, tuple[bytes, ...]] = {}
        _face(font, height, self._index)  # a damaged file is told now

    def learn(self, text: str) -> None:
        """As `Alphabet`."""
        missing = set(text).difference(self._known)
        if not missing:
            return
        try:
            face = _face(self._font, round(self._height * EM), self._index)
            self._known.update((character, self._drawn(character, face)) for character in missing)
        except OSError:  # a font that is gone, or a card that fails, in the middle of a recording
            self._known.update((character, self._box(character)) for character in missing.difference(self._known))

    def glyph(self, character: str) -> tuple[bytes, ...]:
        """As `Alphabet`."""
        self.learn(character)
        return self._known[character]

    def _drawn(self, character: str, face: Any) -> tuple[bytes, ...]:
        from PIL import Image, ImageDraw

        width, height = self._width(character), self._height
        image = Image.new("L", (width, height))
        middle = (width / 2, height / 2 + height * EM * 0.36)  # the baseline: digits stand in the middle of the row
        ImageDraw.Draw(image).text(middle, character, fill=255, font=face, anchor="ms")
        pixels = image.tobytes().translate(_LEVELS)
        return tuple(pixels[start : start + width] for start in range(0, width * height, width))

    def _box(self, character: str) -> tuple[bytes, ...]:
        return (bytes((WHITE,)) * self._width(character),) * self._height

    def _width(self, character: str) -> int:
        return self._height if ord(character) >= 0x2E80 else self._height // 2  # CJK begins there


def _simplified(font: Path) -> int:
    """The place of the face in a collection that draws characters the mainland's way, else 0."""
    if font.suffix != ".ttc":
        return 0
    for index in range(1, MAX_FACES):
        try:
            if str(_face(font, 10, index).getname()[0]).endswith(" SC"):
                return index
        except OSError:  # no more faces
            break
    return 0


def _face(font: Path, size: int, index: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(str(font), size, index=index)
