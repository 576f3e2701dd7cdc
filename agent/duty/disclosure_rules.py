"""When a published document may be shown: one set of rules for the office, the agent and the kiosk.

Two people answer for every document, an editor and a reviewer (the plan's 审核、纠错和监督机制, section 二（一）1); a
version never goes back, and what was withdrawn stays withdrawn (requirement KIO-06 of reference/domain.md 1.10).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from agent.duty.entries import Entry
from agent.duty.masking import check_impersonal
from agent.duty.publication_rules import parse_publication_rules
from agent.duty.roster import parse_roster
from agent.duty.windows import parse_windows
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.disclosures import (
    DISCLOSURE_TYPE,
    DUTY_AUDIENCE,
    ENTRY_FIELDS,
    POLICY_KINDS,
    PUBLIC_POLICIES,
    Disclosure,
    DisclosureKind,
    parse_disclosure,
)
from agent.wire.envelope import Opened, open_envelope
from agent.wire.identifiers import District
from agent.wire.topics import EVERYONE
from agent.wire.trust import Role, TrustList

SIGNATURES = 2
ROLE_NAMES = {Role.EDITOR: "编辑", Role.REVIEWER: "审核"}
ABOUT_PEOPLE = frozenset(
    {DisclosureKind.RESULTS, DisclosureKind.RANDOM_INSPECTION_RESULTS, DisclosureKind.MATTER_STATUS}
)
"""What says what became of somebody: there a telephone or a home is taken for somebody's own."""
OFFICE_MOBILE = "公开的公务手机"
WITH_OFFICE_MOBILE = frozenset({DisclosureKind.SERVICE_GUIDE, DisclosureKind.SUBJECT_LIST})
"""The field in which an office publishes a mobile number of its own (a duty telephone), in the kinds that show it; both
who sign answer for it being no person's."""
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
READERS: Mapping[DisclosureKind, Any] = {
    DisclosureKind.PERSONNEL_LIST: parse_roster,
    DisclosureKind.WINDOW_BOARD: parse_windows,
    DisclosureKind.PUBLICATION_RULES: parse_publication_rules,
}
MAX_ENTRIES = 1000  # ours; an envelope of 256 KiB holds about as many short ones


class Refusal(StrEnum):
    """Why a document is refused, as the `code` of a `SenderFault`: fit for permanent records, for it names nobody."""

    SIGNATURE = "signature"
    TWO_PEOPLE = "two-people"
    CONTENT = "content"
    TOPIC = "topic"
    DISTRICT = "district"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    OLDER_VERSION = "older-version"
    SAME_VERSION = "same-version"
    WITHDRAWN = "withdrawn"
    FILE = "file"
    BUNDLE = "bundle"


def accept(
    envelope: bytes,
    *,
    trust: TrustList,
    now: datetime,
    district: District,
    audience: str,
    current: Disclosure | None,
) -> Disclosure:
    """Open `envelope` and return its document when it may replace `current` (None: nothing is shown yet).

    The same document once more returns `current`. Raises `SenderFault`, one Chinese line per reason; what is shown
    then stays as it is. A later `effective_from` is no reason here: the document says itself from when it is shown. The
    office alone waits for that moment before it releases.
    """
    return judge(
        open_two_signatures(envelope, trust, now).payload,
        now=now,
        district=district,
        audience=audience,
        current=current,
    )


def open_two_signatures(envelope: bytes, trust: TrustList, now: datetime) -> Opened:
    """Open an envelope that exactly one editor and one reviewer signed, two people; raises `SenderFault`."""
    try:
        opened = open_envelope(envelope, DISCLOSURE_TYPE, trust, now)
        editor, reviewer = _two_signers(opened)
    except SenderFault as fault:
        raise SenderFault(str(fault), Refusal.SIGNATURE) from fault
    check_two_people(editor, reviewer)
    return opened


def _two_signers(opened: Opened) -> tuple[str, str]:
    if len(opened.signers) != SIGNATURES:
        raise SenderFault(f"公示文件应有编辑、审核两个签名，实有 {len(opened.signers)} 个，已拒绝。")
    return opened.signer(Role.EDITOR).subject, opened.signer(Role.REVIEWER).subject


def check_two_people(editor: str, reviewer: str) -> tuple[str, str]:
    """Return both staff numbers when they are two people; raises `SenderFault` otherwise."""
    if editor == reviewer:
        raise SenderFault(f"编辑与审核是同一人（{editor}），已拒绝。请由另一人审核签名。", Refusal.TWO_PEOPLE)
    return editor, reviewer


def judge(
    payload: bytes, *, now: datetime, district: District, audience: str, current: Disclosure | None
) -> Disclosure:
    """As `accept`, for a payload whose two signatures `open_two_signatures` has verified."""
    document = check_content(parse_disclosure(payload))
    if document.district != district:
        text = f"公示文件属于区域 {document.district}，本机属于 {district}，已拒绝。"
        raise SenderFault(text, Refusal.DISTRICT)
    if document.audience not in (EVERYONE, audience):
        text = f"公示文件的范围是 {document.audience}，本机只展示 {EVERYONE} 与 {audience}，已拒绝。"
        raise SenderFault(text, Refusal.AUDIENCE)
    until = document.effective_until
    if until is not None and now >= until and document.withdrawn is None:
        text = f"公示文件“{document.title[:40]}”已于 {canonical.timestamp(until)} 过期，已拒绝。"
        raise SenderFault(text, Refusal.EXPIRED)
    return document if current is None else _successor(document, current)


