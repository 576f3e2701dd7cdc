"""Documents of enforcement (规范文字记录, the plan 二（二）2 and 二（一）6): templates, checks, number, exact text.

A document is its text: the same UTF-8 bytes are hashed, kept, and put line by line on paper, so that paper equals the
electronic copy and a reprint equals the print. What the party reads may name the party: in the clear only number and
hash leave the device.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.duty.case_facts import Served
from agent.duty.entries import Entry
from agent.errors import OperatorFault, SenderFault
from agent.wire.identifiers import DeviceId, Digest, RecordingId, digest
from agent.wire.instant import BEIJING

TOLD = ("事由", "依据", "权利义务")  # 二（一）6: 告知行政相对人执法事由、执法依据、权利义务等内容
PLACE = re.compile(r"\{([^{}]{1,20})\}")
NUMBER = re.compile(r"[^\s{}.|/\\]{1,20}〔[0-9]{4}〕((?:REC|KSK)-[0-9]{4,6})-[0-9]{4,6}号")
TEMPLATE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
MAX_VALUE = 1000  # characters of one field, ours: about 60 lines of 58 mm paper
WIDE_BLANK = "\u3000"  # printers show it as missing
INDENT = "    "  # lines within a field begin so: none of them can pass for a line of the template
CODE_PREFIX = "LD1"


@dataclass(frozen=True)
class Template:
    """`style` is the word before the year in a number (字号), the template's id where the policy has none; `body` are
    lines with `{field}`s; `version` that of the policy, 0 until it is known."""

    template: str
    title: str
    style: str
    body: tuple[str, ...]
    required: tuple[str, ...]
    version: int = 0

    @property
    def fields(self) -> tuple[str, ...]:
        """Every field of the body, in its order."""
        return tuple(dict.fromkeys(name for line in self.body for name in PLACE.findall(line)))

    @property
    def name(self) -> str:
        """Id and version, as `DocumentFact.template` has them."""
        return f"{self.template}.{self.version}"


@dataclass(frozen=True)
class Head:
    """What stands on a document besides its template: `number` as `document_number` makes it; fragments `first` to
    `last` of `recording` show how it came about (None: nothing was recorded)."""

    number: str
    unit: str
    task: str
    issued: datetime
    clock_set: bool = True
    recording: RecordingId | None = None
    first: int = 1
    last: int = 1


@dataclass(frozen=True)
class Document:
    """A document that was made out; `text` is all of it."""

    template: Template
    head: Head
    text: str

    @property
    def digest(self) -> Digest:
        """SHA-256 of the text's UTF-8 bytes."""
        return text_digest(self.text)

    @property
    def code(self) -> str:
        """The text of the QR code on paper: number and hash."""
        return f"{CODE_PREFIX}|{self.head.number}|{self.digest}"

    def as_data(self) -> Mapping[str, Any]:
        """What `document-issued` tells."""
        head = self.head
        span = {} if head.recording is None else {"recording": head.recording, "first": head.first, "last": head.last}
        return {
            "digest": self.digest,
            "number": head.number,
            "task": head.task,
            "template": self.template.name,
            "title": self.template.title,
            **span,
        }


def parse_templates(entries: Iterable[Any]) -> tuple[Template, ...]:
    """The templates of a policy; raises `SenderFault` naming entry and field."""
    templates = tuple(_template(Entry("文书模板", number, entry)) for number, entry in enumerate(entries, 1))
    if len({one.template for one in templates}) != len(templates):
        raise SenderFault("文书模板编号有重复，请改正。")
    return templates


def _template(entry: Entry) -> Template:
    name = entry.text("模板编号")
    if not TEMPLATE_ID.fullmatch(name):
        raise SenderFault(f"{entry.where('模板编号')}是“{name[:40]}”，应为小写字母、数字和连字符，请改正。")
    style = entry.optional_text("字号") or name
    found = Template(name, entry.text("名称"), style, entry.texts("正文"), entry.texts("必填项"))
    if absent := [field for field in TOLD if field not in found.required]:
        raise SenderFault(f"{entry.where('必填项')}没有{'、'.join(absent)}：文书应告知事由、依据和权利义务，请补上。")
    if lost := [field for field in found.required if field not in found.fields]:
        raise SenderFault(f"{entry.where('正文')}中没有必填项 {'、'.join(lost)}，请补上。")
    if not NUMBER.fullmatch(document_number(found, 2026, DeviceId("REC-0001"), 1)):
        raise SenderFault(f"{entry.where('字号')}应为 1 至 20 字，不含空格和标点，请改正。")
    return found


def document_number(template: Template, year: int, device: DeviceId, serial: int) -> str:
    """Such as `星综执检〔2026〕REC-0001-0007号`: devices count for themselves, for they number without a network."""
    return f"{template.style}〔{year}〕{device}-{serial:04d}号"


