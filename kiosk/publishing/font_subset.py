"""A font with just the characters that a hall shows, cut at publish time. The only file that knows fontTools."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.errors import EnvironmentFault

FONTS = (
    (Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"), 2),
    (Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"), 0),
)
"""Fonts with the characters of the mainland, and the face in a collection: in Noto's, 2 is simplified Chinese."""
ALWAYS = "".join(map(chr, range(0x20, 0x7F)))
SIGNS = "，。、；：？！“”‘’（）《》〈〉【】〔〕—…·～　％℃＋－×÷＝○●△▲□■→←↑↓①②③④⑤⑥⑦⑧⑨⑩"


def cut_font(texts: Iterable[str], fonts: Sequence[tuple[Path, int]] = FONTS) -> bytes:
    """WOFF2 with the characters of `texts`; one that the font does not have is left to the system's own font. Raises
    `EnvironmentFault` without a font."""
    place = next((one for one in fonts if one[0].is_file()), None)
    if place is None:
        raise EnvironmentFault("没有中文字体，不能制作网页字体。请执行 apt install fonts-noto-cjk。")
    try:
        import brotli  # noqa: F401 - what WOFF2 is packed with
        from fontTools import subset
        from fontTools.ttLib import TTFont, TTLibError
    except ImportError as error:
        raise EnvironmentFault("没有安装字体组件。请执行 pip install 'liuhen[publish]'。") from error
    options = subset.Options()
    options.flavor, options.layout_features, options.name_IDs = "woff2", ["kern", "vert"], []
    options.notdef_outline = options.hinting = False
    try:
        out = io.BytesIO()
        with TTFont(str(place[0]), fontNumber=place[1], lazy=True) as font:
            cutter = subset.Subsetter(options)
            cutter.populate(text=ALWAYS + SIGNS + "".join(texts))
            cutter.subset(font)
            font.flavor = "woff2"
            font.save(out)
    except (TTLibError, OSError) as error:
        raise EnvironmentFault(f"字体 {place[0]} 无法使用（{error}）。请重新安装字体。") from error
    return out.getvalue()
