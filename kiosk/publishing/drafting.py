"""From an office's file to a document ready for two signatures; and from a document to its withdrawal. Pure."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from agent.duty.disclosure_rules import check_content, check_nothing_beside
from agent.duty.masking import find_personal
from agent.duty.publication_rules import KIND_WORDS
from agent.errors import OperatorFault, SenderFault
from agent.settings import Settings
from agent.wire import canonical
from agent.wire.disclosures import Disclosure, DisclosureKind, parse_disclosure
from agent.wire.identifiers import District
from agent.wire.instant import BEIJING

REQUIRED = ("kind", "id", "title", "audience", "publisher", "entries")
OPTIONAL = ("effective_from", "effective_until", "filing")
PHOTO = "照片"  # a path in an office's file; on a screen it is the file `photo-3.jpg` of entry 3
WHERE = "公示稿"
MAX_PAYLOAD_BYTES = 184 * 1024  # base64, two signatures and the packet stay within the broker's 256 KiB


def compose(source: bytes, *, district: District, now: datetime, latest: Disclosure | None) -> Disclosure:
    """The next version of the document in an office's JSON file `source`; `latest` is its newest version so far.

    Raises `OperatorFault` naming entry and field: missing, blank, unmasked, another audience, withdrawn before.
    """
    table = _table(source)
    settings = _settings(table)
    fields: dict[str, Any] = {key: settings.text(key) for key in REQUIRED if key != "entries"}
    starts = _moment(settings, "effective_from") or now
    ends = _moment(settings, "effective_until")
    if ends is not None and ends <= max(starts, now):
        raise OperatorFault(f"{WHERE}的 effective_until 早于生效时间或现在。请改正。")
    fields |= {
        "district": district,
        "version": 1 if latest is None else latest.version + 1,
        "issued_at": canonical.timestamp(now),
        "effective_from": canonical.timestamp(starts),
        "effective_until": None if ends is None else canonical.timestamp(ends),
        "withdrawn": None,
        "entries": table.get("entries"),
        **({"filing": table["filing"]} if "filing" in table else {}),
    }
    return succeeding(_checked(fields), latest)


def without_photos(source: bytes) -> tuple[bytes, dict[int, str]]:
    """The office's file without the field 照片, and what stood there by the number of the entry; raises
    `OperatorFault`."""
    table, found = dict(_table(source)), {}
    entries = table.get("entries")
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        if isinstance(entry, dict) and PHOTO in entry:
            found[number] = str(entry.pop(PHOTO))
    return json.dumps(table, ensure_ascii=False).encode(), found


def sized(document: Disclosure) -> Disclosure:
    """Return `document` when it fits an envelope; raises `OperatorFault`."""
    length = len(document.encode())
    if length > MAX_PAYLOAD_BYTES:
        raise OperatorFault(f"{WHERE}有 {length // 1024} KiB，超过上限 {MAX_PAYLOAD_BYTES // 1024} KiB。请拆成几份。")
    return document


def source_name(source: bytes) -> str:
    """The name `kind.id` of the document in an office's file, to find its versions by; raises `OperatorFault`."""
    settings = _settings(_table(source))
    kind = settings.text("kind")
    if kind not in {member.value for member in DisclosureKind}:
        known = "、".join(member.value for member in DisclosureKind)
        raise OperatorFault(f"{WHERE}的 kind“{kind[:40]}”未知，应为 {known} 之一。")
    return f"{kind}.{settings.text('id')}"


def withdrawal(document: Disclosure, reason: str, now: datetime) -> Disclosure:
    """The tombstone that takes `document`'s place and shows `reason`; raises `OperatorFault` when already withdrawn
    or without a reason. It has no end: a withdrawn document never comes back."""
    if document.withdrawn is not None:
        raise OperatorFault(f"{'.'.join(document.key)} 已经撤回，无需再次撤回。")
    tombstone = replace(
        document,
        title=_fit(document.title, KIND_WORDS.get(document.kind, "公示文件")),
        publisher=_fit(document.publisher, "原发布单位"),
        version=document.version + 1,
        issued_at=now,
        effective_from=now,
        effective_until=None,
        withdrawn=reason.strip(),
        entries=(),
        attachments=(),
        filing=None,
    )
    return _own_fault(tombstone.encode())


def checked(payload: bytes) -> Disclosure:
    """The document of a draft, whoever wrote it there, as it may be signed; raises `OperatorFault`."""
    try:
        return check_nothing_beside(payload, _own_fault(payload))
    except SenderFault as fault:
        raise OperatorFault(str(fault)) from fault


def succeeding(document: Disclosure, latest: Disclosure | None) -> Disclosure:
    """Return `document` when it may follow `latest`, its newest version so far; raises `OperatorFault` for one that was
    withdrawn or is for another audience."""
    if latest is None:
        return document
    if latest.withdrawn is not None:
        raise OperatorFault(f"{'.'.join(document.key)} 已被撤回，不能恢复。请换一个 id 重新起草。")
    if latest.audience != document.audience:
        raise OperatorFault(
            f"{'.'.join(document.key)} 的范围一直是 {latest.audience}，不能改为 {document.audience}。请换一个 id。"
        )
    return document


def _fit(text: str, instead: str) -> str:
    """`text` for a tombstone, `instead` where it is itself what must go."""
    return text if find_personal(text) is None else instead


def _table(source: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(source.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise OperatorFault(f"{WHERE}不是 UTF-8 文字。请另存为 UTF-8 后重试。") from error
    except json.JSONDecodeError as error:
        place = f"第 {error.lineno} 行第 {error.colno} 字起，如多逗号、缺引号、用了全角符号"
        raise OperatorFault(f"{WHERE}不是有效的 JSON（{place}）。请改正后重试。") from error
    except (ValueError, RecursionError) as error:
        raise OperatorFault(f"{WHERE}不是有效的 JSON（{error}）。请改正后重试。") from error
    if not isinstance(value, dict):
        raise OperatorFault(f"{WHERE}应为一个 JSON 对象。请参照示例文件改正。")
    return value


def _settings(table: Mapping[str, Any]) -> Settings:
    return Settings(WHERE, table, (*REQUIRED, *OPTIONAL))


def _checked(fields: dict[str, Any]) -> Disclosure:
    try:
        payload = canonical.encode(fields)
    except ValueError as error:
        raise OperatorFault(f"{WHERE}中有不能公示的值（{error}）；各字段只填文字。请改正。") from error
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise OperatorFault(
            f"{WHERE}有 {len(payload) // 1024} KiB，超过上限 {MAX_PAYLOAD_BYTES // 1024} KiB。请拆成几份。"
        )
    return _own_fault(payload)


def _own_fault(payload: bytes) -> Disclosure:
    """The rules of the receiving side, but here the file of the person at the keyboard is at fault."""
    try:
        return check_content(parse_disclosure(payload))
    except SenderFault as fault:
        raise OperatorFault(str(fault)) from fault


def _moment(settings: Settings, key: str) -> datetime | None:
    """A day (its first moment in Beijing) or a UTC timestamp."""
    if not settings.given(key):
        return None
    value = settings.text(key)
    try:
        day = date.fromisoformat(value) if len(value) == len("2026-11-22") else None
        return (
            canonical.parse_timestamp(value) if day is None else datetime(day.year, day.month, day.day, tzinfo=BEIJING)
        )
    except (ValueError, SenderFault) as error:
        raise OperatorFault(f"{WHERE}的 {key} 是“{value[:40]}”，应形如 2026-11-22。请改正。") from error
