"""Order G's figures that count cases, not seconds: who reaches what at the broker, what a broken list does, what a
retired device leaves. The tests play the same; this is the count of one whole run."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import SenderFault
from provisioning.center import shut_out
from provisioning.center.broker_config import ACCESS_FILE, CRL_FILE, PID_FILE
from provisioning.center.force import shut_out as revoke
from provisioning.fleet.medium import scan
from tests.agent.test_retire import MARKER, device, do, order
from tests.benchmarks.figures import Bench, Row
from tests.provisioning.district import eventually, running, today
from tests.provisioning.test_access import MATRIX, A, B, Yard
from tests.provisioning.test_shut_out import Post, lists
from tests.support.keys import TestAuthority

UNSAFE = "use_username_as_clientid true\n"
ASKED_LISTS = 6  # how many broken lists the order asks for


def authorisation(bench: Bench) -> list[Row]:
    """Every case of the matrix at a Mosquitto of our configuration, by what arrives; then the same broker without the
    line that binds the client id, which must fail."""
    yard = Yard(_made(bench, "yard"), "mosquitto", "5")
    with running(yard.broker, yard.district.port):
        yard.connect_all()
        wrong = [row for row in MATRIX if bool(yard.heard(row[0], row[1], row[2])) is not row[3]]
        for client in yard.clients.values():
            client.close()
    unsafe = Yard(_made(bench, "unsafe"), "mosquitto", "5")
    conf = unsafe.district.base / "broker" / "mosquitto.conf"
    conf.write_text(conf.read_text().replace(UNSAFE, ""))
    with running(unsafe.broker, unsafe.district.port):
        victim, thief = unsafe.client(B).connect(), unsafe.client(A, client_id=B).connect()
        eventually(lambda: not victim.paho.is_connected(), "the victim is thrown out")
        victim.close(), thief.close()
    met = not wrong and len(MATRIX) >= 30
    note = "judged by delivery; without the line for client ids the hijack works, as it must"
    return [Row(f"authorisation, {len(MATRIX)} cases", f"{len(wrong)} leaks", ">= 30 cases, 0 leaks", met, note=note)]


def broken_lists(bench: Bench) -> list[Row]:
    """Lists that must not reach a broker: after each the revoked device stays out and the good one comes in."""
    post, held = Post(_made(bench, "lists")), 0
    with running(post.process, post.district.port):
        eventually(lambda: (post.site.folder / PID_FILE).exists(), "pid file")
        revoke(post.district.authority, A, "bench", post.site, today())
        cases = lists(post)
        for crl in cases.values():
            with pytest.raises(SenderFault):
                shut_out.put_in_force(post.site, {CRL_FILE: crl, ACCESS_FILE: b""}, post.district.authority, today())
            held += (post.let_in(A), post.let_in(B)) == (False, True)
    met = held == len(cases) >= ASKED_LISTS
    return [Row("broken revocation lists", f"{held} of {len(cases)} held", f"all, >= {ASKED_LISTS} cases", met)]


def retired_medium(bench: Bench) -> list[Row]:
    """A device's files are held by second names, as an image holds their blocks, and read through after its end."""
    authority, folder = TestAuthority(), _made(bench, "retired")
    config, blocks = device(authority, folder), _made(bench, "blocks")
    for number, place in enumerate(it for it in config.identity.root.parent.rglob("*") if it.is_file()):
        if not place.is_symlink():
            os.link(place, blocks / str(number))
    before = scan(blocks, {"marker": MARKER})
    begin = time.perf_counter()
    do(config, order(authority))
    took = time.perf_counter() - begin
    after = scan(blocks, {"marker": MARKER})
    told = f"{len(after.found)} markers in {after.read / 1e6:.1f} MB"
    note = f"{len(before.found)} kinds before; {took:.2f} s"
    return [Row("plaintext after retirement", told, "0", not after.found and len(before.found) >= 3, note=note)]


def _made(bench: Bench, name: str) -> Path:
    place = bench.folder / name
    place.mkdir()
    return place


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {
    "authorisation": authorisation,
    "broken_lists": broken_lists,
    "retired_medium": retired_medium,
}
