"""One process for one state folder, whoever else looks at it in the meantime."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from agent.adapters.state_lock import NAME, hold, is_held
from agent.errors import OperatorFault


def test_a_status_that_looks_at_the_wrong_moment_does_not_keep_an_agent_from_starting(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    descriptor = os.open(tmp_path / NAME, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)  # as `is_held` has it for a moment
    letting_go = threading.Timer(0.1, os.close, [descriptor])
    letting_go.start()
    try:
        with hold(tmp_path):
            assert is_held(tmp_path)
    finally:
        letting_go.join()
    assert not is_held(tmp_path)


def test_two_agents_in_one_folder_are_refused(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(OperatorFault, match="正被另一个"), hold(tmp_path):
        pass


def test_looking_makes_nothing(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []
