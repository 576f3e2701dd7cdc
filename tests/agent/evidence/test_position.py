"""Where a fragment was captured stands in the signed journal, and nothing else can stand in its place."""

import json
from dataclasses import replace

import pytest

from agent.errors import SenderFault
from agent.evidence import cbor, sidecars
from agent.evidence.journal import FragmentMoment, JournalEntry, JournalRecord, parse_entry
from agent.evidence.position import Position, encode_position, parse_position
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import recording_id
from tests.agent.evidence.bench import DEVICE, START

HERE = Position(-399042000, 1164074000, 4, 12, 90, -350)


def entry(position: Position | None) -> JournalEntry:
    moment = FragmentMoment(START, 500, START, (), position)
    return JournalEntry(GENESIS, recording_id(DEVICE, 1), 1, 1, moment, GENESIS, b"\0" * 8)


def test_position_comes_back_as_it_was_written() -> None:
    for position in (None, HERE, replace(HERE, quality=8)):
        assert parse_entry(entry(position).encode()) == entry(position)
        assert parse_position(encode_position(position)) == position


@pytest.mark.parametrize(
    "value",
    [
        {},
        [1, 2, 3],
        [0, 0, 1, 5, 90],
        [0, 0, 1, 5, 90, True],
        [0, 0, 1, 5, 90, 0.5],
        [900_000_001, 0, 1, 5, 90, 0],
        [0, -1_800_000_001, 1, 5, 90, 0],
        [0, 0, 0, 5, 90, 0],
        [0, 0, 6, 5, 90, 0],
        [0, 0, 1, 100, 90, 0],
        [0, 0, 1, 5, 0, 0],
        [0, 0, 1, 5, 90, 10_001],
        "39.9,116.4",
    ],
)
def test_forged_position_is_refused(value: object) -> None:
    with pytest.raises(SenderFault):
        parse_entry(cbor.encode(cbor.decode_map(entry(HERE).encode()) | {"pos": value}))


def test_journal_beside_the_recording_names_the_place_and_only_where_there_is_one() -> None:
    records = [JournalRecord(entry(it), GENESIS, 0, 9, 1, 8) for it in (HERE, None)]
    told, untold = (json.loads(line) for line in sidecars.journal_lines(records).splitlines())
    assert told["position"] == {
        "latitude": -399042000,
        "longitude": 1164074000,
        "quality": 4,
        "satellites": 12,
        "hdop": 90,
        "age_ms": -350,
    }
    assert "position" not in untold
