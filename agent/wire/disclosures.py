"""Disclosures (公示): signed documents that an office publishes and a kiosk shows.

A document is one version of one list, board or guide. Its `content` uses the field names of the district's plan
(东区政办发〔2017〕73号, section 二（一）) as they stand there. Who may sign and when one is accepted is decided in
`agent.duty.disclosure_rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.content import Attachment, parse_attachments
from agent.wire.identifiers import District, district, label

DISCLOSURE_TYPE = "application/vnd.liuhen.disclosure+json"
DUTY_AUDIENCE = "duty"  # every recorder of the district, and no kiosk


class DisclosureKind(StrEnum):
    """What kiosks show, and from `RECORDING_RULES` on the policies that recorders follow; the value is the topic
    level."""

    WINDOW_BOARD = "window-board"
    ITEM_LIST = "item-list"
    RANDOM_INSPECTION_LIST = "random-inspection-list"
    FLOW_CHART = "flow-chart"
    SERVICE_GUIDE = "service-guide"
    SUBJECT_LIST = "subject-list"
    PERSONNEL_LIST = "personnel-list"
    RESULTS = "results"
    RANDOM_INSPECTION_RESULTS = "random-inspection-results"
    NOTICE = "notice"
    MATTER_STATUS = "matter-status"
    SEARCH_INDEX = "search-index"
    PUBLICATION_RULES = "publication-rules"
    RECORDING_RULES = "recording-rules"
    RECORDING_LIST = "recording-list"
    MAJOR_CATALOGUE = "major-catalogue"
    DOCUMENT_TEMPLATES = "document-templates"
    REASON_CODES = "reason-codes"
    REVIEW_RULES = "review-rules"
    TIME_LIMITS = "time-limits"


PUBLIC_POLICIES = frozenset({DisclosureKind.RECORDING_LIST, DisclosureKind.MAJOR_CATALOGUE})
"""Lists that departments publish; the other policies are for the department's own devices."""
POLICY_KINDS = PUBLIC_POLICIES | {
    DisclosureKind.RECORDING_RULES,
    DisclosureKind.DOCUMENT_TEMPLATES,
    DisclosureKind.REASON_CODES,
    DisclosureKind.REVIEW_RULES,
    DisclosureKind.TIME_LIMITS,
}
DUTY_KINDS = POLICY_KINDS | {DisclosureKind.PERSONNEL_LIST}
"""What a recorder takes over: its policies, and who may enforce."""

ENTRY_FIELDS: Mapping[DisclosureKind, tuple[str, ...]] = {
    # 二（一）7: 公示工作人员单位、姓名、职务、执法种类和服务事项等信息；明确窗口职责
    DisclosureKind.WINDOW_BOARD: ("窗口", "窗口职责", "单位", "姓名", "职务", "执法种类", "服务事项", "状态"),
    # 二（一）2; the six kinds of conduct are those of section 一
    DisclosureKind.ITEM_LIST: ("事项名称", "执法类别", "执法依据", "实施主体"),
    DisclosureKind.RANDOM_INSPECTION_LIST: ("抽查事项", "抽查依据", "抽查主体", "抽查对象", "抽查内容", "抽查方式"),
    DisclosureKind.FLOW_CHART: ("名称", "步骤"),
    # 国办发〔2018〕118号 as quoted in reference/domain.md 1.1
    DisclosureKind.SERVICE_GUIDE: (
        "事项名称", "受理机构", "审批机构", "受理条件", "申请材料", "办理流程", "办理时限", "收费标准", "咨询电话",
    ),
    # 二（一）3, with the two fields of 委托执法
    DisclosureKind.SUBJECT_LIST: (
        "执法主体机构名称", "机构性质", "经费来源", "队伍编制状况", "主体类别", "执法职责和权限", "法定代表人",
        "单位地址", "投诉举报电话", "受委托组织基本信息", "委托执法协议",
    ),
    # 二（一）4
    DisclosureKind.PERSONNEL_LIST: (
        "姓名", "单位", "职务", "证件编号", "执法类别", "执法区域", "证件有效期至", "年度审验",
    ),
    # 二（一）8; summary fields of 市场监管总局令第45号 article 4
    DisclosureKind.RESULTS: ("决定书文号", "当事人", "违法行为类型", "处罚内容", "机关名称", "作出日期"),
    DisclosureKind.RANDOM_INSPECTION_RESULTS: ("抽查事项", "抽查对象", "抽查日期", "抽查情况", "查处结果"),
    DisclosureKind.NOTICE: ("标题", "正文"),
    # 二（一）10: 网上运行; asked by number, never listed
    DisclosureKind.MATTER_STATUS: ("受理编号", "事项名称", "办理状态", "更新日期"),
    # 二（一）1: 执法公示的范围、内容、载体、程序、时限要求、监督方式和保障措施
    DisclosureKind.PUBLICATION_RULES: (
        "公示种类", "范围", "内容", "载体", "程序", "公示时限", "撤回时限", "公示期限", "监督方式", "保障措施",
    ),
    # not read by people: `search.sqlite` finds entries of these documents in these versions, `font.woff2` spells them
    DisclosureKind.SEARCH_INDEX: ("公示文件", "版本", "条数"),
    # 二（二）1: 明确各执法环节记录的内容、方式、载体等事项; start and end as the published rules say them
    DisclosureKind.RECORDING_RULES: (
        "执法环节", "记录内容", "记录方式", "记录载体", "开始记录", "停止记录", "存储期限",
    ),
    # 二（二）3; the ten columns of 焦作市司法局 in their order (reference/domain.md 1.4)
    DisclosureKind.RECORDING_LIST: (
        "序号", "执法类别", "执法事项", "记录环节", "记录方式", "记录开始时间",
        "记录内容", "记录结束时间", "存储期限", "备注",
    ),
    # 二（三）3: 结合执法类别、执法层级、所属领域、涉案金额、社会影响等因素
    DisclosureKind.MAJOR_CATALOGUE: (
        "序号", "决定事项", "执法类别", "执法层级", "所属领域", "涉案金额", "社会影响",
    ),
    # 二（二）2: 执法文书标准文本
    DisclosureKind.DOCUMENT_TEMPLATES: ("模板编号", "名称", "正文", "必填项"),
    DisclosureKind.REASON_CODES: ("代码", "用途", "原因", "须书面说明"),
    # 二（三）1, 2 and 5
    DisclosureKind.REVIEW_RULES: (
        "审核机构", "审核人员", "审核范围", "送审材料", "审核程序", "审核载体", "受理时限", "补正时限", "审核时限",
        "反馈时限", "启动协调时限", "协调时限", "作出决定时限", "协调机制", "责任追究",
    ),
    # reference/domain.md 1.2: 行政强制法 19, 行政处罚法 56
    DisclosureKind.TIME_LIMITS: ("时限事项", "时限", "依据"),
}  # fmt: skip


