"""One contract for every place a device key can be: a file, a PKCS#11 token, the firmware."""

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.adapters import simulated_fw_crypto
from agent.adapters.signer import open_signer
from agent.errors import EnvironmentFault, LiuhenFault, OperatorFault, SenderFault
from agent.evidence import cms
from agent.key_places import FirmwareKey, KeyFile, TokenKey, parse_key_place
from agent.wire.signing import CertifiedSigner, certificate_key, key_id_of, verify_raw
from tests.agent.evidence.bench import Bench, make_authority, private_key
from tests.agent.evidence.foreign import c2pa_state, encypher_accepts
from tests.support.token import PIN, soft_token

AUTHORITY = make_authority()
OPENED: list[CertifiedSigner] = []
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """A key somewhere under `folder` (what to write into the configuration) and how to make it go away."""

    uri: str
    folder: Path
    lose: Callable[[], object]

    def open(self, chain: Path | None = None) -> CertifiedSigner:
        signer = open_signer(parse_key_place(self.uri, self.folder), chain or self.folder / "evidence.pem")
        OPENED.append(signer)
        return signer


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def file_place(folder: Path) -> Place:
    return Place("file:evidence.key", folder, lambda: None)


def token_place(folder: Path) -> Place:
    token, number = soft_token(), next(NUMBERS)
    label = f"evidence-{number}"
    token.import_key(folder / "evidence.key", label, f"{number:04x}")
    pin = folder / "token.pin"
    pin.touch(0o600)
    pin.write_text(PIN + "\n")
    uri = f"pkcs11:token={token.name};object={label}?module-path={token.module}&pin-source=token.pin"
    return Place(uri, folder, lambda: None)


def firmware_place(folder: Path) -> Place:
    otp = folder / "otp"
    otp.mkdir()
    (otp / "otp-1.pem").write_bytes((folder / "evidence.key").read_bytes())
    command = folder / "rpi-fw-crypto"
    program = Path(simulated_fw_crypto.__file__)
    command.write_text(f'#!/bin/sh\n{simulated_fw_crypto.FOLDER}={otp} exec {sys.executable} {program} "$@"\n')
    command.chmod(0o700)
    return Place("fwcrypto:1?command=./rpi-fw-crypto", folder, (otp / "otp-1.locked").touch)


PLACES = {"file": file_place, "pkcs11": token_place, "fwcrypto": firmware_place}


