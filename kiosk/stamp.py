"""The corner stamp: a small QR code of which screen shows which page, and its reading from a picture. Pure.

Citizens can scan it; the screen's guard reads it from the pixels that the compositor really shows, because a page that
says "painted" is no proof of that. The text is `LH1/KSK-0001/` and 12 hex characters of the page's SHA-256.
"""

import hashlib
from dataclasses import dataclass

from kiosk.qr_code import qr_modules, qr_svg, qr_svg_of_size

MODULE_PX = 3  # CSS pixels of one module
QUIET = 2  # modules of white around it
DARK = 110  # of 255: below it a pixel counts as dark
MAY_DIFFER = 0.03  # ours: of the modules; a foreign picture differs in about half of them


def stamp_text(device: str, html: str) -> str:
    """What the stamp of a page says; `html` is the page without its stamp."""
    return f"LH1/{device}/{hashlib.sha256(html.encode()).hexdigest()[:12].upper()}"


def stamp_rows(text: str) -> list[list[bool]]:
    """The modules of the stamp, dark ones True, without its quiet zone."""
    return qr_modules(text, "l")


def stamp_svg(text: str) -> str:
    """The stamp as an inline SVG of `MODULE_PX` pixels a module."""
    return qr_svg_of_size(text, MODULE_PX, QUIET)


def take_home_svg(text: str) -> str:
    """A code to take home, as inline SVG that fills its box."""
    return qr_svg(text, "l", quiet=4).decode()


@dataclass(frozen=True)
class Picture:
    """A grey picture, one byte a pixel, row by row."""

    width: int
    height: int
    grey: bytes


def picture_from_ppm(data: bytes) -> Picture:
    """A binary PPM (P6, 8 bits) as `grim -t ppm` writes it; raises `ValueError`."""
    fields = data.split(maxsplit=4)
    if len(fields) != 5 or fields[0] != b"P6" or fields[3] != b"255":
        raise ValueError("not a binary PPM of 8 bits")
    width, height = int(fields[1]), int(fields[2])
    start = data.index(b"255") + 4
    rgb = data[start : start + 3 * width * height]
    if len(rgb) != 3 * width * height:
        raise ValueError("the PPM is cut short")
    return Picture(width, height, rgb[1::3])


def shows_stamp(picture: Picture, text: str, scale: float = 1.0) -> bool:
    """Whether the stamp `text` stands anywhere in `picture`, which holds one corner of the screen; `scale` is device
    pixels per CSS pixel."""
    rows = stamp_rows(text)
    step = MODULE_PX * scale
    side = round(len(rows) * step)
    points = [(round((x + 0.5) * step), round((y + 0.5) * step), rows[y][x])
              for y in range(len(rows)) for x in range(len(rows))]  # fmt: skip
    probes = points[: len(rows) * 7 : 3]  # the top finder patterns: cheap to see that this is not the place
    return any(
        _agrees(picture, left, top, probes) and _agrees(picture, left, top, points)
        for top in range(picture.height - side + 1)
        for left in range(picture.width - side + 1)
    )


def _agrees(picture: Picture, left: int, top: int, points: list[tuple[int, int, bool]]) -> bool:
    allowed = int(len(points) * MAY_DIFFER)
    for x, y, dark in points:
        if (picture.grey[(top + y) * picture.width + left + x] < DARK) is not dark:
            allowed -= 1
            if allowed < 0:
                return False
    return True