def fill(template: Template, head: Head, values: Mapping[str, str]) -> Document:
    """The document; raises `OperatorFault` naming the fields that are missing, too many or unfit."""
    if unknown := [name for name in values if name not in template.fields]:
        raise OperatorFault(
            f"《{template.title}》没有“{'、'.join(unknown)[:60]}”项。可填：{'、'.join(template.fields)}。"
        )
    if empty := [name for name in template.required if not values.get(name, "").strip()]:
        raise OperatorFault(f"《{template.title}》缺少必填项：{'、'.join(empty)}。请补填后再出具。")
    shown = {name: _value(name, values.get(name, "")) for name in template.fields}
    body = [PLACE.sub(lambda place: shown[place.group(1)], line) for line in template.body]
    return Document(template, head, "\n".join([head.unit, template.title, f"文号：{head.number}", *body, *_foot(head)]))


def slip_lines(document: Document, reprint: int = 0) -> tuple[str, ...]:
    """The lines under the title on paper: all of the text, and its hash. The original (`reprint` 0) is the same bytes
    whenever it is made; a reprint says above all that it is a copy, and the how-manyth."""
    return printed_lines(document.text, reprint)


def printed_lines(text: str, reprint: int = 0) -> tuple[str, ...]:
    """As `slip_lines`, from the text alone."""
    unit, _, *rest = text.split("\n")
    return (*copy_line(reprint), unit, *rest, f"校验值：{text_digest(text)}")


def copy_line(reprint: int) -> tuple[str, ...]:
    """What a reprint says above all; nothing on the original."""
    return (f"【副本】第 {reprint} 次重印，内容与原件相同",) if reprint else ()


def check_against_paper(text: str, code: str) -> str:
    """The number on paper when `text`, the electronic copy, is what was printed; raises `SenderFault`. `code` is what a
    scanner read from the paper."""
    number, printed = check_code(code)
    if printed != text_digest(text) or f"文号：{number}" not in text.split("\n"):
        raise SenderFault(f"文书 {number} 的纸质内容与电子文本不一致，请核对原件。", "paper-differs")
    return number


def check_code(code: str) -> tuple[str, Digest]:
    """Number and hash in what a scanner read from a document's paper; raises `SenderFault`."""
    prefix, _, rest = code.strip().partition("|")
    number, _, printed = rest.partition("|")
    if prefix != CODE_PREFIX or not NUMBER.fullmatch(number):
        raise SenderFault("这不是执法文书的二维码。请对准文书上的二维码重新扫描。")
    return number, digest(printed)


def numbered_by(number: object, device: DeviceId) -> bool:
    """Whether `number` is a document's number that `device` gave out."""
    found = NUMBER.fullmatch(number) if isinstance(number, str) else None
    return found is not None and found[1] == device


def served_data(
    task: str, number: str, served: Served, recording: RecordingId | None = None, first: int = 1, last: int = 1
) -> Mapping[str, Any]:
    """What `document-served` tells, with the fragments that show it where it was recorded; raises `OperatorFault` for a
    number that is none."""
    if not NUMBER.fullmatch(number):
        raise OperatorFault(f"文号“{number[:60]}”不合格式，应形如 星综执检〔2026〕REC-0001-0001号。")
    span = {} if recording is None else {"recording": recording, "first": first, "last": last}
    return {"number": number, "served": served.value, "task": task, **span}


def served_as(words: str) -> Served:
    """What became of a paper, in the words of the rules; raises `OperatorFault`."""
    try:
        return Served(words.strip())
    except ValueError as error:
        raise OperatorFault(f"送达情况应为{'、'.join(Served)}之一，不是“{words[:20]}”。") from error


def text_digest(text: str) -> Digest:
    """SHA-256 of the UTF-8 bytes."""
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def _value(name: str, text: str) -> str:
    lines = [line.strip() for line in text.replace(WIDE_BLANK, "  ").strip().split("\n")]
    if len(text) > MAX_VALUE or not all(line.isprintable() for line in lines):
        raise OperatorFault(f"“{name}”应是不超过 {MAX_VALUE} 字的文字，不含特殊符号。请改写。")
    return f"\n{INDENT}".join(lines) if any(lines) else "无"


def _foot(head: Head) -> tuple[str, ...]:
    when = head.issued.astimezone(BEIJING)
    span = f"{head.recording} 第 {head.first} 至 {head.last} 片段" if head.recording else "未录像"
    return (
        f"任务编号：{head.task or '无'}",
        f"对应录像：{span}",
        f"制作时间：{when:%Y-%m-%d %H:%M:%S}{'' if head.clock_set else '（时钟未校准）'}",
    )