@pytest.fixture(autouse=True)
def sessions() -> Iterator[None]:
    """A process is logged in to a token once: one signer at a time."""
    yield
    while OPENED:
        signer = OPENED.pop()
        if hasattr(signer, "close"):
            signer.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A device folder: the evidence key and its chain."""
    signer = AUTHORITY.signer()
    key = tmp_path / "evidence.key"
    key.touch(0o600)
    key.write_bytes(pem(private_key("leaf REC-0001")))
    chain = [x509.load_der_x509_certificate(entry).public_bytes(Encoding.PEM) for entry in signer.chain]
    (tmp_path / "evidence.pem").write_bytes(b"".join(chain))
    return tmp_path


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, folder: Path) -> Place:
    return PLACES[request.param](folder)


def test_signature_verifies_with_the_certificate_it_comes_with(place: Place) -> None:
    signer = place.open()
    leaf = certificate_key(x509.load_der_x509_certificate(signer.chain[0]))
    assert signer.key_id == key_id_of(leaf)
    assert signer.chain == AUTHORITY.signer().chain
    for data in (b"", b"bytes", bytes(300_000)):
        assert verify_raw(leaf, signer.sign(data), data) == data
    with pytest.raises(SenderFault):
        verify_raw(leaf, signer.sign(b"bytes"), b"other bytes")


def test_a_recording_sealed_with_it_is_trusted_by_strangers(place: Place) -> None:
    signer = place.open()
    sealed = Bench(signer).sealed()
    assert c2pa_state(sealed, AUTHORITY.root_pem) == "Trusted"
    assert encypher_accepts(sealed, AUTHORITY.root_pem)
    assert cms.open_detached(cms.sign_detached(b"sums", signer), b"sums") == signer.chain


def test_two_threads_may_sign_at_once(place: Place) -> None:
    signer = place.open()
    leaf = certificate_key(x509.load_der_x509_certificate(signer.chain[0]))
    signatures: list[tuple[bytes, bytes]] = []

    def sign(name: bytes) -> None:
        for number in range(5):
            data = name + bytes([number])
            signatures.append((data, signer.sign(data)))

    threads = [threading.Thread(target=sign, args=(name,)) for name in (b"loop", b"recorder")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len([verify_raw(leaf, signature, data) for data, signature in signatures]) == 10


def test_certificate_of_another_key_is_refused(place: Place) -> None:
    other = AUTHORITY.signer("REC-0002")
    chain = place.folder / "other.pem"
    chain.write_bytes(x509.load_der_x509_certificate(other.chain[0]).public_bytes(Encoding.PEM))
    with pytest.raises(OperatorFault, match="不是一对"):
        place.open(chain)


def test_locked_firmware_key_is_an_environment_fault_that_says_so(folder: Path) -> None:
    place = firmware_place(folder)
    signer = place.open()
    place.lose()
    with pytest.raises(EnvironmentFault, match="已被锁定"):
        signer.sign(b"bytes")


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "不是签名"), ("exit 3", "错误 253"), ("echo MII", "不是签名"), ("exit 253", "没有这个编号")],
)
def test_firmware_program_that_answers_nonsense_is_no_signature(folder: Path, content: str, words: str) -> None:
    place = firmware_place(folder)
    (folder / "rpi-fw-crypto").write_text(f"#!/bin/sh\ncat >/dev/null\n{content}\n")
    with pytest.raises(EnvironmentFault, match=words):
        place.open()


def test_absent_firmware_program_is_named(folder: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"找不到程序 .*nowhere"):
        open_signer(parse_key_place("fwcrypto:1?command=./nowhere", folder), folder / "evidence.pem")


def test_pin_that_was_refused_is_not_tried_again(folder: Path) -> None:
    place = token_place(folder)
    (folder / "token.pin").write_text("0000")
    from agent.adapters.token_key import TokenSigner

    key = parse_key_place(place.uri, folder)
    assert isinstance(key, TokenKey)
    signer = TokenSigner(key, b"0000", AUTHORITY.signer().chain)
    with pytest.raises(EnvironmentFault, match="PIN 不对"):
        signer.sign(b"bytes")
    (folder / "token.pin").write_text(PIN)
    with pytest.raises(EnvironmentFault, match="勿反复重试"):
        signer.sign(b"bytes")
    assert place.open().sign(b"bytes")


def test_refused_pin_at_the_start_is_for_the_operator_so_that_nothing_tries_it_again(folder: Path) -> None:
    place = token_place(folder)
    (folder / "token.pin").write_text("000000")
    with pytest.raises(OperatorFault, match="PIN 不对"):
        place.open()


def test_locked_token_says_who_can_unlock_it(folder: Path) -> None:
    import pkcs11

    from agent.adapters.token_key import TokenSigner

    key = parse_key_place(token_place(folder).uri, folder)
    assert isinstance(key, TokenKey)
    signer = TokenSigner(key, b"0000", AUTHORITY.signer().chain)
    assert "SO PIN" in signer._about_pin(pkcs11.PinLocked())
    assert "SO PIN" not in signer._about_pin(pkcs11.PinIncorrect())


def test_token_that_comes_back_signs_again(folder: Path) -> None:
    from agent.adapters.token_key import TokenSigner

    signer = token_place(folder).open()
    assert isinstance(signer, TokenSigner)
    before = signer.sign(b"bytes")
    signer.close()
    leaf = certificate_key(x509.load_der_x509_certificate(signer.chain[0]))
    assert verify_raw(leaf, signer.sign(b"bytes"), b"bytes")
    assert verify_raw(leaf, before, b"bytes")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("object=", "object=x"), "没有（或不止一把）私钥"),
        (("token=REC-0001", "token=REC-0009"), "NoSuchToken"),
    ],
)
def test_key_or_token_that_is_not_there_is_named(folder: Path, change: tuple[str, str], words: str) -> None:
    place = token_place(folder)
    with pytest.raises(EnvironmentFault, match=words):
        Place(place.uri.replace(*change), folder, place.lose).open()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_pin_open_to_others_is_refused(folder: Path, mode: int) -> None:
    place = token_place(folder)
    (folder / "token.pin").chmod(mode)
    with pytest.raises(OperatorFault, match="chmod 600"):
        place.open()


def test_pin_is_in_no_text_about_the_key(folder: Path) -> None:
    place = token_place(folder)
    signer = place.open()
    assert PIN not in str(parse_key_place(place.uri, folder)) + repr(parse_key_place(place.uri, folder)) + repr(signer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("evidence.key", KeyFile(Path("/d/evidence.key"))),
        ("file:/k/evidence.key", KeyFile(Path("/k/evidence.key"))),
        ("fwcrypto:1", FirmwareKey(1)),
        (
            "pkcs11:token=T%20x;object=e;id=%01%02?module-path=/m.so&pin-source=file:pin",
            TokenKey(Path("/m.so"), "T x", "e", b"\x01\x02", Path("/d/pin")),
        ),
    ],
)
def test_key_places_are_read(text: str, expected: object) -> None:
    assert parse_key_place(text, Path("/d")) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tpm2:1", "不认识的密钥位置 tpm2"),
        ("file:", "没有写文件名"),
        ("fwcrypto:", "密钥编号"),
        ("fwcrypto:99", "密钥编号"),
        ("fwcrypto:1?x=y", "x 不认识"),
        ("pkcs11:token=T?module-path=/m&pin-source=p", "object 或 id"),
        ("pkcs11:token=T;object=e?module-path=/m", "缺少 pin-source"),
        ("pkcs11:token=T;object=e?module-path=/m&pin-value=1234", "PIN 不得写进配置"),
        ("pkcs11:token=T;object=e;object=f?module-path=/m&pin-source=p", "写了两次"),
        ("pkcs11:token=T;object=e;type=public?module-path=/m&pin-source=p", "只能是 private"),
    ],
)
def test_key_place_that_is_wrong_is_one_line(text: str, words: str) -> None:
    with pytest.raises(LiuhenFault) as caught:
        parse_key_place(text, Path("/d"))
    assert words in str(caught.value)
    assert "1234" not in str(caught.value)
