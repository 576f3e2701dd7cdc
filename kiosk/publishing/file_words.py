"""What is written in the files of a document, as people see it: flow charts and their words. Pure."""

import re
from html import unescape

from agent.duty.masking import check_impersonal
from agent.errors import OperatorFault, SenderFault
from agent.wire.content import SVG, TEXT, Attachment

_TAG = re.compile(rb"<[^<>]*>")


def words_of(one: Attachment, content: bytes) -> str:
    """The words of a file; empty for one that has none: a photo, a font, a code, an index."""
    if one.media_type == TEXT:
        return content.decode("utf-8", "replace")
    if one.media_type == SVG:
        return unescape(_TAG.sub(b"\n", content).decode("utf-8", "replace"))
    return ""


def check_file(one: Attachment, content: bytes, *, about_people: bool) -> bytes:
    """Return `content` when nothing personal stands in its words; raises `OperatorFault` naming the file and line."""
    words = words_of(one, content)
    lines = [line for line in map(str.strip, words.splitlines()) if line]
    try:
        for number, line in enumerate(lines, 1):
            check_impersonal(f"附件 {one.name} 第 {number} 行", {"文字": line}, about_people=about_people)
        check_impersonal(f"附件 {one.name}", {"文字": "".join(lines)}, about_people=about_people)
    except SenderFault as fault:
        raise OperatorFault(str(fault)) from fault
    return content
