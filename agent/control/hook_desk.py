"""What the device's own side tells, as events for the centre (`data` in brackets), with ids that name the fact:
`casing/{moment}` (opened), `dock/{moment}` (docked), `card/{moment}` (card), `clock-disputed/{moment}` (apart_ms; 0
once both agree again), `key-mark/{moment}` (recording).

A card's number is what its chip says, no name; whose it is, is known where cards are handed out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.control.acts import Act
from agent.control.effects import Effect, EventDraft, MarkRecording, StoreEvent, moment_name
from agent.control.messages import (
    CardShown,
    CasingChanged,
    ClockDisputed,
    DockChanged,
    Event,
    HookEvent,
    OfficerActed,
)
from agent.wire.device_events import EventType
from agent.wire.instant import Instant


def told(event: HookEvent) -> list[Effect]:
    """What of it the centre is told."""
    match event:
        case CasingChanged(opened, at):
            return [_store("casing", EventType.CASING_CHANGED, at, {"opened": opened})]
        case DockChanged(docked, at):
            return [_store("dock", EventType.DOCK_CHANGED, at, {"docked": docked})]
        case CardShown(card, at):
            return [_store("card", EventType.CARD_SHOWN, at, {"card": card})]
        case ClockDisputed(apart_ms, at):
            return [_store("clock-disputed", EventType.CLOCK_DISPUTED, at, {"apart_ms": apart_ms})]
        case _:
            return []


def meant(event: Event, *, step_due: bool) -> Event:
    """`event` as it is meant: a long press marks the next step while one is due (the desk of duty hears it), and is a
    key mark otherwise."""
    if isinstance(event, OfficerActed) and event.act is Act.STEP and not step_due:
        return replace(event, act=Act.MARK)
    return event


def key_marks(effects: list[Effect]) -> list[Effect]:
    """`effects`, and for every key mark (重点标记) among them the event that tells the centre which recording it is
    that must be kept."""
    marks = [it for it in effects if isinstance(it, MarkRecording) and it.act is Act.MARK]
    return [*effects, *(_store("key-mark", EventType.KEY_MARKED, it.at, {"recording": it.recording}) for it in marks)]


def _store(fact: str, kind: EventType, at: Instant, data: Mapping[str, Any]) -> Effect:
    return StoreEvent(EventDraft(f"{fact}/{moment_name(at)}", kind, at, data))
