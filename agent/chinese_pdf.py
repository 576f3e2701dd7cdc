"""PDFs with Chinese letters, for every role that prints. The only file that knows fpdf2.

Meant for commands and pages, not for the daemon: a Chinese font takes some tens of megabytes while it is read.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.errors import EnvironmentFault

FONTS = (
    (Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"), 0),
    (Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"), 0),
    (Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"), 0),
)
"""Fonts with TrueType outlines that have the characters of the mainland, and the face in a collection."""
FAMILY = "paper"


@contextmanager
def chinese_pdf(fonts: Sequence[tuple[Path, int]] = FONTS) -> Iterator[Any]:
    """An `fpdf.FPDF` on A4 with the font `FAMILY`; its output is made inside the block, which closes the font's file.
    Raises `EnvironmentFault` without the library or a font."""
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise EnvironmentFault("没有安装 PDF 组件。请执行 pip install 'liuhen[pdf]'。") from error
    font = next((one for one in fonts if one[0].is_file()), None)
    if font is None:
        raise EnvironmentFault("没有中文字体，不能写 PDF。请执行 apt install fonts-wqy-microhei。")
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # tells every table that it subsets
    pdf = FPDF(format="A4")
    pdf.add_font(FAMILY, fname=font[0], collection_font_number=font[1])
    added: Any = pdf.fonts[FAMILY]
    try:
        yield pdf
    finally:
        added.close()
