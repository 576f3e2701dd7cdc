"""A small district on one computer, scene by scene. Real but for the button and, without a camera, the picture."""

import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault
from provisioning.rehearsal import decision, hall, inspection, tampering
from provisioning.rehearsal.district import KIOSK, RECORDERS, Wishes, build_district
from provisioning.rehearsal.findings import EventCounts, Findings, JudgedRecording, Tampering
from provisioning.rehearsal.processes import Processes, free_port
from provisioning.rehearsal.roles import mosquitto, start_broker, start_center, start_recorder
from provisioning.rehearsal.stage import START_SECONDS, Stage
from provisioning.rehearsal.terminal import Teller

HONEST, KILLED = RECORDERS
KILL_AFTER_SECONDS = 4.0
DRAIN_SECONDS = 30.0
SEAL_SECONDS = 20.0
SEALED = "recordings/{}/SHA256SUMS.p7s"


@dataclass(frozen=True)
class Script:
    """What the user asked for. `broker` is `auto`, `mosquitto` or `embedded`."""

    place: Path
    seconds: int
    camera: str
    broker: str


def rehearse(script: Script, findings: Findings, tell: Teller, processes: Processes, now: datetime) -> Stage:
    """Play every scene, filling in `findings`; returns the stage while all roles still run.

    Raises `LiuhenFault` when the rehearsal cannot go on; what does not hold is in `findings.failures`.
    """
    stage = _found(script, findings, tell, processes, now)
    _record(stage, script.seconds)
    _kill(stage, min(KILL_AFTER_SECONDS, script.seconds))
    _judge(stage)
    _tamper(stage)
    hall.correct(stage)
    inspection.inspect(stage)
    _receipts(stage)
    decision.decide(stage)
    return stage


def _found(script: Script, findings: Findings, tell: Teller, processes: Processes, now: datetime) -> Stage:
    engine = _engine(script.broker)
    wishes = Wishes(engine, free_port(), script.camera)
    tell.chapter("建立星河区（虚构）", "a fictional district: authority, two recorders, a kiosk, the centre")
    district, broker = build_district(empty_place(script.place), wishes, now)
    findings.broker, findings.port, findings.trust_root = engine, wishes.port, district.root
    stage = Stage(district, broker, tell, processes, findings)
    tell.say(f"已签发 {'、'.join((*RECORDERS, KIOSK))} 的证书与配置", f"in {script.place}")
    start_broker(stage)
    start_center(stage)
    tell.say("中心开始接收", "the centre receives, verifies, stores, signs receipts")
    hall.open_hall(stage)
    return stage


def _engine(wish: str) -> str:
    found = mosquitto()
    if wish == "mosquitto" and found is None:
        raise OperatorFault("未找到 mosquitto。请安装它，或改用 --broker embedded。")
    return "mosquitto" if found is not None and wish != "embedded" else "embedded"


def _record(stage: Stage, seconds: int) -> None:
    tell = stage.tell
    tell.chapter(f"{HONEST} 录制 {seconds} 秒", "press the button; H.264 and AAC, signed twice a second")
    start_recorder(stage, HONEST)
    hall.wait_for_policies(stage, HONEST)
    tell.say(
        f"{HONEST} 已收到两人签名的执法规则，其版本将写入每次录制", "signed rules are there; frozen into recordings"
    )
    film = stage.begin_film(HONEST, START_SECONDS)
    _watch(stage, HONEST, film, seconds)
    stage.press(HONEST)
    stage.wait_for_file(HONEST, SEALED.format(film.parent.name), SEAL_SECONDS)
    tell.say(f"已封存 {film.parent.name}，{film.stat().st_size // 1024} KiB", "sealed in place")
    opened = stage.open_in_archive(HONEST)
    tell.say("卡上是密文，设备自己也读不了；已用存档密钥解开", "encrypted on the card; opened with the archive's key")
    stage.findings.source, synthetic = tampering.picture_source(opened)
    if synthetic:
        tell.warn(
            f"画面是合成的（{stage.findings.source}），不是现场",
            "no camera: a synthetic moving scene with clock and tone",
        )
    else:
        tell.say(f"画面来源：{stage.findings.source}", "where the picture came from")


def _watch(stage: Stage, device: str, film: Path, seconds: float) -> None:
    begun = time.monotonic()
    with stage.tell.progress("录制中 recording", seconds) as bar:
        while (passed := time.monotonic() - begun) < seconds:
            stage.roles[device].check_alive()
            bar.at(passed, f"{film.stat().st_size // 1024} KiB")
            time.sleep(0.1)


