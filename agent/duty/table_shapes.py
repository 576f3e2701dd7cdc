"""The columns in which departments publish each policy, and the names that the same column has elsewhere.

Both published families of the 音像记录事项清单 are known (reference/domain.md 1.4): that of 焦作市司法局 with 执法事项
and 存储期限, and that of 勐海市监局 and 贺兰综合执法局 with 记录场合, 记录部门, 执法记录类别.
"""

from collections.abc import Mapping

from agent.duty.factors import ANY
from agent.duty.public_shapes import PUBLIC_SHAPES
from agent.duty.recording_list import BY_RULES, EVERY_MATTER
from agent.duty.table_shape import NUMBER, Shape
from agent.wire.disclosures import DisclosureKind

MONEY_UNITS = ("（元）", "（万元）", "(元)", "(万元)")  # behind the name of a column, for the bare numbers below it
SHAPES: Mapping[DisclosureKind, Shape] = {
    **PUBLIC_SHAPES,
    DisclosureKind.RECORDING_LIST: Shape(
        {
            NUMBER: ("编号",),
            "执法类别": ("类别", "执法种类", "执法行为类别"),
            "执法事项": ("事项", "事项名称", "执法事项名称"),
            "记录环节": ("执法环节", "环节", "关键环节", "执法记录环节"),
            "记录方式": ("方式",),
            "记录开始时间": ("开始记录时间", "开始时间"),
            "记录内容": ("内容", "音像记录内容"),
            "记录结束时间": ("结束记录时间", "结束时间"),
            "存储期限": ("保管期限", "保存期限", "保存时限"),
            "备注": ("说明",),
            "记录场所": ("记录场合", "记录地点", "场所"),
            "记录载体": ("载体", "记录设备"),
            "记录人": ("记录人员",),
            "执法记录类别": ("记录类别", "音像记录类别"),
            "全过程记录": ("是否全过程记录",),
            "记录过程": (),
            "记录部门": (),
            "执法时限要求": (),
        },
        {"执法事项": EVERY_MATTER, "存储期限": BY_RULES, "备注": "无"},
        lists=frozenset({"记录内容"}),
        carried=("执法类别", "执法事项"),
        times=("记录开始时间", "记录结束时间"),
        optional=frozenset(
            {"记录场所", "记录载体", "记录人", "执法记录类别", "全过程记录", "记录过程", "记录部门", "执法时限要求"}
        ),
    ),
    DisclosureKind.RECORDING_RULES: Shape(
        {
            "执法环节": ("环节", "记录环节"),
            "记录内容": ("内容",),
            "记录方式": ("方式",),
            "记录载体": ("载体", "记录设备"),
            "开始记录": ("开始记录时间", "记录开始时间"),
            "停止记录": ("结束记录时间", "记录结束时间"),
            "存储期限": ("保管期限", "保存期限"),
        },
        lists=frozenset({"记录内容"}),
        times=("开始记录", "停止记录"),
    ),
    DisclosureKind.MAJOR_CATALOGUE: Shape(
        {
            NUMBER: ("编号",),
            "决定事项": ("重大执法决定", "审核事项", "事项", "事项名称"),
            "执法类别": ("类别", "执法种类"),
            "执法层级": ("层级",),
            "所属领域": ("领域",),
            "涉案金额": ("金额", *(f"{name}{unit}" for name in ("涉案金额", "金额") for unit in MONEY_UNITS)),
            "社会影响": ("影响",),
            "备注": (),
        },
        {"执法层级": ANY, "所属领域": ANY, "涉案金额": ANY, "社会影响": ANY},
        carried=("执法类别",),
        optional=frozenset({"备注"}),
    ),
    DisclosureKind.REASON_CODES: Shape(
        {"代码": ("原因代码",), "用途": ("种类",), "原因": ("说明", "原因说明"), "须书面说明": ("书面说明",)},
        {"须书面说明": "否"},
        carried=("用途",),
    ),
    DisclosureKind.TIME_LIMITS: Shape(
        {
            "时限事项": ("事项",),
            "时限": ("期限", "时限要求"),
            "依据": ("法律依据",),
            "起算环节": ("起算",),
            "节假日": (),
            "调休上班日": (),
        },
        lists=frozenset({"起算环节", "节假日", "调休上班日"}),
        optional=frozenset({"起算环节", "节假日", "调休上班日"}),
    ),
}
"""The kinds that come as tables; document templates and review rules are written as JSON."""
