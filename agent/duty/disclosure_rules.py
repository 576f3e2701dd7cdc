"""When a published document may be shown: one set of rules for the office, the agent and the kiosk.

Two people answer for every document, an editor and a reviewer (the plan's 审核、纠错和监督机制, section 二（一）1); a
version never goes back, and what was withdrawn stays withdrawn (requirement KIO-06 of reference/domain.md 1.10).
"""

from datetime import datetime

from agent.duty.entries import Entry
from agent.duty.masking import check_masked
from agent.duty.roster import parse_roster
from agent.duty.windows import parse_windows
from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.disclosures import DISCLOSURE_TYPE, ENTRY_FIELDS, Disclosure, DisclosureKind, parse_disclosure
from agent.wire.envelope import Opened, open_envelope
from agent.wire.identifiers import District
from agent.wire.topics import EVERYONE
from agent.wire.trust import Role, TrustList

SIGNATURES = 2
MAX_ENTRIES = 1000  # ours; an envelope of 256 KiB holds about as many short ones


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
    then stays as it is. A later `effective_from` is no reason: the document says itself from when it is shown.
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
    opened = open_envelope(envelope, DISCLOSURE_TYPE, trust, now)
    if len(opened.signers) != SIGNATURES:
        raise SenderFault(f"公示文件应有编辑、审核两个签名，实有 {len(opened.signers)} 个，已拒绝。")
    check_two_people(opened.signer(Role.EDITOR).subject, opened.signer(Role.REVIEWER).subject)
    return opened


def check_two_people(editor: str, reviewer: str) -> tuple[str, str]:
    """Return both staff numbers when they are two people; raises `SenderFault` otherwise."""
    if editor == reviewer:
        raise SenderFault(f"编辑与审核是同一人（{editor}），已拒绝。请由另一人审核签名。")
    return editor, reviewer


def judge(
    payload: bytes, *, now: datetime, district: District, audience: str, current: Disclosure | None
) -> Disclosure:
    """As `accept`, for a payload whose two signatures `open_two_signatures` has verified."""
    document = check_content(parse_disclosure(payload))
    if document.district != district:
        raise SenderFault(f"公示文件属于区域 {document.district}，本机属于 {district}，已拒绝。")
    if document.audience not in (EVERYONE, audience):
        raise SenderFault(f"公示文件的范围是 {document.audience}，本机只展示 {EVERYONE} 与 {audience}，已拒绝。")
    until = document.effective_until
    if until is not None and now >= until and document.withdrawn is None:
        raise SenderFault(f"公示文件“{document.title[:40]}”已于 {canonical.timestamp(until)} 过期，已拒绝。")
    return document if current is None else _successor(document, current)


def check_content(document: Disclosure) -> Disclosure:
    """Return `document` when every field is filled and nothing personal shows; raises `SenderFault`.

    A withdrawn document has a reason and no entries; any other has 1 to `MAX_ENTRIES` entries.
    """
    _check_head(document)
    if document.withdrawn is not None:
        if document.entries:
            raise SenderFault("撤回的公示文件不应再带条目，已拒绝。")
        return document
    if not 1 <= len(document.entries) <= MAX_ENTRIES:
        raise SenderFault(f"公示文件应有 1 至 {MAX_ENTRIES} 条，实有 {len(document.entries)} 条，请改正。")
    for number, entry in enumerate(document.entries, 1):
        fields = Entry("公示文件", number, check_masked(f"第 {number} 条", entry))
        for name in dict.fromkeys((*ENTRY_FIELDS[document.kind], *entry)):
            fields.texts(name)
    _check_kind(document)
    return document


def _check_head(document: Disclosure) -> None:
    head = {"标题": document.title, "发布单位": document.publisher}
    if document.withdrawn is not None:
        head["撤回原因"] = document.withdrawn
    for name, text in check_masked("文件头", head).items():
        if not text.strip():
            raise SenderFault(f"公示文件没有{name}，请补填。")


def _check_kind(document: Disclosure) -> None:
    if document.kind is DisclosureKind.PERSONNEL_LIST:
        parse_roster(document.entries)
    elif document.kind is DisclosureKind.WINDOW_BOARD:
        parse_windows(document.entries)


def _successor(document: Disclosure, current: Disclosure) -> Disclosure:
    if document.key != current.key:
        raise SenderFault(f"公示文件 {'.'.join(document.key)} 不是 {'.'.join(current.key)} 的新版本，已拒绝。")
    if document.version < current.version:
        raise SenderFault(f"公示文件第 {document.version} 版旧于已展示的第 {current.version} 版，已拒绝。")
    if document.version == current.version:
        if document != current:
            raise SenderFault(f"公示文件第 {document.version} 版与已展示的同一版内容不同，已拒绝。")
        return current
    if current.withdrawn is not None and document.withdrawn is None:
        raise SenderFault("该公示文件已被撤回，不能以同一编号恢复，已拒绝。请换一个编号重新公示。")
    return document
