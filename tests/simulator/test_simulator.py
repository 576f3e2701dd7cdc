"""Seeds of the district simulator, and what it must not miss: a promise, a signature or a repetition that nobody checks
any more fails within a few seeds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agent.control import disclosure_desk, effects, messages
from agent.wire.envelope import Opened, parse_envelope
from provisioning.center import ingest
from provisioning.center.store import Ledger
from tests.simulator.__main__ import play
from tests.simulator.device import Device
from tests.simulator.district import Keys

MINUTES, PATIENCE = 10, 30  # of one seed; seeds until a fault must show


@pytest.fixture(scope="module")
def keys() -> Keys:
    return Keys()


@contextmanager
def in_the_place_of(owner: Any, name: str, other: object) -> Iterator[None]:
    """One part of ours works otherwise inside the block."""
    kept = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, kept)


def _first_fault(keys: Keys) -> str:
    found = (play(seed, keys, MINUTES).fault for seed in range(PATIENCE))
    return next((fault for fault in found if fault), "")


@pytest.mark.parametrize("first", range(0, 24, 4))
def test_district_keeps_its_promises_whatever_goes_wrong(keys: Keys, first: int) -> None:
    for seed in range(first, first + 4):
        assert play(seed, keys, MINUTES).fault == ""


def test_seed_plays_the_same_twice(keys: Keys) -> None:
    assert play(77, keys, MINUTES) == play(77, keys, MINUTES)


def test_puback_taken_for_a_receipt_is_found(keys: Keys) -> None:
    real = Device.dispatch

    def trusting(device: Device, event: messages.Event) -> None:
        real(device, event)
        if isinstance(event, messages.PublishAnswered) and device.power:
            device._perform(effects.Acknowledge(device.devseq))

    with in_the_place_of(Device, "dispatch", trusting):
        assert "gave up" in _first_fault(keys)


def test_publication_whose_signatures_nobody_checks_is_found(keys: Keys) -> None:
    def unchecked(envelope: bytes, *_: object) -> Opened:
        return Opened(parse_envelope(envelope).payload, ())

    with in_the_place_of(disclosure_desk, "open_two_signatures", unchecked):
        assert "signed by nobody" in _first_fault(keys)


def test_receiver_that_does_not_look_what_it_has_is_found(keys: Keys) -> None:
    real = Ledger.shelves

    def forgetful(ledger: Ledger, asked: Any) -> Any:
        return real(ledger, dict.fromkeys(asked, ()))

    with in_the_place_of(Ledger, "shelves", forgetful):
        assert _first_fault(keys)


def test_receiver_that_believes_a_revoked_device_is_found(keys: Keys) -> None:
    everybody = keys.trust(3)
    real: Callable[..., Any] = ingest.open_batch

    with in_the_place_of(ingest, "open_batch", lambda topic, data, _, *more: real(topic, data, everybody, *more)):
        assert "stolen" in _first_fault(keys)
