"""A photo as a screen needs it: small, upright, and nothing in it but the picture: no place, no camera."""

import io
import warnings
from pathlib import Path

from agent.errors import OperatorFault

FORMATS = ("JPEG", "PNG", "WEBP")
SIZE = (480, 640)  # reference/kiosk.md 3.5
MAX_BYTES = 30 * 1024  # likewise
MAX_SOURCE_BYTES = 30 * 2**20  # ours
QUALITIES = (85, 75, 65, 50, 35, 20)


def screen_photo(path: Path) -> bytes:
    """The JPEG; raises `OperatorFault` for a file that is no photo or unpacks without end."""
    from PIL import Image, ImageOps  # half of what this command line takes to start

    try:
        if path.stat().st_size > MAX_SOURCE_BYTES:
            raise OperatorFault(f"照片 {path} 超过 {MAX_SOURCE_BYTES // 2**20} MiB。请缩小后重试。")
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as source:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            upright = ImageOps.exif_transpose(source) or source
            picture = upright.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise OperatorFault(f"照片 {path} 无法读取（{error}）。请换用 JPEG 或 PNG 文件。") from error
    picture.thumbnail(SIZE)
    plain = Image.new("RGB", picture.size)
    plain.paste(picture)
    coded = [b""]
    for quality in QUALITIES:
        out = io.BytesIO()
        plain.save(out, "JPEG", quality=quality, optimize=True)
        coded.append(out.getvalue())
        if len(coded[-1]) <= MAX_BYTES:
            break
    return coded[-1]
