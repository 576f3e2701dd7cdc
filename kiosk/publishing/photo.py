"""A photo as a screen needs it: small, upright, and nothing in it but the picture: no place, no camera."""

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import OperatorFault
from kiosk.faces import FACE_SIZE

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP")
SIZE = (480, 640)  # reference/kiosk.md 3.5
MAX_BYTES = 30 * 1024  # likewise
MAX_STRIP_BYTES = 160 * 1024  # ours: a board page has 300 KB
MAX_SOURCE_BYTES = 30 * 2**20  # ours
QUALITIES = (85, 75, 65, 50, 35, 20)


def screen_photo(path: Path) -> bytes:
    """The JPEG; raises `OperatorFault` for a file that is no photo or unpacks without end."""
    from PIL import Image, ImageOps  # half of what this command line takes to start

    try:
        if path.stat().st_size > MAX_SOURCE_BYTES:
            raise OperatorFault(f"照片 {path} 超过 {MAX_SOURCE_BYTES // 2**20} MiB。请缩小后重试。")
        bombs_are_refused = warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning)
        with bombs_are_refused, Image.open(path, formats=FORMATS) as source:
            upright = ImageOps.exif_transpose(source) or source
            picture = upright.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise OperatorFault(f"照片 {path} 无法读取（{error}）。请换用 JPEG 或 PNG 文件。") from error
    picture.thumbnail(SIZE)
    plain = Image.new("RGB", picture.size)
    plain.paste(picture)
    return _coded(plain, MAX_BYTES)


def face_strip(photos: Mapping[int, bytes], rows: int) -> bytes:
    """Small pictures one below the other as one JPEG: `photos` are JPEGs by row from 0; a row without is white."""
    from PIL import Image, ImageOps

    width, height = FACE_SIZE
    strip = Image.new("RGB", (width, height * rows), "white")
    for row, content in photos.items():
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as photo:
            strip.paste(ImageOps.fit(photo, FACE_SIZE, centering=(0.5, 0.3)), (0, row * height))
    return _coded(strip, MAX_STRIP_BYTES)


def _coded(picture: "Image", most: int) -> bytes:
    """As a JPEG of `most` bytes, or the smallest there is."""
    coded = b""
    for quality in QUALITIES:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, optimize=True)
        coded = out.getvalue()
        if len(coded) <= most:
            break
    return coded
