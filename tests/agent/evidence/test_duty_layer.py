"""What the layer 履职 calls a failure: a rule that was broken, and not what nobody could know."""

import pytest

from agent.duty.case_facts import Label
from agent.duty.officers import label_lines
from agent.evidence.bmff import Source
from agent.evidence.duty_findings import NO_FAULT, duty_layer
from agent.evidence.journal import LABEL, JournalEvent
from agent.evidence.report import Status
from agent.evidence.verify import SegmentFile, examine_files
from tests.agent.evidence.bench import Bench


@pytest.mark.parametrize(
    ("labels", "status"),
    [
        ((Label.CLOCK_UNSET,), Status.NOTED),
        ((Label.SINGLE_OFFICER,), Status.FAILED),
        ((Label.CLOCK_UNSET, Label.SINGLE_OFFICER), Status.FAILED),
    ],
)
def test_an_unset_clock_alone_is_told_and_is_no_broken_rule(
    bench: Bench, labels: tuple[Label, ...], status: Status
) -> None:
    events = tuple(JournalEvent(LABEL, bench.now, None, line) for line in label_lines((), labels))
    found = duty_layer(
        examine_files([SegmentFile("segment-0001.mp4", Source.of_bytes(bench.sealed(events={1: events})))])
    )
    assert found.status is status
    assert sum("标注：" in line for line in found.lines) == len(labels)
    assert frozenset(Label) >= NO_FAULT
