"""What becomes of a file that is put in its place in each of the ways people and programs have."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.adapters.folder_watch import FolderWatch, TreeWatch
from agent.control.messages import Event, FileSettled
from agent.durable import write_bytes
from agent.loop import Inbox
from tests.support.center import until


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "device").mkdir()
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "device" / "trust.dsse"
    place.write_bytes(b"old")
    return place


@pytest.fixture
def inbox(place: Path) -> Iterator[Inbox]:
    """What the watch of `place` tells."""
    inbox = Inbox()
    watch = FolderWatch(place, inbox.put)
    watch.start()
    yield inbox
    assert watch.close(60)


def next_told(inbox: Inbox) -> Event:
    event: Event = until(lambda: inbox.get(0.05), "the change is told")
    return event


def replaced(place: Path) -> None:
    write_bytes(place, b"new")


def copied(place: Path) -> None:
    place.write_bytes(b"new")


def moved_in(place: Path) -> None:
    """`mv` from a folder that is not watched: the kernel tells of its arrival alone."""
    stranger = place.parent.parent / "elsewhere" / "any.dsse"
    stranger.write_bytes(b"new")
    stranger.rename(place)


WAYS = pytest.mark.parametrize("put", [replaced, copied, moved_in])


@WAYS
def test_a_new_file_is_told_when_it_is_complete_and_no_other_is(
    place: Path, inbox: Inbox, put: Callable[[Path], None]
) -> None:
    put(place.with_name("other.dsse"))
    (place.parent / "folder").mkdir()
    (place.parent / "folder").rename(place.with_name("trust.dsse.d"))
    put(place)
    assert next_told(inbox) == FileSettled(str(place))
    assert place.read_bytes() == b"new"


def test_a_file_moved_out_is_not_told(place: Path) -> None:
    inbox = Inbox()
    watch = FolderWatch(place.with_name("*.dsse"), inbox.put)
    watch.start()
    try:
        place.rename(place.parent.parent / "elsewhere" / "any.dsse")
        moved_in(place.with_name("next.dsse"))
        assert next_told(inbox) == FileSettled(str(place.with_name("next.dsse")))
    finally:
        assert watch.close(60)


def test_what_a_flood_of_files_pushed_out_of_the_kernels_queue_is_looked_for(place: Path) -> None:
    room = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    told, go, inbox = threading.Event(), threading.Event(), Inbox()

    def busy(event: Event) -> None:
        told.set()
        go.wait(60)
        inbox.put(event)

    watch = FolderWatch(place, busy)
    watch.start()
    try:
        place.write_bytes(b"old")
        assert told.wait(60)
        for number in range(room + 2):  # two in turn: the kernel makes one event of the same twice
            os.close(os.open(place.with_name(f"noise-{number % 2}"), os.O_WRONLY | os.O_CREAT))
        place.write_bytes(b"new")  # finds the queue full
        go.set()
        assert next_told(inbox) == next_told(inbox) == FileSettled(str(place))
    finally:
        go.set()
        assert watch.close(60)


@WAYS
def test_a_file_on_a_card_is_told_however_it_came(place: Path, put: Callable[[Path], None]) -> None:
    inbox: list[Path] = []
    watch = TreeWatch(place.parent.parent / "device", inbox.append)
    (place.parent / "DCIM").mkdir()
    watch.follow()
    try:
        video = place.parent / "DCIM" / "1.mp4"
        if put is moved_in:
            place.rename(place.parent.parent / "elsewhere" / "out.dsse")
            (place.parent.parent / "elsewhere" / "out.dsse").rename(video)
        else:
            put(video)
        assert until(lambda: video in inbox, "the file is told")
        assert all(path.name for path in inbox)
    finally:
        watch.close()