@dataclass(frozen=True)
class Filing:
    """That a document was filed (备案, the plan's section 二（一）2): under which number, with whom, on which day."""

    number: str
    authority: str
    day: str

    def as_json(self) -> dict[str, str]:
        """As it stands in a document."""
        return {"authority": self.authority, "day": self.day, "number": self.number}


@dataclass(frozen=True)
class Disclosure:
    """Version `version` of the document `kind`/`disclosure_id` for `audience`; entries have at least `ENTRY_FIELDS`.

    Shown from `effective_from` until `effective_until` (None: until a newer version). `withdrawn` is a tombstone:
    the reason takes the content's place and older versions never come back. `attachments` are files that are shown
    with it, or not at all.
    """

    district: District
    audience: str
    kind: DisclosureKind
    disclosure_id: str
    version: int
    title: str
    publisher: str
    issued_at: datetime
    effective_from: datetime
    effective_until: datetime | None
    withdrawn: str | None
    entries: tuple[Mapping[str, Any], ...]
    attachments: tuple[Attachment, ...] = ()
    filing: Filing | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What a newer version replaces: kind and id."""
        return self.kind.value, self.disclosure_id

    def encode(self) -> bytes:
        """Canonical payload for an editor and a reviewer to seal."""
        until = self.effective_until
        # A document without files and filing is, byte for byte, what it was before there were any.
        more: dict[str, Any] = {}
        if self.attachments:
            more["attachments"] = [one.as_json() for one in self.attachments]
        if self.filing is not None:
            more["filing"] = self.filing.as_json()
        return canonical.encode(
            {
                **more,
                "audience": self.audience,
                "district": self.district,
                "effective_from": canonical.timestamp(self.effective_from),
                "effective_until": None if until is None else canonical.timestamp(until),
                "entries": [dict(entry) for entry in self.entries],
                "id": self.disclosure_id,
                "issued_at": canonical.timestamp(self.issued_at),
                "kind": self.kind.value,
                "publisher": self.publisher,
                "title": self.title,
                "version": self.version,
                "withdrawn": self.withdrawn,
            }
        )


def parse_disclosure(payload: bytes) -> Disclosure:
    """The document in an opened envelope's payload; raises `SenderFault` naming what is missing."""
    fields = Fields("公示文件", canonical.decode(payload))
    try:
        kind = DisclosureKind(fields.text("kind"))
    except ValueError as error:
        raise SenderFault(f"公示种类“{fields.text('kind')[:40]}”未知，已拒绝。") from error
    withdrawn = None if fields.is_null("withdrawn") else fields.text("withdrawn")
    return Disclosure(
        district(fields.text("district")),
        label(fields.text("audience")),
        kind,
        label(fields.text("id")),
        fields.integer("version", 1),
        fields.text("title"),
        fields.text("publisher"),
        fields.moment("issued_at"),
        fields.moment("effective_from"),
        fields.optional_moment("effective_until"),
        withdrawn,
        tuple(check_entry(kind, number, entry) for number, entry in enumerate(fields.array("entries"), 1)),
        parse_attachments(fields.array("attachments")) if fields.has("attachments") else (),
        parse_filing(fields.object("filing")) if fields.has("filing") else None,
    )


def parse_filing(value: Any) -> Filing:
    """A filing as it stands in a document; raises `SenderFault` naming what is missing."""
    fields = Fields("备案", value)
    number, authority, day = (fields.text(name) for name in ("number", "authority", "day"))
    try:
        date.fromisoformat(day)
    except ValueError as error:
        raise SenderFault(f"备案日期“{day[:20]}”应形如 2027-01-01，请改正。") from error
    if not (number.strip() and authority.strip()):
        raise SenderFault("备案缺少编号或备案机关，请补填。")
    return Filing(number, authority, day)


def check_entry(kind: DisclosureKind, number: int, entry: Any) -> dict[str, Any]:
    """Return entry `number` (from 1) when it has every field its kind asks for; raises `SenderFault` otherwise."""
    fields = Fields(f"公示文件第 {number} 条", entry)
    for name in ENTRY_FIELDS[kind]:
        fields.any(name)
    return dict(entry)
