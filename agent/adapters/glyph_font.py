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
    clock keeps its place. Raises `OSError` or `ImportError` when the font cannot be used."""

    chinese = True

    def __init__(self, font: Path, height: int) -> None:
        self.name = font.name
        self._height = height
        self._face = _simplified(font, round(height * EM))
        self._known: dict[str, tuple[bytes, ...]] = {}

    def glyph(self, character: str) -> tuple[bytes, ...]:
        """As `Alphabet`."""
        if character not in self._known:
            self._known[character] = self._drawn(character)
        return self._known[character]

    def _drawn(self, character: str) -> tuple[bytes, ...]:
        from PIL import Image, ImageDraw

        height = self._height
        width = height if ord(character) >= 0x2E80 else height // 2  # CJK begins there
        image = Image.new("L", (width, height))
        middle = (width / 2, height / 2 + height * EM * 0.36)  # the baseline: digits stand in the middle of the row
        ImageDraw.Draw(image).text(middle, character, fill=255, font=self._face, anchor="ms")
        pixels = image.tobytes().translate(_LEVELS)
        return tuple(pixels[start : start + width] for start in range(0, width * height, width))


def _simplified(font: Path, size: int) -> Any:
    """The face of a collection that draws characters the mainland's way, else its first."""
    from PIL import ImageFont

    first = ImageFont.truetype(str(font), size)
    if font.suffix != ".ttc":
        return first
    for index in range(1, MAX_FACES):
        try:
            face = ImageFont.truetype(str(font), size, index=index)
        except OSError:  # no more faces
            break
        if str(face.getname()[0]).endswith(" SC"):
            return face
    return first
