"""What a stick, a request or a name can hold that its makers did not mean: the bench answers the sound ones."""

import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent.errors import SenderFault
from agent.wire.card_bundle import bound_token
from agent.wire.enrolment import EnrolmentRequest, parse_reply, parse_request
from provisioning.authority import keys
from provisioning.authority.authority import Authority
from provisioning.authority.certificates import checked_request
from provisioning.fleet.enrolment import enrolment_desk
from provisioning.fleet.est_messages import pkcs10
from provisioning.fleet.inventory import Planned
from tests.provisioning.bench_room import NewDevice, bench, planned, serial
from tests.provisioning.district import today
from tests.support.commands import run_here

A = "REC-0001"
ODD = "REC-0009\x1b[2J\u202e.json"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    with bench(tmp_path / "ca", now=today()) as desk:
        desk.inventory.plan(planned(1), today())
        return desk.authority


def asked(authority: Authority) -> bytes:
    with enrolment_desk(authority) as desk:
        return NewDevice(desk, desk.card(A, today()), today()).request()


def of_version_12(pem: str) -> str:
    der = x509.load_pem_x509_csr(pem.encode()).public_bytes(Encoding.DER)
    spoilt = der.replace(b"\x02\x01\x00", b"\x02\x01\x0b", 1)
    body = base64.encodebytes(spoilt).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


def test_a_request_of_a_version_that_does_not_exist_is_refused_and_not_a_defect(authority: Authority) -> None:
    spoilt = of_version_12(keys.signing_request(keys.new_key(), A).decode())
    with pytest.raises(SenderFault, match="重新生成"):
        checked_request(spoilt.encode(), A)
    with pytest.raises(SenderFault, match="重新生成"):
        pkcs10("".join(spoilt.splitlines()[1:-1]).encode())
    with enrolment_desk(authority) as desk:
        device = NewDevice(desk, desk.card(A, today()), today())
        made: EnrolmentRequest = replace(parse_request(device.request()), tls=spoilt)
        proof = bound_token(device.card.token, A, device.card.hardware)
        with pytest.raises(SenderFault):
            parse_reply(desk.answer(made.prove(proof).encode(), today()))


def test_pipes_folders_giants_and_names_on_a_stick_keep_no_sound_request_waiting(
    authority: Authority, tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    requests, replies = stick / "liuhen" / "requests", stick / "liuhen" / "replies"
    requests.mkdir(parents=True)
    replies.mkdir()
    (requests / f"{A}.json").write_bytes(asked(authority))
    (requests / ODD).write_bytes(b"{}")
    os.mkfifo(requests / "REC-0002.json")
    (requests / "REC-0003.json").mkdir()
    with (requests / "REC-0004.json").open("wb") as giant:
        giant.truncate(1 << 40)
    (requests / "REC-0005.json").symlink_to("/etc/passwd")
    (requests / "REC-0006.json").write_bytes(b"{}")
    os.mkfifo(replies / ".REC-0006.json.new")
    (requests / "REC-0007.json").write_bytes(b"{}")
    (replies / "REC-0007.json").mkdir()
    said = run_here("provisioning.cli", "usb", stick, "--authority", authority.folder)
    assert (said.returncode, "Traceback" in said.stderr) == (3, False)
    assert "1 份申请已答复" in said.stdout
    assert all(f"REC-000{number}" in said.stdout for number in range(2, 8))
    assert said.stdout.replace("\n", "").isprintable()
    parse_reply((replies / f"{A}.json").read_bytes())
    assert not [place for place in replies.iterdir() if "\x1b" in place.name]


def test_a_unit_named_like_a_colour_is_shown_as_it_is_written(authority: Authority) -> None:
    with enrolment_desk(authority) as desk:
        desk.inventory.plan(Planned("REC-0002", serial(2), "[/bold]一[red]局"), today())
    said = run_here("provisioning.cli", "inventory", "--authority", authority.folder)
    assert said.returncode == 0
    assert "[red]" in said.stdout
    assert (
        json.loads(run_here("provisioning.cli", "inventory", "--authority", authority.folder, "--json").stdout)[
            "devices"
        ][1]["unit"]
        == "[/bold]一[red]局"
    )