def check_content(document: Disclosure) -> Disclosure:
    """Return `document` when every field is filled and nothing personal shows; raises `SenderFault`.

    A withdrawn document has a reason and no entries; any other has 1 to `MAX_ENTRIES` entries.
    """
    _check_head(document)
    if document.withdrawn is not None:
        if document.entries or document.attachments:
            raise SenderFault("撤回的公示文件不应再带条目或附件，已拒绝。")
        return document
    if not 1 <= len(document.entries) <= MAX_ENTRIES:
        raise SenderFault(f"公示文件应有 1 至 {MAX_ENTRIES} 条，实有 {len(document.entries)} 条，请改正。")
    check_entries(document.kind, document.entries)
    if document.kind in POLICY_KINDS - PUBLIC_POLICIES and document.audience != DUTY_AUDIENCE:
        raise SenderFault(f"内部规则（{document.kind}）只发给执法终端，范围应为 {DUTY_AUDIENCE}，请改正。")
    return document


def check_nothing_beside(payload: bytes, document: Disclosure) -> Disclosure:
    """Return `document`, parsed from `payload`, when nothing else stands there: what nobody reads is published with the
    rest, and was looked through by nobody. For whoever publishes; raises `SenderFault`."""
    if document.encode() != payload:
        raise SenderFault("公示文件中有本程序不认识的内容，无法检查，不得公示。请用 liuhen-publish draft 重新起草。")
    return document


def _reader(kind: DisclosureKind) -> Any:
    """What reads the entries of `kind`. The rules inside the office are many, and no screen shows them: they are loaded
    when one comes."""
    if kind in POLICY_KINDS and kind not in READERS:
        from agent.duty.policies import PARSERS

        return PARSERS.get(kind)
    return READERS.get(kind)


def check_entries(kind: DisclosureKind, entries: Sequence[Mapping[str, Any]]) -> None:
    """Look through the entries of a document of `kind`; raises `SenderFault` naming entry (`第 3 条`) and field."""
    for number, entry in enumerate(entries, 1):
        _check_gate(kind, number, entry)
        fields = Entry("公示文件", number, entry)
        for name in dict.fromkeys((*ENTRY_FIELDS[kind], *entry)):
            fields.texts(name)
    reader = _reader(kind)
    if reader is not None:
        reader(entries)


def office_mobiles(document: Disclosure) -> tuple[str, ...]:
    """One Chinese line for each mobile number that `document` declares the office's own, for who signs it."""
    declared = enumerate(document.entries, 1) if document.kind in WITH_OFFICE_MOBILE else ()
    told = "签名即确认它是本机关的公务号码，不是个人的"
    return tuple(
        f"第 {number} 条的“{OFFICE_MOBILE}”（尾号 {str(entry[OFFICE_MOBILE])[-4:]}）将向公众公开：{told}。"
        for number, entry in declared
        if OFFICE_MOBILE in entry
    )


def _check_gate(kind: DisclosureKind, number: int, entry: Mapping[str, Any]) -> None:
    """Stop what leads to a person, but a mobile number that the office publishes as its own, in the field of that name
    and in nothing else."""
    own = entry.get(OFFICE_MOBILE)
    declared = kind in WITH_OFFICE_MOBILE and isinstance(own, str) and _MOBILE.fullmatch(own) is not None
    rest = {name: value for name, value in entry.items() if not declared or name != OFFICE_MOBILE}
    try:
        check_impersonal(f"第 {number} 条", rest, about_people=kind in ABOUT_PEOPLE)
    except SenderFault as fault:
        if "手机号" not in str(fault) or kind in ABOUT_PEOPLE:
            raise
        way = f"本机关的公务手机可在服务指南、主体资格清单中单独填入“{OFFICE_MOBILE}”（11 位数字）。"
        raise SenderFault(f"{fault}{way}", fault.code) from fault


def _check_head(document: Disclosure) -> None:
    head = {"标题": document.title, "发布单位": document.publisher}
    if document.withdrawn is not None:
        head["撤回原因"] = document.withdrawn
    filing = document.filing
    more = {} if filing is None else {"备案编号": filing.number, "备案机关": filing.authority}
    # What has a number in its id can still be withdrawn, and only under that id.
    named = {} if document.withdrawn is not None else {"id": document.disclosure_id, "audience": document.audience}
    check_impersonal("文件头", {**named, **head, **more}, about_people=document.kind in ABOUT_PEOPLE)
    for name, text in head.items():
        if not text.strip():
            raise SenderFault(f"公示文件没有{name}，请补填。")


def _successor(document: Disclosure, current: Disclosure) -> Disclosure:
    if document.key != current.key:
        raise SenderFault(f"公示文件 {'.'.join(document.key)} 不是 {'.'.join(current.key)} 的新版本，已拒绝。")
    if document.version < current.version:
        text = f"公示文件第 {document.version} 版旧于已展示的第 {current.version} 版，已拒绝。"
        raise SenderFault(text, Refusal.OLDER_VERSION)
    if document.version == current.version:
        if document != current:
            text = f"公示文件第 {document.version} 版与已展示的同一版内容不同，已拒绝。"
            raise SenderFault(text, Refusal.SAME_VERSION)
        return current
    return check_not_restored(document, withdrawn=current.withdrawn is not None)


def check_not_restored(document: Disclosure, *, withdrawn: bool) -> Disclosure:
    """Return `document`, the newer version of one that was `withdrawn` or not; raises `SenderFault` when it would bring
    back what was withdrawn."""
    if withdrawn and document.withdrawn is None:
        text = "该公示文件已被撤回，不能以同一编号恢复，已拒绝。请换一个编号重新公示。"
        raise SenderFault(text, Refusal.WITHDRAWN)
    return document
