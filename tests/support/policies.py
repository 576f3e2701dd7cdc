"""The sample policies of the fictional district, as accepted documents."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.duty.policies import Policies, PolicyShelf
from agent.wire.disclosures import DUTY_AUDIENCE, Disclosure, DisclosureKind
from tests.support.documents import notice

UNIT = "星河区综合行政执法局"
SAMPLE = Path(__file__).parents[2] / "provisioning/rehearsal/sample"
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def entries_of(kind: DisclosureKind) -> tuple[dict[str, Any], ...]:
    """The entries of the sample of `kind`."""
    folder = SAMPLE if kind is DisclosureKind.RECORDING_LIST else SAMPLE / "policies"
    return tuple(json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))["entries"])


def policy(kind: DisclosureKind, version: int = 1, **changes: Any) -> Disclosure:
    """A policy of the unit of the tests' recorders; the sample's entries unless `changes` say others."""
    fields: dict[str, Any] = {"kind": kind, "disclosure_id": "main", "audience": DUTY_AUDIENCE, "publisher": UNIT}
    changes.setdefault("entries", entries_of(kind) if "withdrawn" not in changes else ())
    return notice(version, **{**fields, **changes})


def sample_policies(**changes: Any) -> Policies:
    """The sample's recording list, rules, catalogue and reasons, in force at `NOW`."""
    kinds = (DisclosureKind.RECORDING_LIST, DisclosureKind.RECORDING_RULES)
    more = (DisclosureKind.MAJOR_CATALOGUE, DisclosureKind.REASON_CODES)
    return PolicyShelf(UNIT, [policy(kind, **changes) for kind in (*kinds, *more)]).in_force(NOW)