def _kill(stage: Stage, seconds: float) -> None:
    tell = stage.tell
    tell.chapter(f"{KILLED} 录制中被强行断电", "SIGKILL in mid-recording, then start again")
    start_recorder(stage, KILLED)
    film = stage.begin_film(KILLED, START_SECONDS)
    _watch(stage, KILLED, film, seconds)
    stage.roles[KILLED].kill()
    killed_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    tell.say(f"已强杀，文件停在 {film.stat().st_size // 1024} KiB，未封存", "killed; the file has no seal")
    stage.start_agent(KILLED)
    stage.wait_for_file(KILLED, SEALED.format(film.parent.name), START_SECONDS)
    stage.findings.lost_s = (killed_ns - tampering.last_moment_ns(stage.open_in_archive(KILLED))) / 1e9
    tell.say(f"重新启动后自动恢复并封存，丢失 {stage.findings.lost_s:.2f} 秒", "recovered and sealed at start-up")


def _receipts(stage: Stage) -> None:
    devices = [*RECORDERS, KIOSK]
    stage.tell.chapter("中心逐条回执，设备才清空待发", "events leave a device only on the centre's signed receipt")
    stage.wait_for_receipts(devices, DRAIN_SECONDS)
    counts = count_events(stage)
    stage.findings.expect(counts.all_receipted, f"事件数不符：{counts}")
    stage.tell.say(
        f"产生 {counts.published}，收到 {counts.received}，有回执 {counts.receipted}，待发 {counts.waiting}",
        "made, received once each, receipted",
        held=counts.all_receipted,
    )


def count_events(stage: Stage) -> EventCounts:
    """Events made and receipted as the devices count them, received as the centre does; kept in the findings."""
    said = [stage.status(device) for device in (*RECORDERS, KIOSK)]
    received = sum(device["received"] for device in stage.center_summary())
    counts = EventCounts(
        sum(status["acked"] + status["waiting"] for status in said), received, sum(status["acked"] for status in said)
    )
    stage.findings.events = counts
    return counts


def _judge(stage: Stage) -> None:
    stage.tell.chapter("核验两份录制", "anyone can verify, offline, with liuhen-verify")
    for device, wanted in ((HONEST, "complete"), (KILLED, "explained-gap")):
        for folder in stage.district.recordings(device):
            report = stage.verify(folder)
            recording = JudgedRecording(
                device,
                folder,
                report["verdict"],
                report["fragments"],
                report["duration_s"],
                sum(film.stat().st_size for film in folder.glob("*.mp4")),
                report["recovered"],
            )
            stage.findings.recordings.append(recording)
            stage.findings.expect(recording.verdict == wanted, f"{folder.name} 的结论是 {recording.verdict}")
            stage.tell.verdict(folder.name, recording.verdict, held=recording.verdict == wanted)
        stage.findings.expect(bool(stage.district.recordings(device)), f"{device} 没有录制")


def _tamper(stage: Stage) -> None:
    stage.tell.chapter("改动副本中的一个字节", "one byte of a copy is flipped")
    folder = stage.district.recordings(HONEST)[0]
    copy = stage.district.place / "altered" / folder.name
    shutil.copytree(folder, copy)
    flipped = tampering.flip_one_byte(copy / "segment-0001.mp4")
    report = stage.verify(copy)
    place = report["places"][0] if report["places"] else {}
    found = Tampering(report["verdict"], place.get("sequence"), str(place.get("captured")), copy)
    stage.findings.tampered = found
    stage.findings.expect(found.verdict == "altered", f"改动后的结论是 {found.verdict}")
    stage.findings.expect(found.fragment == flipped, f"改动在片段 {flipped}，报告却指向 {found.fragment}")
    held = (found.verdict, found.fragment) == ("altered", flipped)
    stage.tell.verdict(f"副本 copy，片段 fragment {found.fragment}，{found.moment}", found.verdict, held=held)


def empty_place(place: Path) -> Path:
    """`place` as a folder that is ours to fill; raises `OperatorFault` when something is in it."""
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise OperatorFault(f"{place} 不是空目录，未作改动。请用 --dir 指定新目录，或先删除它。")
    try:
        return durable.make_directory(place)
    except EnvironmentFault as fault:
        raise OperatorFault(f"无法在 {place} 建立演练目录。请用 --dir 指定可写的位置。") from fault
