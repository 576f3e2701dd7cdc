"""A rehearsal must not tick what did not hold."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from provisioning.rehearsal.findings import EventCounts, Findings
from provisioning.rehearsal.terminal import Teller


@pytest.mark.parametrize(("held", "mark"), [(True, "✓"), (False, "✗")])
def test_a_wrong_verdict_is_told_with_a_cross(held: bool, mark: str) -> None:
    said = io.StringIO()
    teller = Teller(Console(file=said, width=200))
    teller.verdict("REC-0001-R000001", "altered", held=held)
    teller.say("产生 21", held=held)
    assert said.getvalue().count(mark) == 2


@pytest.mark.parametrize("stays", [True, False])
def test_a_kiosk_that_has_ended_is_not_offered_to_be_tried(stays: bool, tmp_path: Path) -> None:
    said = io.StringIO()
    findings = Findings(tmp_path, kiosk_url="http://127.0.0.1:9/")
    Teller(Console(file=said, width=200)).close(findings, stays=stays)
    assert ("http://127.0.0.1:9/" in said.getvalue()) is stays


def test_events_without_a_receipt_are_counted_as_waiting() -> None:
    assert (EventCounts(21, 21, 19).waiting, EventCounts(21, 21, 19).all_receipted) == (2, False)
    assert (EventCounts(21, 21, 21).waiting, EventCounts(21, 21, 21).all_receipted) == (0, True)
