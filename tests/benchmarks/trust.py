"""Order G's figures of the bench and the district: many cards, many first boots, kills in between, revocation at size,
renewal under traffic."""

import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent.config import parse_config
from agent.enrol_ways import HttpsWay
from agent.tls_renewal import broker_probe, renew
from agent.wire.card_bundle import Site
from agent.wire.enrolment import parse_reply
from agent.wire.envelope import open_trust_list
from agent.wire.topics import EVENTS
from provisioning.authority import cert_book, keys
from provisioning.authority.certificates import Bearer, Profile, leaf_certificate
from provisioning.authority.records import Records
from provisioning.center.broker_config import PID_FILE
from provisioning.center.canary import Identity, is_let_in
from provisioning.center.force import broker_site, shut_out
from provisioning.fleet import est
from provisioning.fleet.batch import parse_table, run_batch
from provisioning.fleet.enrolment import enrolment_desk
from provisioning.fleet.est import respond
from provisioning.fleet.est_messages import Asked
from tests.benchmarks.figures import Bench, Row
from tests.provisioning.bench_room import NewDevice, bench, planned
from tests.provisioning.district import Client, Process, TestDistrict, broker_process, eventually, running, today
from tests.provisioning.test_batch import kill_and_resume, rows, tree
from tests.support.broker import free_port

DEVICES, AT_ONCE, KILLS, USERS, ENTRIES, RENEWALS = 1000, 8, 12, 5000, 10_000, 20


def add_devices(bench_: Bench) -> list[Row]:
    """1 000 rows of a table: listed, a token each, a sealed card bundle each, every step on the disk; then again."""
    count, base = DEVICES // (10 if bench_.quick else 1), Path(tempfile.mkdtemp(dir=bench_.folder))
    table = parse_table(rows(count).encode())
    with bench(base / "ca", now=today()) as desk:
        bench_.tell(f"{count} devices")
        first = _took(lambda: run_batch(table, desk, base / "cards", today, lambda _: None))
        before = tree(base / "cards")
        again = _took(lambda: run_batch(table, desk, base / "cards", today, lambda _: None))
        same = tree(base / "cards") == before
    return [
        Row(f"add-device x {count}", f"{first:.1f} s", "<= 20 s", first <= 20),
        Row("the same again", f"{again:.2f} s", "<= 1 s, no byte changed", again <= 1 and same),
    ]


def kills_in_a_batch(bench_: Bench) -> list[Row]:
    """SIGKILL at random moments; after each, every bundled device has a card with the live token, the audit holds."""
    count = DEVICES // (10 if bench_.quick else 1)
    base = Path(tempfile.mkdtemp(dir=bench_.folder))
    after = kill_and_resume(base, count, KILLS)
    met = after == sorted(after) and after[-1] == count
    return [Row(f"{KILLS} kill -9 in a batch of {count}", f"0 inconsistent, {after[-1]} done", "0, all", met)]


def first_boots(bench_: Bench) -> list[Row]:
    """1 000 devices, 8 at a time: each asks `serve` by HTTPS with its own keys, verifies answer and trust list, keeps
    its files, connects by mutual TLS and publishes once; `serve`, Mosquitto and the eight are processes."""
    count, port, web = DEVICES // (10 if bench_.quick else 1), free_port(), free_port()
    base = Path(tempfile.mkdtemp(dir=bench_.folder))
    district = TestDistrict(base / "d", port)
    folder = district.authority.folder
    site = Site("127.0.0.1", port, "localhost", "5", f"https://127.0.0.1:{web}/liuhen/enrol", "localhost")
    with bench(folder, site, today()) as desk:
        listed = [desk.inventory.plan(planned(number), today()) for number in range(1, count + 1)]
        cards = [NewDevice(desk, desk.card(f"REC-{it:04d}", today()), today()) for it, _ in enumerate(listed, 1)]
    words = ["-m", "provisioning.cli", "serve", "--authority", str(folder), "--bind", "127.0.0.1", "--port", str(web)]
    server = Process([sys.executable, *words], base / "serve.log")
    with running(broker_process(district), port), running(server, web):
        bench_.tell(f"{count} first boots")
        begin = time.perf_counter()
        before = _children_s()
        asked = _at_a_time(AT_ONCE, cards, base, port)
        took, devices_s = time.perf_counter() - begin, _children_s() - before
    serve_s = _children_s() - before - devices_s  # Mosquitto too: both have been waited for
    good = sum(code < 128 for code, _ in asked)
    middle, worst = statistics.median(s for _, s in asked), max(s for _, s in asked)
    note = (
        f"{good} of {count} published; an answer took {1000 * middle:.0f} ms (median), {1000 * worst:.0f} ms at most; "
    )
    note += f"processor: devices {devices_s:.0f} s, serve and broker {serve_s:.0f} s"
    return [Row(f"enrol + health x {count}", f"{took:.1f} s", "<= 45 s, all", took <= 45 and good == count, note=note)]


