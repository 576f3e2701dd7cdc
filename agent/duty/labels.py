"""What the labels are called, on a recorder as at the centre."""

from collections.abc import Mapping

from agent.duty.case_facts import Label

LAWFUL_OFFICERS = 2  # 行政处罚法 42, 行政强制法 18: 执法人员不得少于两人
LABEL_WORDS: Mapping[Label, str] = {
    Label.NO_TASK: "未关联执法事项",
    Label.SINGLE_OFFICER: "单人执法",
    Label.NOT_ON_ROSTER: "不在人员资格清单中",
    Label.CERTIFICATE_EXPIRED: "执法证件已过有效期",
    Label.CHECK_MISSING: "执法证件未按年度审验",
    Label.WRONG_CATEGORY: "执法证件不含该执法类别",
    Label.WRONG_AREA: "执法证件不含该执法区域",
    Label.STEPS_MISSING: "应录环节未标记",
    Label.POLICY_MISSING: "设备上没有有效的清单",
    Label.POLICY_OUTDATED: "设备上的清单已过期",
    Label.CLOCK_UNSET: "设备时钟未校准",
    Label.HANDED_IN_LATE: "录像未按时交回",
    Label.EMERGENCY_LATE: "当场强制措施未在时限内登记报告",
    Label.PRESERVATION_LATE: "先行登记保存未在时限内登记处理决定",
    Label.TOLD_DIFFERENTLY: "各设备领取的同一任务内容不一致",
    Label.TASK_BY_FILE: "任务由现场文件导入，未经签名下达",
    Label.MAJOR_OPEN: "是否属于重大执法决定尚未查明",
    Label.MATTER_UNLISTED: "执法事项不在音像记录事项清单中",
    Label.OTHER_OFFICERS: "领用人与任务指定的执法人员不一致",
    Label.LIST_INCOMPLETE: "设备上的清单没有收齐",
    Label.STOPPED_EARLY: "全过程记录提前停止",
    Label.LIMIT_LOOSENED: "执法时限清单宽于法定时限",
}
