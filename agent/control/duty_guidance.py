"""From the accepted policies to what the duty desk asks: who may enforce, and what a task requires."""

from collections.abc import Callable

from agent.control.duty_situation import Guidance
from agent.duty.officers import Listed
from agent.duty.policies import Policies, PolicyShelf
from agent.duty.requirements import PolicyEngine
from agent.duty.roster import merge_rosters, parse_roster
from agent.duty.task import Asked, Task
from agent.wire.disclosures import DisclosureKind
from agent.wire.instant import Instant


def guidance_of(shelf: PolicyShelf) -> Callable[[Instant], Guidance]:
    """What `shelf` says at a moment; read again only when other versions are in force."""
    known: list[tuple[tuple[str, ...], Guidance]] = []

    def at(now: Instant) -> Guidance:
        policies = shelf.in_force(now.wall)
        key = (policies.frozen, *policies.outdated)
        if not known or known[-1][0] != key:
            known[:] = [(key, _guidance(policies))]
        return known[-1][1]

    return at


def _guidance(policies: Policies) -> Guidance:
    engine = PolicyEngine(policies)

    def requires(task: Task) -> Asked:
        decision = engine.decide(task.matter, task.about)
        asked = decision.requirement
        term = asked.retention.text if asked.steps else ""
        return Asked(asked.steps, term, decision.major.factors, decision.major.open)

    return Guidance(_listed(policies), requires, policies.templates)


def _listed(policies: Policies) -> Listed:
    lists = {name: one for name, one in policies.policies.items() if one.document.kind is DisclosureKind.PERSONNEL_LIST}
    officers = merge_rosters(parse_roster(one.content) for one in lists.values()).officers
    version = max((one.document.version for one in lists.values()), default=0)
    return Listed(officers, version, any(name in policies.outdated for name in lists))