def _children_s() -> float:
    """Processor time of every child that was waited for."""
    told = resource.getrusage(resource.RUSAGE_CHILDREN)
    return told.ru_utime + told.ru_stime


def _at_a_time(most: int, cards: list[NewDevice], base: Path, port: int) -> list[tuple[int, float]]:
    """What `_first_boot` gives for each device; one whose process died gives nothing."""
    begin, places = multiprocessing.get_context("fork"), [base / f"worker-{number}.json" for number in range(most)]

    def work(number: int) -> None:
        done = [_first_boot(device, base, port) for device in cards[number::most]]
        places[number].write_text(json.dumps(done))

    workers = [begin.Process(target=work, args=(number,)) for number in range(most)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [(code, took) for place in places if place.exists() for code, took in json.loads(place.read_text())]


def _first_boot(device: NewDevice, base: Path, port: int) -> tuple[int, float]:
    """The broker's answer to its health, and how long the authority took."""
    name = device.card.device
    place = base / name
    place.mkdir()
    (place / "root.pem").write_bytes(device.root.public_bytes(Encoding.PEM))
    begin = time.perf_counter()
    reply = HttpsWay(device.card.site, place / "root.pem").ask(device.request())
    took, answer = time.perf_counter() - begin, device.granted(reply)
    open_trust_list(parse_reply(reply).trust, device.root)
    (place / "tls.pem").write_text(answer.tls)
    (place / "tls.key").write_bytes(keys.private_pem(device.tls))
    client = Client(port, place / "root.pem", place, name).connect()
    client.publish(f"gov/xinghe/v1/rec/{name}/hint", b"health")
    code = int(client.outcomes[-1].value)
    client.close()
    return code, took


def revocation_at_size(bench_: Bench) -> list[Row]:
    """5 000 revoked users in the access rules, 10 000 entries in the list: from the return of the command on."""
    base = Path(tempfile.mkdtemp(dir=bench_.folder))
    district = TestDistrict(base, free_port())
    device, receiver = district.device("REC-0001"), district.receiver()
    users = USERS // (10 if bench_.quick else 1)
    with district.authority.sit() as desk, desk.records.transaction():
        _fill(desk.records, desk.issuer, users, ENTRIES // users)
    with running(broker_process(district), district.port):
        site = broker_site(base / "broker", "localhost", district.port)
        eventually((base / "broker" / PID_FILE).exists, "pid file")
        root = device / "root.pem"
        client = Client(district.port, root, device, "REC-0001").connect()
        ear = Client(district.port, root, receiver, "receiver-1").connect()
        ear.subscribe("gov/#")
        bench_.tell("revoking")
        command = _took(lambda: shut_out(district.authority, "REC-0001", "bench", site, today()))
        begin = time.perf_counter()
        client.paho.publish(f"gov/xinghe/v1/rec/REC-0001/{EVENTS}", b"after", 1)
        refused = not is_let_in(site.door, Identity("REC-0001", device / "tls.pem", device / "tls.key"))
        eventually(lambda: not client.paho.is_connected(), "the live session has ended")
        mute = time.perf_counter() - begin
        silent = ear.received.empty()
        client.close(), ear.close()
    note = f"the command itself took {command:.1f} s: list of {users * (ENTRIES // users)} entries, {users} users"
    met = refused and silent and mute <= 1
    return [Row("revoked: refused and mute after the command", f"{mute:.2f} s", "<= 1 s", met, note=note)]


def renewals(bench_: Bench) -> list[Row]:
    """20 renewals, each followed by a new connection with the new certificate, while the device publishes without
    a break at QoS 1 over MQTT 5; what is published in the gap is published again by the sender, who counts PUBACKs."""
    base = Path(tempfile.mkdtemp(dir=bench_.folder))
    district = TestDistrict(base, free_port())
    folder, receiver = district.device("REC-0001"), district.receiver()
    config = parse_config((folder / "agent.toml").read_text(), folder)
    topic, root = "gov/xinghe/v1/rec/REC-0001/hint", folder / "root.pem"

    def ask(request: bytes) -> bytes:
        shown = x509.load_pem_x509_certificates((folder / "tls.pem").read_bytes())[0]
        with enrolment_desk(district.authority) as desk:
            answer = respond(Asked("POST", est.RENEW, request, shown.public_bytes(Encoding.DER)), desk, today())
        assert answer.status == 200, answer.body
        return answer.body

    with running(broker_process(district), district.port):
        ear = Client(district.port, root, receiver, "receiver-1").connect()
        ear.subscribe(topic)
        client, sent, gaps = Client(district.port, root, folder, "REC-0001").connect(), 0, []
        for _ in range(RENEWALS):
            done: list[bool] = []
            worker = threading.Thread(
                target=lambda d=done: d.append(  # type: ignore[misc]
                    renew(config, today(), ask, broker_probe(config.broker), force=True).changed
                )
            )
            worker.start()
            while worker.is_alive():  # traffic goes on while the next certificate is asked for and tried
                client.publish(topic, b"%d" % sent)
                sent += 1
            worker.join()
            assert done == [True]
            begin = time.perf_counter()
            client.close()
            client = Client(district.port, root, folder, "REC-0001").connect()
            client.publish(topic, b"%d" % sent)
            sent += 1
            gaps.append(1000 * (time.perf_counter() - begin))
        eventually(lambda: ear.received.qsize() >= sent, "everything arrives")
        heard = [int(ear.received.get()[1]) for _ in range(ear.received.qsize())]
        client.close(), ear.close()
    lost, p95 = sent - len(set(heard)), sorted(gaps)[int(0.95 * len(gaps)) - 1]
    note = f"{sent} messages, {len(heard) - len(set(heard))} twice; median gap {statistics.median(gaps):.0f} ms"
    met = not lost and p95 <= 150
    told = f"{lost} lost, p95 {p95:.0f} ms"
    return [Row(f"{RENEWALS} renewals under traffic", told, "0 lost, <= 150 ms", met, note=note)]


def _fill(records: Records, issuer: object, users: int, each: int) -> None:
    """Revoked certificates as years of a district would leave them; their keys are all one, only serials count."""
    now, key = datetime.now(UTC), keys.new_key().public_key()
    leaf = leaf_certificate(key, Bearer("REC-1000", "recorder", "x"), Profile.TLS_CLIENT, issuer, now)  # type: ignore[arg-type]
    sample = cert_book._row(cert_book.Entry("REC-1000", "recorder", Profile.TLS_CLIENT, _pem(leaf), now, now, "bench"))
    for number in range(users * each):
        own = {
            "key_id": f"{number:064x}",
            "subject": f"REC-{100_000 + number // each}",
            "serial": f"{2**90 + number:x}",
        }
        records.insert("cert", sample | own)


def _pem(leaf: x509.Certificate) -> str:
    return leaf.public_bytes(Encoding.PEM).decode()


def _took(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {
    "add_devices": add_devices,
    "kills_in_a_batch": kills_in_a_batch,
    "first_boots": first_boots,
    "revocation_at_size": revocation_at_size,
    "renewals": renewals,
}
