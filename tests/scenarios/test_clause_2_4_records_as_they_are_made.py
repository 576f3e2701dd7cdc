"""（二）4 推进信息化建设: 探索音像记录即时上传存储模式，推动执法全过程网络同步管理: steps and heads are at
the centre while a recording is being made. Outages in between: `test_outages.py`."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.rehearsing import REHEARSAL, heads

pytestmark = REHEARSAL
Told = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def arrived(told: dict[str, Any], place: Path) -> Told:
    """Type, time of arrival and data of every event of the inspection's recording, in the order of the device."""
    recording = Path(told["inspection"]["path"]).name
    with closing(sqlite3.connect(place / "center" / "center.db")) as store:
        query = "select type, received_at, body from event where device = 'REC-0001' order by devseq"
        rows = [(kind, at, json.loads(body)["data"]) for kind, at, body in store.execute(query)]
    return [row for row in rows if row[2].get("recording") == recording]


def test_clause_2_4_every_step_is_at_the_centre_before_the_recording_ends(told: dict[str, Any], arrived: Told) -> None:
    (ended,) = (at for kind, at, _ in arrived if kind == "liuhen.recording.sealed.v1")
    marks = [(data["step"], at) for kind, at, data in arrived if kind == "liuhen.duty.step-marked.v1"]
    assert [step for step, _ in marks] == told["inspection"]["required"]
    assert all(at < ended for _, at in marks)


def test_clause_2_4_a_recording_is_proven_to_exist_before_it_is_uploaded(told: dict[str, Any], arrived: Told) -> None:
    """The centre had the head of its chain while it ran; the film that came later has that very fragment."""
    told_heads = [(data, at) for kind, at, data in arrived if kind == "liuhen.recording.head-advanced.v1"]
    (ended,) = (at for kind, at, _ in arrived if kind == "liuhen.recording.sealed.v1")
    found = heads(Path(told["inspection"]["path"]))
    assert told_heads[0][1] < ended
    assert all(found[head["sequence"]] == head["head"] for head, _ in told_heads)
