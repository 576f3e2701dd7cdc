"""The process that uploads, over a real S3 server: what it does about a bad line, a bad server, bad credentials, a
kill, and the end of the agent that started it."""

import json
import os
import signal
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agent.adapters.offload_courier import OffloadCourier
from agent.adapters.wireless import wifi_is_up
from agent.clock import system_clock
from agent.config import parse_config
from agent.control.messages import Event, WorkFailed
from agent.control.offload_messages import DirectOffload, OffloadRested, RecordingOffloaded
from agent.control.offload_policy import OffloadOrders
from agent.errors import OperatorFault
from agent.object_store import ObjectStore, StoreFault, read_access
from agent.offload_setup import OffloadSetup
from agent.offload_status import offload_line
from agent.wire.identifiers import District, recording_id
from agent.wire.offload_manifest import parse_manifest, recording_prefix
from firmware_hooks.simulated_mcu import SimulatedMcu
from provisioning.center.offloaded import Shelf
from tests.agent.adapters.recording_bench import eventually
from tests.agent.adapters.test_uploader import files, sealed
from tests.agent.evidence.bench import DEVICE
from tests.agent.test_app import Daemon
from tests.support.broker import free_port
from tests.support.center import until
from tests.support.device import DistrictKeys, agent_toml
from tests.support.keys import TestAuthority
from tests.support.line import Line, http_answer
from tests.support.objects import BUCKET, S3Server, s3_server

PLACE = District("xinghe")


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server("--strict") as running:
        yield running


@dataclass
class Work:
    """A recorder's folder and its process that uploads, over a line to `server`."""

    folder: Path
    server: S3Server
    setup: OffloadSetup = field(init=False)
    line: Line = field(init=False)
    heard: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.line = Line(self.server.port)
        places = (str(self.folder / name) for name in ("recordings", "offload", "offload.json"))
        url, credentials = f"http://127.0.0.1:{self.line.port}/{BUCKET}", str(self.server.credentials(self.folder))
        self.setup = OffloadSetup(PLACE, *places, url, credentials, "", "always", True, 0)
        self.courier: OffloadCourier | None = None

    def start(self, **changes: object) -> None:
        setup = replace(self.setup, **changes)  # type: ignore[arg-type]
        self.courier = OffloadCourier(setup.line(), system_clock(), self.heard.append, restart_s=0.05)
        self.courier.open()

    def uploaded(self) -> list[RecordingOffloaded]:
        return [event for event in self.heard if isinstance(event, RecordingOffloaded)]

    def troubles(self) -> list[str]:
        return [event.detail for event in self.heard if isinstance(event, WorkFailed)]

    def wait(self, condition: Callable[[], object], what: str) -> None:
        eventually(lambda: bool(condition()), what)

    def comes_back(self, place: Path) -> bool:
        done = self.uploaded()[-1]
        shelf, out = Shelf(PLACE, self.server.store()), self.folder / "fetched" / done.recording
        shelf.fetch(shelf.manifest(done.recording, done.manifest), out)
        return files(out) == files(place)

    def close(self) -> None:
        if self.courier is not None:
            assert self.courier.close(10)
        self.line.close()


@pytest.fixture
def work(tmp_path: Path, server: S3Server) -> Iterator[Work]:
    made = Work(tmp_path, server)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http_answer("500 Internal Server Error", "InternalError"), "暂时不能用"),
        (http_answer("507 Insufficient Storage", "InsufficientStorage"), "已满"),
        (http_answer("403 Forbidden", "QuotaExceeded"), "已满"),
        (http_answer("403 Forbidden", "AccessDenied"), "拒绝"),
        (http_answer("404 Not Found", "NoSuchBucket"), "没有这个桶"),
        (b"", "暂时不能用"),
        (b"garbage that is no HTTP\r\n\r\n", "暂时不能用"),
    ],
    ids=["500", "full", "quota", "forbidden", "bucket", "closed", "garbage"],
)
def test_what_a_server_says_is_told_in_one_line(work: Work, answer: bytes, words: str) -> None:
    work.line.answer = answer
    with pytest.raises(StoreFault, match=words) as told:
        ObjectStore(replace(work.server.access(), url=work.setup.url)).put("a/b", b"c")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 200


def test_a_server_that_is_not_well_is_told_and_tried_again(work: Work) -> None:
    place = sealed(work.folder, recording_id(DEVICE, 11))
    work.line.answer = http_answer("500 Internal Server Error", "InternalError")
    work.start()
    work.wait(work.troubles, "a word of trouble")
    assert not work.uploaded()
    work.line.answer = None
    work.wait(work.uploaded, "an upload")
    assert work.comes_back(place)


def test_a_line_that_is_cut_again_and_again_costs_time_only(work: Work) -> None:
    recording = recording_id(DEVICE, 21)
    place = sealed(work.folder, recording, size=900_000)
    work.line.cut_after = 300_000
    work.start()
    work.wait(work.troubles, "a cut")
    work.line.cut_after = None
    work.wait(work.uploaded, "an upload")
    assert work.comes_back(place)


def test_killed_in_the_middle_the_next_process_goes_on(work: Work) -> None:
    recording = recording_id(DEVICE, 22)
    place = sealed(work.folder, recording, size=12 * 2**20)
    prefix, store = recording_prefix(PLACE, recording), work.server.store()
    work.start()
    for count in (1, 2, 3):
        work.wait(lambda count=count: len(list(store.listing(prefix))) >= count, "a part")
        process = work.courier and work.courier._process
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
    work.wait(work.uploaded, "an upload")
    assert work.comes_back(place)
    assert work.line.up_bytes < 2.5 * sum(map(len, files(place).values()))


