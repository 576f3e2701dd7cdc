"""First letters of pinyin, at publish time only: the library takes 65 MB that no kiosk has to spare (kiosk.md 2.4)."""

from agent.errors import EnvironmentFault
from kiosk.search_index import spaced

MAX_LETTERS = 32  # ours


def initials(name: str) -> str:
    """Such as `spjyxk` for 食品经营许可; digits and Latin letters stand for themselves."""
    try:
        from pypinyin import Style, lazy_pinyin
    except ImportError as error:
        raise EnvironmentFault("没有安装拼音组件。请执行 pip install 'liuhen[publish]'。") from error

    letters = lazy_pinyin(spaced(name).replace(" ", ""), style=Style.FIRST_LETTER, errors="default")
    return "".join(letters)[:MAX_LETTERS].casefold()
