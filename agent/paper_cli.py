"""`liuhen-agent document|receipt|keycontent`: papers on scene. The agent makes, numbers, signs and keeps them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from agent import asking, durable, duty_cli
from agent.adapters.paper_folder import PaperFolder
from agent.duty.asks import What
from agent.duty.papers import PaperKind
from agent.errors import OperatorFault
from agent.sheet_file import MAX_FILE_BYTES, draft_text, read_words
from agent.wire.canonical import parse_loose

PRINT_S = duty_cli.PRINT_S
ConfigOption = duty_cli.ConfigOption
JsonOption = duty_cli.JsonOption
NumberArgument = Annotated[str, typer.Argument(metavar="[NUMBER]", help="文号或编号；不写则为最近一份")]
PrintOption = Annotated[bool, typer.Option("--print", help="出具后即打印")]
PdfOption = Annotated[Path | None, typer.Option("--out", help="写成 PDF 文件")]
AuthorOption = Annotated[str, typer.Option("--author", help="制作人的执法证件编号；不写则为底稿中的，或第一名领用人")]
documents = typer.Typer(no_args_is_help=True, help="执法文书：出具、登记送达、打印。 Documents.")
receipts = typer.Typer(no_args_is_help=True, help="当事人回执：出具、确认、打印。 The party's receipt.")
sheets = typer.Typer(no_args_is_help=True, help="关键内容与时间段说明：底稿、签名。 Key-content sheet.")
output = duty_cli.output


@documents.command("templates")
def templates(config: ConfigOption, as_json: JsonOption = False) -> None:
    """列出可用的文书模板及其各项（*为必填）。 Templates and their fields."""
    found = _state(config)["templates"]
    if as_json:
        _tell_json(found)
    elif not found:
        raise OperatorFault("本机没有执法文书标准文本（document-templates）。请联网接收，或请法制机构发布。")
    else:
        for one in found:
            names = [f"{name}*" if name in one["required"] else name for name in one["fields"]]
            output.out(f"{one['template']}  {one['title']}：{'、'.join(names)}", highlight=False)


@documents.command("new")
def new_document(
    template: Annotated[str, typer.Argument(help="模板编号或名称")],
    config: ConfigOption,
    fields: Annotated[list[str] | None, typer.Option("--field", help="名称=内容，可多次给出")] = None,
    file: Annotated[Path | None, typer.Option("--fields", help="各项的 JSON 文件")] = None,
    print_it: PrintOption = False,
    as_json: JsonOption = False,
) -> None:
    """按模板出具一份文书；缺项时说明缺哪一项。 Make out a document.

    示例： liuhen-agent document new onsite-record --fields 各项.json --config agent.toml
    """
    values = {**_from_file(file), **dict(_pair(text) for text in fields or [])}
    made = _ask(config, What.DOCUMENT, template=template, fields=json.dumps(values, ensure_ascii=False))
    _told(made, as_json)
    _print_too(config, made, print_it)


@documents.command()
def served(
    words: Annotated[str, typer.Argument(metavar="SERVED", help="当事人签收、当事人拒签、当事人不在场 或 未送达")],
    config: ConfigOption,
    number: Annotated[str, typer.Option("--number", help="文号；不写则为最近一份文书")] = "",
) -> None:
    """登记一份文书的送达情况，并与录像时间段对应。 What became of a document.

    示例： liuhen-agent document served 当事人签收 --config agent.toml
    """
    _told(_ask(config, What.SERVE, number=number, served=words))


@documents.command("print")
def print_document(config: ConfigOption, number: NumberArgument = "") -> None:
    """打印一份文书；再次打印即标明副本。 Print, or print a copy."""
    _told(_ask(config, What.PRINT, PRINT_S, number=_newest(config, PaperKind.DOCUMENT, number)))


@documents.command("show")
def show_document(config: ConfigOption, number: NumberArgument = "", out: PdfOption = None) -> None:
    """显示一份文书，或写成 PDF。 Show a document, or write it as a PDF."""
    _show(config, PaperKind.DOCUMENT, number, out)


@receipts.command("new")
def new_receipt(config: ConfigOption, print_it: PrintOption = False, as_json: JsonOption = False) -> None:
    """给当事人出具录像回执，在终端显示二维码。 Make a receipt for the party, shown as a QR code.

    示例： liuhen-agent receipt new --print --config agent.toml
    """
    made = _ask(config, What.RECEIPT)
    if not as_json:
        _qr(made["code"])
    _told(made, as_json)
    _print_too(config, made, print_it)


@receipts.command()
def confirm(
    words: Annotated[str, typer.Argument(metavar="SERVED", help="当事人签收、当事人拒签 或 当事人不在场")],
    config: ConfigOption,
    name: Annotated[str, typer.Option(help="当事人在屏幕上签的姓名；只保存在本机")] = "",
    paper: Annotated[str, typer.Option(help="当事人已签字的纸质回执或文书编号")] = "",
    receipt: Annotated[str, typer.Option(help="所确认的回执编号；不写则为最近一份")] = "",
    as_json: JsonOption = False,
) -> None:
    """登记当事人对录像校验值的确认。 What the party did with the checksum.

    示例： liuhen-agent receipt confirm 当事人签收 --paper REC-0001-H000001 --config agent.toml
    """
    _told(_ask(config, What.CONFIRM, served=words, name=name, paper=paper, receipt=receipt), as_json)


@receipts.command("print")
def print_receipt(config: ConfigOption, number: NumberArgument = "") -> None:
    """打印一份回执；再次打印即标明副本。 Print, or print a copy."""
    _told(_ask(config, What.PRINT, PRINT_S, number=_newest(config, PaperKind.RECEIPT, number)))


@receipts.command("show")
def show_receipt(config: ConfigOption, number: NumberArgument = "", out: PdfOption = None) -> None:
    """再次显示一份回执的二维码，或写成 PDF。 Show a receipt again, or write it as a PDF."""
    _show(config, PaperKind.RECEIPT, number, out)


@sheets.command("draft")
def draft_sheet(
    config: ConfigOption,
    out: Annotated[Path, typer.Option("--out", help="底稿文件，填写后签名")],
    author: AuthorOption = "",
) -> None:
    """由环节标记生成底稿，供填写。 Draft from the marks.

    示例： liuhen-agent keycontent draft --out 说明.txt --config agent.toml
    """
    answer = _ask(config, What.SHEET_DRAFT, author=author)
    if out.exists():
        raise OperatorFault(f"{out} 已存在，未覆盖。请换一个文件名。")
    durable.write_bytes(out, f"{draft_text(answer)}\n".encode(), durable.PRIVATE)
    output.out(f"{answer['text']}底稿：{out}", highlight=False)


@sheets.command("sign")
def sign_sheet(
    file: Annotated[Path, typer.Argument(help="填好的底稿")],
    config: ConfigOption,
    author: AuthorOption = "",
    as_json: JsonOption = False,
) -> None:
    """签名；时间段取自录像，录像不改动。更正时再起草、再签名，即为下一版。 Sign the sheet.

    示例： liuhen-agent keycontent sign 说明.txt --config agent.toml
    """
    words = read_words(_text(file, MAX_FILE_BYTES))
    words["author"] = author or words["author"]
    _told(_ask(config, What.SHEET_SIGN, asking.ANSWER_S, **words), as_json)


@sheets.command("show")
def show_sheet(config: ConfigOption, number: NumberArgument = "", out: PdfOption = None) -> None:
    """显示一份已签名的说明，或写成 PDF。 Show a signed sheet, or write it as a PDF."""
    _show(config, PaperKind.KEY_CONTENT, number, out)


def _show(config: Path, kind: PaperKind, number: str, out: Path | None) -> None:
    state_dir = duty_cli.recorder(config).state_dir
    note = _note(config, kind, number)
    paper = PaperFolder(state_dir).read(note["name"])
    if out is not None:
        from agent.adapters.paper_pdf import write_pdf

        durable.write_bytes(out, write_pdf(paper), durable.PRIVATE)
        output.out(f"已写成 {out}", highlight=False)
        return
    for line in (paper.title, *_replaced(note), *paper.lines()):
        output.out(line, highlight=False)
    _qr(paper.code)


def _replaced(note: dict[str, Any]) -> list[str]:
    newer = note.get("replaced_by")
    return [f"【已更正】现行版为 {newer}，本份仅供查考。"] if newer else []


def _note(config: Path, kind: PaperKind, number: str) -> dict[str, Any]:
    found = [one for one in _state(config)["papers"] if one["kind"] == kind]
    named = [one for one in found if number in one["number"]]
    if not named:
        text = f"本机最近没有编号为“{number[:60]}”的{_kind_words(kind)}。"
        raise OperatorFault(f"{text}请核对编号；不写编号则为最近一份。" if found else _none(kind))
    return dict(named[-1])


def _newest(config: Path, kind: PaperKind, number: str) -> str:
    """The number that was given, or that of the newest paper of `kind`."""
    return number or str(_note(config, kind, "")["number"])


def _kind_words(kind: PaperKind) -> str:
    return {PaperKind.DOCUMENT: "文书", PaperKind.RECEIPT: "回执"}.get(kind, "说明")


def _none(kind: PaperKind) -> str:
    verbs = {PaperKind.DOCUMENT: "document new", PaperKind.RECEIPT: "receipt new"}
    return f"本机还没有出具{_kind_words(kind)}。请先用 liuhen-agent {verbs.get(kind, 'keycontent draft')}。"


def _ask(config: Path, what: What, wait_s: float = asking.ANSWER_S, **values: str) -> dict[str, Any]:
    return asking.ask(duty_cli.recorder(config).state_dir, what, values, wait_s)


def _state(config: Path) -> dict[str, Any]:
    return asking.read_state(duty_cli.recorder(config).state_dir)


def _print_too(config: Path, made: dict[str, Any], print_it: bool) -> None:
    if print_it:
        output.out(_ask(config, What.PRINT, PRINT_S, number=made["number"])["text"], highlight=False)


def _told(answer: dict[str, Any], as_json: bool = False) -> None:
    if as_json:
        _tell_json(answer)
    else:
        output.out(answer["text"], highlight=False)


def _tell_json(value: Any) -> None:
    output.out(json.dumps(value, ensure_ascii=False, indent=2), highlight=False)


def _qr(code: str) -> None:
    if code:
        from agent.adapters.qr_text import qr_text

        output.out(qr_text(code), highlight=False)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise OperatorFault(f"--field 应写成“名称=内容”，不是“{text[:40]}”。")
    return name.strip(), value


def _from_file(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        values = parse_loose(_text(path, MAX_FILE_BYTES))
    except ValueError as error:
        raise OperatorFault(f"{path} 不是有效的 JSON。请检查文件。") from error
    if not isinstance(values, dict):
        raise OperatorFault(f"{path} 应为一个 JSON 对象：各项名称与内容。")
    return values


def _text(path: Path, limit: int) -> str:
    try:
        if path.stat().st_size > limit:
            raise OperatorFault(f"文件 {path} 过大。请检查文件。")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorFault(f"文件 {path} 无法读取。请检查文件，应为 UTF-8 文字。") from error