@pytest.mark.parametrize("wrong", ["access_key_id", "secret_access_key"])
def test_wrong_credentials_are_told_in_one_line(work: Work, wrong: str) -> None:
    place = work.server.credentials(work.folder)
    place.write_text(place.read_text().replace(f'{wrong} = "', f'{wrong} = "x'))
    sealed(work.folder, recording_id(DEVICE, 23))
    work.start()
    work.wait(work.troubles, "a refusal")
    assert "凭据" in work.troubles()[0]
    assert "\n" not in work.troubles()[0]


def test_credentials_that_others_can_read_are_refused(work: Work) -> None:
    place = work.server.credentials(work.folder)
    place.chmod(0o644)
    with pytest.raises(OperatorFault, match="chmod 600"):
        read_access(work.setup.url, place)


def test_it_ends_with_the_agent_that_started_it(work: Work) -> None:
    work.start()
    work.wait(lambda: work.courier and work.courier._process, "a process")
    process = work.courier._process  # type: ignore[union-attr]
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # as the kernel does when the agent is killed
    assert process.wait(10) == 0


def test_asked_for_at_any_place_it_uploads_and_says_when_nothing_is_left(work: Work) -> None:
    sealed(work.folder, recording_id(DEVICE, 24))
    work.start(when="dock")
    assert work.courier is not None
    work.courier.follow(DirectOffload(OffloadOrders(asked=True)))
    work.wait(lambda: any(isinstance(event, OffloadRested) for event in work.heard), "a rest")
    assert [done.recording for done in work.uploaded()] == [recording_id(DEVICE, 24)]


def test_a_store_over_a_network_is_spoken_to_in_secret_only() -> None:
    more = '[offload]\nurl = "http://store.example/evidence"\ncredentials = "s3.toml"\n'
    with pytest.raises(OperatorFault, match="https"):
        parse_config(agent_toml("REC-0001", 8883, more=more), Path("/etc/liuhen"))
    secret = parse_config(agent_toml("REC-0001", 8883, more=more.replace("http:", "https:")), Path("/etc/liuhen"))
    assert secret.offload is not None
    assert secret.offload.policy.when.value == "dock"


def test_a_store_with_a_certificate_of_ones_own_is_believed_by_that_alone(server: S3Server, tmp_path: Path) -> None:
    authority, context = TestAuthority(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.server().write(tmp_path / "key", tmp_path / "chain")
    context.load_cert_chain(tmp_path / "chain", tmp_path / "key")
    line = Line(server.port, tls=context)
    try:
        access = replace(server.access(), url=f"https://localhost:{line.port}/{BUCKET}")
        with pytest.raises(StoreFault, match="暂时不能用"):
            ObjectStore(access).put("tls/a", b"b")
        with pytest.raises(StoreFault, match="暂时不能用"):
            ObjectStore(replace(access, ca=TestAuthority().root_pem)).put("tls/a", b"b")
        store = ObjectStore(replace(access, ca=authority.root_pem))
        store.put("tls/a", b"b")
        assert store.get("tls/a", 10) == b"b"
    finally:
        line.close()


def test_only_a_wireless_interface_that_is_up_counts(tmp_path: Path) -> None:
    for name, wireless, state in (("eth0", False, "up"), ("wlan0", True, "down"), ("lo", False, "unknown")):
        place = tmp_path / "class" / "net" / name
        place.mkdir(parents=True)
        (place / "operstate").write_text(f"{state}\n")
        if wireless:
            (place / "wireless").mkdir()
    assert not wifi_is_up(tmp_path)
    (tmp_path / "class" / "net" / "wlan0" / "operstate").write_text("up\n")
    assert wifi_is_up(tmp_path)


def test_how_far_it_is_stands_in_one_line(tmp_path: Path) -> None:
    more = '[offload]\nurl = "https://store.example/evidence"\ncredentials = "s3.toml"\n'
    config = parse_config(agent_toml("REC-0001", 8883, more=more), tmp_path)
    assert offload_line(parse_config(agent_toml("REC-0001", 8883), tmp_path)) == ""
    assert offload_line(config) == "尚未开始"
    place = tmp_path / "state" / "offload.json"
    place.parent.mkdir()
    told = {"waiting": 2, "waiting_bytes": 34_000_000, "live_bytes": 1_500_000, "trouble": "对象存储已满。"}
    place.write_text(json.dumps(told))
    assert offload_line(config) == "待上传 2 次录制，34 MB；正在录制的已传出 1.5 MB；对象存储已满。"
    place.write_text(json.dumps({"waiting": 0}))
    assert offload_line(config) == "都已上传"


def test_the_daemon_brings_out_what_it_has_recorded_and_its_chain_says_so(server: S3Server, tmp_path: Path) -> None:
    keys = DistrictKeys("REC-0031")
    with SimulatedMcu() as mcu:
        more = f'[capture]\ncamera = "test"\nwidth = 320\nheight = 240\n[hooks]\nmcu = "{mcu.device}"\n'
        more += f'[offload]\nurl = "{server.url}"\ncredentials = "s3.toml"\nwhen = "always"\n'
        config = keys.write_folder(tmp_path, free_port(), more=more)
        server.credentials(tmp_path)
        daemon = Daemon(config).ready()
        try:
            mcu.press()
            until(lambda: "head/" in daemon.text(), "a fragment")
            mcu.press()
            until(lambda: "/offloaded/" in daemon.text(), "an upload in the chain")
        finally:
            assert daemon.stop() == 0
    done = parse_manifest((tmp_path / "state" / "offload" / "REC-0031-R000001.json").read_bytes())
    Shelf(PLACE, server.store()).fetch(done, tmp_path / "fetched")
    assert files(tmp_path / "fetched") == files(tmp_path / "state" / "recordings" / "REC-0031-R000001")
