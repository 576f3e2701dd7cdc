"""Reading what events tell: what cannot be read tells nothing, and nothing breaks over it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from agent.duty.case_facts import Label, RecordingFact
from agent.errors import SenderFault
from agent.wire.canonical import Fields
from agent.wire.device_events import DeviceEvent, EventType

Found = TypeVar("Found")


def readable(own: Iterable[DeviceEvent], kind: EventType, read: Callable[[Fields], Found]) -> Iterator[Found]:
    """What `read` makes of the events of one kind, in their order; those that it refuses are left out."""
    for event in own:
        if event.type is kind:
            try:
                yield read(Fields("事件", event.data))
            except SenderFault:
                continue


def labels(values: Iterable[Any]) -> tuple[Label, ...]:
    """The labels among `values`; a word that is none is left out."""
    known = {label.value for label in Label}
    return tuple(Label(value) for value in values if value in known)


def texts(values: Iterable[Any]) -> tuple[str, ...]:
    """The texts among `values`."""
    return tuple(value for value in values if isinstance(value, str))


def as_begun(fact: RecordingFact, own: Iterable[DeviceEvent]) -> RecordingFact:
    """`fact` with the versions of the policies in force and the labels that the recording's beginning was told with."""
    found = fact
    for event in own:
        policies, labelled = event.data.get("policies"), event.data.get("labels")
        if event.type is EventType.RECORDING_STARTED and isinstance(policies, Mapping):
            versions = {str(kind): version for kind, version in policies.items() if type(version) is int}
            found = replace(fact, policies=versions, labels=labels(labelled if isinstance(labelled, list) else ()))
    return found
