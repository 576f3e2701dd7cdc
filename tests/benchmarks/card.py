"""Order G's figures of one device: from a listed one to one that has reported, a card, a cable."""

import statistics
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from agent import cable
from agent.acceptance import probe_access
from agent.cable import SerialLine
from agent.config import read_config
from agent.enrol_ways import CableWay, HttpsWay
from agent.firstboot import Here, first_boot
from agent.wire.card_bundle import Site
from agent.wire.enrolment import MAX_REQUEST_BYTES
from firmware_hooks.simulated_cable import SimulatedCable
from provisioning.authority.authority import Authority
from provisioning.center.broker_config import Listener
from provisioning.center.broker_folder import BrokerOrder, current_user, write_broker_folder
from provisioning.fleet.card_files import CardOrder
from provisioning.fleet.card_target import open_target
from provisioning.fleet.enrolment import enrolment_desk
from provisioning.fleet.inventory import Planned
from provisioning.fleet.write_card import install_script, write_card
from tests.agent.test_firstboot import here, written
from tests.benchmarks.figures import Bench, Row
from tests.provisioning.bench_room import bench as bench_room
from tests.provisioning.bench_room import serial
from tests.support.broker import answers, free_port, running_mosquitto
from tests.support.card_image import TRIXIE, card_image, check_file_system

TARGET_DEVICE_MS, TARGET_CARD_MS = 300, 200
TARGET_CABLE_S, TARGET_NOISY_S = 1.0, 15.0
CAMERA = {"camera": "test"}


def one_device(bench: Bench) -> list[Row]:
    """Listed, card sealed, keys, HTTPS, certificates, files, mutual TLS, health, with `serve` and Mosquitto as
    processes on loopback."""
    runs, port, web = 10 if bench.quick else 30, free_port(), free_port()
    site = Site("127.0.0.1", port, "localhost", "5", f"https://127.0.0.1:{web}/liuhen/enrol", "localhost")
    folder = bench.folder / "one"
    now = datetime.now(UTC)
    with bench_room(folder / "authority", site, now) as desk:
        authority = desk.authority
    write_broker_folder(authority, BrokerOrder(Listener("127.0.0.1", port, current_user())), folder / "broker", now)
    command = [sys.executable, "-m", "provisioning.cli", "serve", "--authority", str(authority.folder)]
    with running_mosquitto(folder / "broker" / "mosquitto.conf", port):
        server = subprocess.Popen([*command, "--bind", "127.0.0.1", "--port", str(web)], stderr=subprocess.DEVNULL)
        try:
            while not answers(web):
                time.sleep(0.05)
            took = [_one(authority, folder, number) for number in range(1, runs + 1)]
        finally:
            server.terminate()
            server.wait()
    middle = statistics.median(took) * 1000
    note = f"median of {runs}; the longest took {max(took) * 1000:.0f} ms"
    return [Row("one device end to end", f"{middle:.0f} ms", f"<= {TARGET_DEVICE_MS} ms", middle <= TARGET_DEVICE_MS,
                note=note)]  # fmt: skip


def card_injection(bench: Bench) -> list[Row]:
    """A card's files into a boot partition of 512 MiB inside an image, read back; fsck afterwards is not counted."""
    image = card_image(bench.folder / "card.img", TRIXIE, 512)
    order = CardOrder("REC-0001", bytes(2500), bytes(700), bytes(700), install_script())
    took = []
    for _ in range(9):
        begin = time.perf_counter()
        with open_target(image) as (target, _what):
            write_card(target, order)
        took.append((time.perf_counter() - begin) * 1000)
    check_file_system(image)
    middle = statistics.median(took)
    note = f"median of 9, the longest {max(took):.0f} ms; read back identical, fsck clean"
    return [Row("card injection, 512 MiB image", f"{middle:.0f} ms", f"<= {TARGET_CARD_MS} ms",
                middle <= TARGET_CARD_MS, note=note)]  # fmt: skip


def cable_enrolment(bench: Bench) -> list[Row]:
    """From the first byte of the request to the device's files on the disk, over a wire paced to its baud rate."""
    return [
        _cable(bench, 115_200, 0.0, TARGET_CABLE_S),
        _cable(bench, 115_200, 0.02, TARGET_NOISY_S),
        _cable(bench, 9600, 0.0, None),
    ]


def _one(authority: Authority, folder: Path, number: int) -> float:
    device, now, begin = f"REC-{number:04d}", datetime.now(UTC), time.perf_counter()
    with enrolment_desk(authority) as desk:
        desk.inventory.plan(Planned(device, serial(number), "示例执法局", settings=CAMERA), now)
        root, issuing = desk.certificates
        files = {"card.dsse": desk.card(device, now), "root.pem": root, "issuing.pem": issuing}
    card = written(folder / f"card-{number}", files)
    first_boot(card, folder / device, here(serial(number)), lambda it, root: HttpsWay(it.site, root))
    seen = probe_access(read_config(folder / device / "agent.toml"))
    assert (seen.connected, seen.own_taken, seen.foreign_refused) == (True, True, True), seen
    return time.perf_counter() - begin


def _cable(bench: Bench, baud: int, spoilt: float, target: float | None) -> Row:
    folder, now = bench.folder / f"cable-{baud}-{spoilt}", datetime.now(UTC)
    with bench_room(folder / "authority", now=now) as desk, SimulatedCable(baud, spoilt, seed=1) as wire:
        desk.inventory.plan(Planned("REC-0001", serial(1), "示例执法局", settings=CAMERA), now)
        root, issuing = desk.certificates
        card = written(
            folder / "card", {"card.dsse": desk.card("REC-0001", now), "root.pem": root, "issuing.pem": issuing}
        )
        took: list[float] = []

        def device() -> None:
            computer: Here = here(serial(1))
            with SerialLine(wire.device, baud) as line:
                begin = time.perf_counter()
                first_boot(card, folder / "it", computer, lambda *_: CableWay(line))
                took.append(time.perf_counter() - begin)

        thread = threading.Thread(target=device)
        with SerialLine(wire.bench, baud) as line:
            thread.start()
            cable.serve(line, lambda request: desk.answer(request, now), 120, MAX_REQUEST_BYTES)
            thread.join()
    assert not spoilt or wire.pieces_spoilt, "nothing was spoilt: another seed is needed"
    noisy = f", {spoilt:.0%} of pieces spoilt" if spoilt else ""
    return Row(f"cable {baud}{noisy}", f"{took[0]:.2f} s", "works" if target is None else f"<= {target:g} s",
               target is None or took[0] <= target, note=f"{wire.pieces_spoilt} spoilt")  # fmt: skip


FIGURES = {"one_device": one_device, "card_injection": card_injection, "cable_enrolment": cable_enrolment}
