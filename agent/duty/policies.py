"""The policies of a department: signed documents of `POLICY_KINDS`, and which of them are in force at a moment.

They come by the same way as what kiosks show (`agent.duty.disclosure_rules`); a list that is too long for one document
comes in several. Only those count that the device's own unit has published: every department makes its own.
A policy past its end is used on, and labelled: a recorder without any would record worse.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from agent.duty.case_facts import Label
from agent.duty.documents import Template, parse_templates
from agent.duty.major_catalogue import MajorCatalogue, MajorRule, parse_major_catalogue
from agent.duty.reason_codes import ReasonCode, ReasonUse, parse_reason_codes
from agent.duty.recording_list import RecordingItem, parse_recording_list
from agent.duty.recording_rules import RecordingRule, parse_recording_rules
from agent.duty.review_rules import parse_review_rules
from agent.duty.time_limits import TimeLimits, joined, parse_time_limits
from agent.wire.device_events import event_hash
from agent.wire.disclosures import DUTY_KINDS, Disclosure, DisclosureKind

NEEDED = (DisclosureKind.RECORDING_LIST, DisclosureKind.RECORDING_RULES)  # without them a recording is labelled
DIGEST_LENGTH = 16  # hex digits of a version in a recording; the event of its acceptance has all 64
POLICIES, POLICY_LABELS = "policies", "policy_labels"  # keys of a recording's context
PART = re.compile(r"(.*)（([0-9]{1,4})/([0-9]{1,4})）")  # the title of one of several documents that make one list
MAX_FROZEN = 1000  # characters, ours: half of a recording's context

PARSERS: Mapping[DisclosureKind, Any] = {
    DisclosureKind.RECORDING_LIST: parse_recording_list,
    DisclosureKind.RECORDING_RULES: parse_recording_rules,
    DisclosureKind.MAJOR_CATALOGUE: parse_major_catalogue,
    DisclosureKind.DOCUMENT_TEMPLATES: parse_templates,
    DisclosureKind.REASON_CODES: parse_reason_codes,
    DisclosureKind.REVIEW_RULES: parse_review_rules,
    DisclosureKind.TIME_LIMITS: parse_time_limits,
}
"""Kinds whose entries are read here; each parser raises `SenderFault` naming the entry."""


@dataclass(frozen=True)
class Policy:
    """One accepted document, read: `name` is `kind.id`, `content` what its parser made of it (entries otherwise)."""

    name: str
    document: Disclosure
    digest: str
    content: tuple[Any, ...]

    def outdated(self, now: datetime) -> bool:
        """Whether its end has come. A clock behind the document's own date is wrong."""
        until = self.document.effective_until
        return until is not None and max(now, self.document.issued_at) >= until


