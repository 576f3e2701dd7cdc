"""From the accepted policies to what the duty desk asks: who may enforce, and what a task requires."""

from collections.abc import Callable
from functools import partial

from agent.control.duty_situation import Guidance
from agent.duty.officers import Listed
from agent.duty.policies import Policies, PolicyShelf
from agent.duty.reason_codes import ReasonUse
from agent.duty.requirements import PolicyEngine
from agent.duty.roster import merge_rosters, parse_roster
from agent.duty.task import Asked, Manner, Task
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

    return Guidance(
        _listed(policies),
        partial(_asked, engine),
        policies.templates,
        policies.reasons(ReasonUse.STEP_MISSING),
        policies.reasons(ReasonUse.INTERRUPTION),
        policies.reasons(ReasonUse.NOT_RECORDED),
        policies.time_limits,
    )


def _asked(engine: PolicyEngine, task: Task) -> Asked:
    """What is asked of `task`: its own stages where the lists ask for something in them, every stage of a listed matter
    otherwise, kept as long as the whole matter. A matter on no list has no steps of its own, and is not asked for those
    of every stage there is."""
    everything = engine.requirement(task.category, task.matter)
    stages = tuple(it for it in task.stages if engine.requirement(task.category, task.matter, (it,)).steps)
    decision = engine.decide(task.matter, task.about, stages)
    found, known = decision.requirement, everything.listed or bool(stages)
    manner = Manner(found.starts, found.ends, found.methods, found.carriers, found.whole, found.whole_steps)
    return Asked(
        found.steps if known else (),
        everything.retention.text if everything.steps else "",
        decision.major.factors,
        decision.major.open,
        everything.listed or not engine.has_list,
        tuple(stage for stage in task.stages if stage not in stages),
        manner if known else Manner(whole=found.whole),
    )


def _listed(policies: Policies) -> Listed:
    lists = {name: one for name, one in policies.policies.items() if one.document.kind is DisclosureKind.PERSONNEL_LIST}
    officers = merge_rosters((one.document.issued_at, parse_roster(one.content)) for one in lists.values()).officers
    version = max((one.document.version for one in lists.values()), default=0)
    return Listed(officers, version, any(name in policies.outdated for name in lists))
