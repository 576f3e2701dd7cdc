"""The outbox between a broker that dies, denies, forgets and fills up, and a receiver that comes late. Order E's table.

Each test plays one fault of `tests/faults/README.md` against the real outbox, link and receiver over a real Mosquitto.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import needs_mosquitto
from tests.support.torture import Torture

pytestmark = needs_mosquitto


@pytest.fixture
def torture(tmp_path: Path) -> Iterator[Torture]:
    made = Torture(tmp_path)
    yield made
    made.close()


def test_a_killed_outbox_in_the_middle_of_its_work_loses_nothing_it_accepted(torture: Torture) -> None:
    torture.broker.start()
    torture.open_ingest()
    for _ in range(3):
        torture.open_outbox()
        torture.put(200)
        torture.outbox and torture.outbox.say(f"put {torture.offered} {torture.offered + 500}")
        torture.offered += 500
        assert torture.outbox
        torture.outbox.end(signal.SIGKILL)
    torture.open_outbox()
    torture.drain()
    torture.check(maybe=range(torture.offered))


def test_taken_in_the_dark_and_killed_everything_arrives_later(torture: Torture) -> None:
    torture.open_outbox()
    torture.put(1_000, 100)
    assert torture.outbox
    torture.outbox.end(signal.SIGKILL)
    torture.broker.start()
    torture.open_ingest()
    torture.open_outbox()
    torture.put(100)
    torture.drain()
    torture.check()
    assert len(torture.stored()) == 1_100


@pytest.mark.faults
def test_twenty_kills_of_the_outbox(torture: Torture) -> None:
    torture.broker.start()
    torture.open_ingest()
    for _ in range(20):
        torture.open_outbox()
        torture.put(500)
        assert torture.outbox
        torture.outbox.say(f"put {torture.offered} {torture.offered + 2_000}")
        torture.offered += 2_000
        torture.outbox.end(signal.SIGKILL)
    torture.open_outbox()
    torture.drain()
    torture.check(maybe=range(torture.offered))


@pytest.mark.faults
def test_twenty_mixed_kills(torture: Torture) -> None:
    torture.broker.start()
    torture.open_ingest()
    torture.open_outbox()
    for number in range(20):
        torture.put(300)
        if number % 3 == 0 and torture.outbox:
            torture.outbox.end(signal.SIGKILL)
            torture.open_outbox()
        elif number % 3 == 1:
            torture.broker.stop(signal.SIGKILL)
            torture.put(100)
            torture.broker.start()
        elif torture.ingest:
            torture.ingest.end(signal.SIGKILL)
            torture.open_ingest(wait=False)
    torture.drain(180)
    torture.check()


@pytest.mark.faults
@pytest.mark.parametrize("more", ["", "persistence true\npersistence_location {}/\n"])
def test_the_broker_is_killed_while_the_receiver_is_away(tmp_path: Path, more: str) -> None:
    torture = Torture(tmp_path, more.format(tmp_path))
    try:
        torture.broker.start()
        torture.open_ingest()
        torture.open_outbox()
        torture.put(100)
        torture.drain()
        assert torture.ingest
        torture.ingest.end()
        torture.put(3_000, 100)
        torture.broker.stop(signal.SIGKILL)
        torture.broker.start()
        torture.open_ingest()
        torture.put(100)
        torture.drain(180)
        torture.check()
    finally:
        torture.close()


@pytest.mark.faults
def test_more_messages_than_the_broker_queues_for_a_receiver_that_is_away(tmp_path: Path) -> None:
    torture = Torture(tmp_path, "max_queued_messages 100\npersistence false\n", single=True)
    try:
        torture.broker.start()
        torture.open_ingest()
        torture.open_outbox()
        torture.put(50)
        torture.drain()
        assert torture.ingest
        torture.ingest.end()
        torture.put(2_000, 100)
        torture.open_ingest()
        torture.drain(240)
        torture.check()
    finally:
        torture.close()


@pytest.mark.faults
def test_nobody_subscribes_for_half_the_run(torture: Torture) -> None:
    torture.broker.start()
    torture.open_outbox()
    torture.put(2_000, 20)
    torture.open_ingest()
    torture.put(2_000, 20)
    torture.drain()
    torture.check()


@pytest.mark.faults
def test_the_access_list_denies_for_half_the_run(torture: Torture) -> None:
    torture.broker.allow(False)
    torture.broker.start()
    torture.open_ingest()
    torture.open_outbox()
    torture.put(2_000, 20)
    torture.broker.allow(True)
    torture.broker.send(signal.SIGHUP)
    torture.put(2_000, 20)
    torture.drain(400)
    torture.check()