@dataclass(frozen=True)
class Policies:
    """What is in force: `policies` by name, `outdated` the names of those past their end."""

    policies: Mapping[str, Policy] = field(default_factory=dict)
    outdated: tuple[str, ...] = ()

    @property
    def versions(self) -> Mapping[str, int]:
        """Versions by name `kind.id`: what `recording.started` tells and `RecordingFact.policies` has."""
        return {name: policy.document.version for name, policy in self.policies.items()}

    @property
    def frozen(self) -> str:
        """The versions as they are signed into a recording: `kind.id=version/digest` joined by blanks; of very many
        documents the digest of that text alone, with their number."""
        text = " ".join(
            f"{name}={one.document.version}/{one.digest[:DIGEST_LENGTH]}" for name, one in self.policies.items()
        )
        return text if len(text) <= MAX_FROZEN else f"sha256={event_hash(text.encode())} of {len(self.policies)}"

    @property
    def context(self) -> Mapping[str, str]:
        """What a recording signs of them (`agent.evidence.statements.SegmentOrigin.context`)."""
        labels = {POLICY_LABELS: " ".join(self.labels)} if self.labels else {}
        return {POLICIES: self.frozen, **labels}

    @property
    def labels(self) -> tuple[Label, ...]:
        """What is wrong with them in the eyes of the rules."""
        kinds = {policy.document.kind for policy in self.policies.values()}
        missing = (Label.POLICY_MISSING,) if any(kind not in kinds for kind in NEEDED) else ()
        outdated = (Label.POLICY_OUTDATED,) if self.outdated else ()
        loosened = (Label.LIMIT_LOOSENED,) if self.time_limits.loosened else ()
        return (*missing, *outdated, *((Label.LIST_INCOMPLETE,) if self.incomplete else ()), *loosened)

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Titles of lists of which not every document has come."""
        parts = [PART.fullmatch(one.document.title) for one in self.policies.values()]
        held: dict[tuple[str, int], set[int]] = {}
        for found in filter(None, parts):
            held.setdefault((found[1], int(found[3])), set()).add(int(found[2]))
        return tuple(title for (title, count), numbers in held.items() if not {*range(1, count + 1)} <= numbers)

    def of(self, kind: DisclosureKind) -> tuple[Any, ...]:
        """The contents of all documents of `kind`, one behind the other."""
        found = (policy.content for policy in self.policies.values() if policy.document.kind is kind)
        return tuple(item for content in found for item in content)

    @property
    def items(self) -> tuple[RecordingItem, ...]:
        """The rows of the recording lists."""
        return self.of(DisclosureKind.RECORDING_LIST)

    @property
    def rules(self) -> tuple[RecordingRule, ...]:
        """The stages of the recording rules."""
        return self.of(DisclosureKind.RECORDING_RULES)

    @property
    def catalogue(self) -> MajorCatalogue:
        """The catalogue of major decisions."""
        found: tuple[MajorRule, ...] = self.of(DisclosureKind.MAJOR_CATALOGUE)
        return MajorCatalogue(found)

    @property
    def time_limits(self) -> TimeLimits:
        """How long what begins on scene may take."""
        return joined(self.of(DisclosureKind.TIME_LIMITS))

    @property
    def templates(self) -> Mapping[str, Template]:
        """The templates of documents by id, each with the version of the policy that it stands in."""
        kind = DisclosureKind.DOCUMENT_TEMPLATES
        held = [policy for policy in self.policies.values() if policy.document.kind is kind]
        return {
            one.template: replace(one, version=policy.document.version) for policy in held for one in policy.content
        }

    def reasons(self, use: ReasonUse) -> tuple[ReasonCode, ...]:
        """The reasons that may be given for `use`."""
        found: tuple[ReasonCode, ...] = self.of(DisclosureKind.REASON_CODES)
        return tuple(reason for reason in found if reason.use is use)


class PolicyShelf:
    """The documents that a device has accepted, in their newest versions; `in_force` says which of them rule."""

    def __init__(self, unit: str, documents: Iterable[Disclosure] = ()) -> None:
        self._unit = unit
        self._shelf: dict[str, Policy] = {}
        for document in documents:
            self.put(document)

    def put(self, document: Disclosure) -> None:
        """Take over an accepted document; other kinds, and policies of other units, are passed over. The personnel list
        is the department's or the legal office's (the plan, 二（一）4), and names the unit of each officer itself."""
        own = document.publisher == self._unit or document.kind is DisclosureKind.PERSONNEL_LIST
        if document.kind in DUTY_KINDS and own:
            self._shelf[".".join(document.key)] = read_policy(document)

    def in_force(self, now: datetime) -> Policies:
        """The policies at `now`: begun and not withdrawn, by name."""
        held = {name: one for name, one in sorted(self._shelf.items()) if _rules(one.document, now)}
        return Policies(held, tuple(name for name, one in held.items() if one.outdated(now)))


def read_policy(document: Disclosure) -> Policy:
    """The document with its entries read; raises `SenderFault` naming what is wrong with one."""
    return Policy(".".join(document.key), document, event_hash(document.encode()), parse_policy(document))


def parse_policy(document: Disclosure) -> tuple[Any, ...]:
    """What the entries say; raises `SenderFault` naming what is wrong with one."""
    parse = PARSERS.get(document.kind)
    if parse is None or document.withdrawn is not None:
        return tuple(document.entries)
    return tuple(parse(document.entries))


def _rules(document: Disclosure, now: datetime) -> bool:
    return document.withdrawn is None and max(now, document.issued_at) >= document.effective_from
