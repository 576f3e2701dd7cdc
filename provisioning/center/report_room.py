"""What the page of the six exports is given, on a disk and on the served page alike."""

from typing import Any

from agent.duty.labels import LABEL_WORDS
from agent.duty.record_counts import Counts
from agent.duty.record_use import UseTable, moment
from agent.duty.refusals import refusals
from provisioning.center.cases import CaseRoom
from provisioning.center.report_plots import WIDTH, plots
from provisioning.center.use_room import Gathered


def report_shown(room: CaseRoom, found: Gathered, counts: Counts, made: tuple[UseTable, ...]) -> dict[str, Any]:
    """What the page's template is given."""
    certificates = [
        {"证件编号": it.certificate, "问题": LABEL_WORDS[it.label], "任务": "、".join(it.tasks)}
        for it in counts.certificates
    ]
    refused = [
        {"时间": moment(it.at), "设备": it.device, "拒收": it.what, "原因": it.why} for it in refusals(room.events)
    ]
    return {
        "title": "执法全过程记录运用报告", "place": room.config.district, "made": moment(room.now),
        "troubles": found.troubles, "counts": counts, "plots": plots(counts), "width": WIDTH, "tables": made,
        "certificates": certificates, "refused": refused, "looks": {},
    }  # fmt: skip
