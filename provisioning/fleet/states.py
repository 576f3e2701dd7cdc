"""Where a device is in its life, and which moves are legal (pure).

Reference: provisioning, sections 3 and 5 (GB/T 22239: 感知节点管理, from storage to scrapping)."""

from enum import StrEnum

from agent.errors import OperatorFault


class State(StrEnum):
    """The states of a device, in the order of an ordinary life."""

    PLANNED = "planned"
    BUNDLED = "bundled"
    ENROLLED = "enrolled"
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    IN_REPAIR = "in-repair"
    LOST = "lost"
    REVOKED = "revoked"
    DECOMMISSIONED = "decommissioned"


CHINESE = {
    State.PLANNED: "待发",
    State.BUNDLED: "已制卡",
    State.ENROLLED: "已入网",
    State.ACCEPTED: "已验收",
    State.ASSIGNED: "使用中",
    State.IN_REPAIR: "维修",
    State.LOST: "遗失",
    State.REVOKED: "已吊销",
    State.DECOMMISSIONED: "已报废",
}
_GONE = {State.LOST, State.REVOKED}
# A repaired device is checked again; a revoked one that comes back gets another card and other keys. An assigned one
# is handed back, lost or revoked before it is decommissioned: nobody erases a recorder that an officer still carries.
# A card whose device was listed wrongly is void, and the device planned again.
LEGAL: dict[State, set[State]] = {
    State.PLANNED: {State.BUNDLED, State.REVOKED, State.DECOMMISSIONED},
    State.BUNDLED: {State.PLANNED, State.ENROLLED, *_GONE, State.DECOMMISSIONED},
    State.ENROLLED: {State.ACCEPTED, State.IN_REPAIR, *_GONE, State.DECOMMISSIONED},
    State.ACCEPTED: {State.ASSIGNED, State.IN_REPAIR, *_GONE, State.DECOMMISSIONED},
    State.ASSIGNED: {State.ACCEPTED, State.IN_REPAIR, *_GONE},
    State.IN_REPAIR: {State.ENROLLED, *_GONE, State.DECOMMISSIONED},
    State.LOST: {State.REVOKED, State.DECOMMISSIONED},
    State.REVOKED: {State.BUNDLED, State.DECOMMISSIONED},
    State.DECOMMISSIONED: set(),
}


LOST_WORDS = ("遗失", "丢失", "被盗", "被抢", "lost", "stolen")  # how a reason begins that says who had it last


def taken_out(current: State, reason: str) -> State:
    """Where a device goes that is revoked for `reason`: lost ones stay with the officer who had them, for the ledger;
    one that is found again is revoked once more, with a reason that says so."""
    lost = reason.strip().lower().startswith(LOST_WORDS) and State.LOST in {current, *LEGAL[current]}
    return State.LOST if lost else State.REVOKED


def checked_move(device: str, current: State, wanted: State) -> State:
    """Return `wanted` when a device may go there from `current`; raises `OperatorFault` naming where it may go."""
    if wanted not in LEGAL[current]:
        ways = "、".join(f"{CHINESE[state]}（{state}）" for state in State if state in LEGAL[current]) or "无"
        step = f"请先验收：liuhen-provision check {device}。" if State.ACCEPTED in LEGAL[current] else ""
        raise OperatorFault(
            f"{device} 现为{CHINESE[current]}（{current}），不能改为{CHINESE[wanted]}（{wanted}）。"
            f"{step if wanted is State.ASSIGNED else ''}可改为：{ways}。"
        )
    return wanted
