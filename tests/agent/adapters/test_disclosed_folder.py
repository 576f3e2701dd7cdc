"""A kiosk host against a real broker: what ends up in `disclosed/`, also over a restart and on a disk that refuses."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.adapters.disclosed_folder import DisclosedFolder
from agent.adapters.worker import CAPACITY, Worker
from agent.control.messages import Event, WorkFailed
from agent.errors import EnvironmentFault
from agent.wire.disclosures import Disclosure
from tests.support.broker import Broker, needs_mosquitto
from tests.support.device import DistrictKeys, RunningDevice
from tests.support.documents import notice, signed, topic_of


class Hall:
    def __init__(self, folder: Path) -> None:
        self.folder, self.keys = folder, DistrictKeys("KSK-0001")
        self.broker = Broker(folder / "broker", self.keys.authority)
        self.broker.start()
        self.center = self.keys.center(folder / "center")
        self.center.connect(self.broker.port)
        self.file = folder / "device" / "state" / "disclosed" / "notice.notice-1.dsse"
        self.host = RunningDevice(self.keys, folder / "device", self.broker.port)
        self.host.start()

    def publish(self, document: Disclosure, payload: bytes | None = None) -> bytes:
        payload = payload or signed(document, self.keys.editor.signer, self.keys.reviewer.signer)
        self.center.publish(topic_of(document), payload, retain=True)
        return payload

    def restart(self) -> None:
        self.host.close()
        self.host = RunningDevice(self.keys, self.folder / "device", self.broker.port)
        self.host.start()

    def centre_hears(self, kind: str) -> None:
        self.host.pump(lambda: any(kind in it for it in self.center.ids()), f"the centre hears of {kind}")

    def end(self) -> None:
        self.host.close()
        self.center.close()
        self.broker.stop()


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    made = Hall(tmp_path)
    yield made
    made.end()


@needs_mosquitto
def test_threat_forged_disclosure_half_signed_at_the_broker_reaches_no_kiosk(hall: Hall) -> None:
    good = hall.publish(notice(1))
    hall.host.pump(hall.file.exists, "the document is in the folder")
    assert hall.file.read_bytes() == good
    hall.centre_hears("disclosure/notice/notice-1/1")
    hall.publish(notice(2), signed(notice(2), hall.keys.editor.signer))
    hall.centre_hears("disclosure-refused/")
    assert hall.file.read_bytes() == good
    newer = hall.publish(notice(3))
    hall.host.pump(lambda: hall.file.read_bytes() == newer, "the newer version")


@needs_mosquitto
def test_rollback_is_refused_after_a_restart_even_when_the_file_is_gone(hall: Hall) -> None:
    hall.publish(notice(4))
    hall.host.pump(hall.file.exists, "the document is in the folder")
    hall.restart()
    assert hall.host.refused == []
    hall.file.unlink()
    hall.publish(notice(2))
    hall.restart()
    hall.centre_hears("disclosure-refused/")
    assert not hall.file.exists()


def test_a_disk_that_refuses_is_told_with_the_document(tmp_path: Path) -> None:
    (tmp_path / "disclosed").write_text("not a folder")
    failed = DisclosedFolder(tmp_path / "disclosed").show("notice", "notice-1", b"x")
    assert isinstance(failed, WorkFailed)
    assert failed.disclosure == ("notice", "notice-1")
    assert DisclosedFolder(tmp_path / "nowhere").read() == []


def test_what_is_no_file_in_the_folder_does_not_stop_the_start(tmp_path: Path) -> None:
    folder = DisclosedFolder(tmp_path)
    folder.show("notice", "notice-1", b"sealed")
    (tmp_path / "notice.notice-2.dsse").mkdir()
    (tmp_path / "notice.notice-3.dsse").symlink_to(tmp_path / "nowhere")
    (tmp_path / "notice.notice-4.dsse").symlink_to("notice.notice-4.dsse")
    os.mkfifo(tmp_path / "notice.notice-5.dsse")  # reading it would wait for ever
    assert folder.read() == [b"sealed"]


def test_a_document_taken_out_is_gone_and_a_missing_one_is_no_fault(tmp_path: Path) -> None:
    folder = DisclosedFolder(tmp_path)
    folder.show("notice", "notice-1", b"sealed")
    assert folder.hide("notice", "notice-1") is folder.hide("notice", "notice-1") is None
    assert folder.read() == []


def test_a_full_line_does_not_hold_up_the_end(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()
    worker = Worker(lambda _: None)

    def stuck() -> None:
        begun.set()
        go.wait()

    worker.ask(stuck)
    worker.start()
    assert begun.wait(60)
    for _ in range(CAPACITY):
        worker.ask(lambda: None)
    closing = threading.Thread(target=worker.close, args=(0.01,), daemon=True)
    closing.start()
    closing.join(60)
    held_up = closing.is_alive()
    go.set()
    assert not held_up
    assert worker.close(60)


def test_the_worker_finishes_what_was_asked_and_refuses_when_it_is_too_far_behind() -> None:
    reported: list[Event] = []
    worker = Worker(reported.append)
    for number in range(CAPACITY):
        worker.ask(partial(WorkFailed, str(number)))
    with pytest.raises(EnvironmentFault, match="待写任务已满"):
        worker.ask(lambda: None)
    worker.start()
    assert worker.close(60)
    assert [event.detail for event in reported if isinstance(event, WorkFailed)] == list(map(str, range(CAPACITY)))
