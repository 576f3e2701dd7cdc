"""What provisioning/README.md tells a stranger, by the real commands and a real broker: an authority, a card image, a
device that boots from that image's files, acceptance, assignment, revocation, the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

from firmware_hooks.simulated_cable import SimulatedCable
from tests.support.broker import free_port, needs_mosquitto, running_mosquitto
from tests.support.card_image import TRIXIE, card_image, check_file_system, extract

ROOT = Path(__file__).resolve().parents[2]
SERIALS = {"REC-0001": "10000000abcdef01", "REC-0002": "10000000abcdef02"}
BENCH, AGENT = "provisioning.cli", "agent"


class Stranger:
    """Types commands in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}

    def start(self, module: str, *words: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", module, *map(str, words)], cwd=self.folder, env=self.surroundings, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip

    def finish(self, process: "subprocess.Popen[str]", code: int | None = 0) -> str:
        """What it said; `code` is how it must end, None for any end: this computer is no recorder."""
        out, err = process.communicate(timeout=300)
        assert code is None or process.returncode == code, (process.args, process.returncode, out, err)
        assert "Traceback" not in err
        return out if code in (None, 0, 5) else out + err

    def types(self, module: str, *words: object, code: int | None = 0) -> str:
        return self.finish(self.start(module, *words), code)

    def bench(self, *words: object, code: int = 0) -> str:
        return self.types(BENCH, *words, "--authority", "authority", code=code)


@needs_mosquitto
def test_a_stranger_brings_a_device_from_its_card_to_its_end(tmp_path: Path) -> None:
    you, port = Stranger(tmp_path), free_port()
    (tmp_path / "film.mp4").touch()  # the recorder's camera; a real one is not here
    you.types(BENCH, "init-ca", "authority", "--district", "xinghe", "--name", "星河区")
    you.bench("site", "--broker", f"127.0.0.1:{port}")
    for device, serial in SERIALS.items():
        (tmp_path / f"{device}.serial").write_bytes(serial.encode() + b"\0")
        camera = f"file:{tmp_path / 'film.mp4'}" if device == "REC-0001" else "test"
        you.bench("add-device", device, "--unit", "示例执法局", "--hardware", serial, "--camera", camera)
    you.bench("broker-config", "--out", "broker", "--bind", "127.0.0.1", "--port", port)
    card_image(tmp_path / "card.img", TRIXIE)
    assert "cloudinit-rpi" in you.bench("write-card", "REC-0001", "card.img")
    check_file_system(tmp_path / "card.img")
    boot = extract(tmp_path / "card.img", tmp_path / "boot")
    you.bench("sticker", "stickers.svg")
    assert "REC-0002" in (tmp_path / "stickers.svg").read_text(encoding="utf-8")

    with running_mosquitto(tmp_path / "broker" / "mosquitto.conf", port):
        by_stick(you, boot)
        accepted_and_assigned(you)
        by_cable_and_revoked(you, port)
        to_the_end(you)
    listed = json.loads(you.bench("inventory", "--json"))
    assert {it["device"]: it["state"] for it in listed["devices"]} == dict.fromkeys(SERIALS, "decommissioned")
    you.bench("audit", "verify")
    you.bench("doctor")


def by_stick(you: Stranger, boot: Path) -> None:
    (you.folder / "stick").mkdir()
    first = ["firstboot", "--card", boot / "liuhen", "--into", "one", "--stick", "stick"]
    said = you.types(AGENT, *first, "--serial-file", "REC-0002.serial", code=3)
    assert "本机自己的卡" in said
    assert "liuhen-provision usb" in you.types(AGENT, *first, "--serial-file", "REC-0001.serial", code=4)
    you.bench("usb", "stick")
    done = json.loads(you.types(AGENT, *first, "--serial-file", "REC-0001.serial", "--json"))
    seen = done["access"]
    assert done["accepted"] is False
    assert (seen["own_taken"], seen["foreign_refused"], seen["leaked"]) == (True, True, [])
    assert not (boot / "liuhen" / "card.dsse").exists()


def accepted_and_assigned(you: Stranger) -> None:
    acceptance = ["acceptance", "--config", "one/agent.toml", "--out", "one.dsse"]
    you.types(AGENT, *acceptance, "--serial-file", "REC-0001.serial")
    you.bench("check", "REC-0001", "--report", "one.dsse", "--print", "one.html", "--out", "accepted.dsse")
    said = you.types(AGENT, "check", "--config", "one/agent.toml", code=None)
    assert "未验收" in said
    you.types(AGENT, "acceptance", "--config", "one/agent.toml", "--accepted", "accepted.dsse")
    assert "已由发证机构验收" in you.types(AGENT, "check", "--config", "one/agent.toml", code=None)
    paper = (you.folder / "one.html").read_text(encoding="utf-8")
    assert ("设备验收报告" in paper, "北京时间" in paper, "UTC（" in paper) == (True, True, False)
    you.bench("assign", "REC-0001", "--officer", "示例-000001", "--out", "assignment.dsse")


def by_cable_and_revoked(you: Stranger, port: int) -> None:
    folder = you.folder / "boot-2"
    folder.mkdir()
    for name, content in TRIXIE.items():
        (folder / name).write_bytes(content)
    you.bench("write-card", "REC-0002", "boot-2")
    with SimulatedCable(0) as wire:
        bench = you.start(BENCH, "cable", wire.bench, "--authority", "authority")
        words = ["--card", "boot-2/liuhen", "--into", "two", "--serial-file", "REC-0002.serial", "--cable", wire.device]
        you.types(AGENT, "firstboot", *words)
        you.finish(bench)
    you.bench("revoke", "REC-0002", "--reason", "被盗", "--broker-folder", "broker", "--port", port)
    acceptance = ["acceptance", "--config", "two/agent.toml", "--out", "two.dsse", "--serial-file", "REC-0002.serial"]
    said = you.types(AGENT, *acceptance, code=5)
    assert "没有摄像头" in said
    assert "连不上" in said
    assert "请" in you.bench("check", "REC-0002", "--report", "two.dsse", code=2)
    assert "--reason" in you.bench("decommission", "REC-0002", code=2)
    you.bench("decommission", "REC-0002", "--reason", "被盗，未追回")


def to_the_end(you: Stranger) -> None:
    assert "hand-back" in you.bench("decommission", "REC-0001", "--order", "retire.dsse", code=2)
    you.bench("assign", "REC-0001", "--hand-back")
    you.bench("decommission", "REC-0001", "--order", "retire.dsse")
    retire = ["retire", "--order", "retire.dsse", "--config", "one/agent.toml", "--out", "retired.dsse"]
    you.types(AGENT, *retire, "--serial-file", "REC-0001.serial")
    paper = ["--medium", "one", "--print", "end.html", "--out", "erasure.dsse"]
    you.bench("decommission", "REC-0001", "--statement", "retired.dsse", *paper)
    paper = (you.folder / "end.html").read_text(encoding="utf-8")
    assert ("尚存风险" in paper, "北京时间" in paper) == (True, True)
