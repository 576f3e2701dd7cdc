"""The device's key file: what must not be used is refused with the next step named."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.errors import OperatorFault
from agent.key_files import read_signer
from agent.wire.signing import certificate_key, verify_raw
from tests.agent.adapters.recording_bench import SIGNER
from tests.agent.adapters.test_spool import key_files


def pem(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    return key_files(tmp_path)


def test_signature_of_the_loaded_key_verifies(files):
    signer = read_signer(*files)
    assert signer.chain == SIGNER.chain
    assert signer.key_id == SIGNER.key_id
    from cryptography import x509

    leaf = x509.load_der_x509_certificate(signer.chain[0])
    assert verify_raw(certificate_key(leaf), signer.sign(b"bytes"), b"bytes") == b"bytes"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_key_open_to_others_is_refused_and_chmod_is_named(files, mode):
    files[0].chmod(mode)
    with pytest.raises(OperatorFault, match=r"chmod 600"):
        read_signer(*files)


@pytest.mark.parametrize("content", [b"", b"no key", pem(ec.generate_private_key(ec.SECP384R1()))])
def test_key_of_another_kind_is_refused(files, content):
    files[0].write_bytes(content)
    with pytest.raises(OperatorFault, match="私钥文件"):
        read_signer(*files)


def test_key_and_certificate_that_are_no_pair_are_refused(files):
    files[0].write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(OperatorFault, match="不是一对"):
        read_signer(*files)


@pytest.mark.parametrize("content", [b"", b"no certificate"])
def test_broken_certificate_file_is_refused(files, content):
    files[1].write_bytes(content)
    with pytest.raises(OperatorFault, match="不是 PEM 证书链"):
        read_signer(*files)


def test_missing_file_is_named(files):
    files[1].unlink()
    with pytest.raises(OperatorFault, match=r"evidence\.pem"):
        read_signer(*files)
