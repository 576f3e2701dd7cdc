"""The device's signing key, wherever it is, with its certificates from the device folder.

A key that cannot be looked at (a token's, the firmware's) proves at the start that it belongs to its certificate by one
signature over `PROOF`, which is like no other bytes we sign.
"""

import contextlib
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from agent.adapters.firmware_key import FirmwareSigner
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_certificates, read_private, read_signer
from agent.key_places import FirmwareKey, KeyFile, KeyPlace, TokenKey
from agent.wire.signing import CertifiedSigner, certificate_key, load_certificate, verify_raw

PROOF = b"liuhen: this key belongs to its certificate"


def open_signer(key: KeyPlace, chain_file: Path) -> CertifiedSigner:
    """The signer of `key` with `chain_file` (PEM, leaf first).

    Raises `OperatorFault` when a file is missing, open to others or malformed, or when key and certificate do not
    belong together, or a token refuses the PIN; `EnvironmentFault` when a token or the firmware does not answer.
    """
    match key:
        case KeyFile(path):
            return read_signer(path, chain_file)
        case TokenKey():
            return _token_signer(key, chain_file)
        case FirmwareKey():
            return _proven(FirmwareSigner(key, _chain(chain_file)), str(key), chain_file)


def _token_signer(key: TokenKey, chain_file: Path) -> CertifiedSigner:
    from agent.adapters.token_key import PinRefused, TokenSigner  # an extra, and not on every device

    with contextlib.ExitStack() as stack:
        signer = TokenSigner(key, read_private(key.pin_source, "PIN"), _chain(chain_file))
        stack.callback(signer.close)
        try:
            proven = _proven(signer, str(key), chain_file)
        except PinRefused as fault:  # exit code 2 is the one that systemd does not start again after
            raise OperatorFault(str(fault)) from fault
        stack.pop_all()
        return proven


def _proven(signer: CertifiedSigner, name: str, chain_file: Path) -> CertifiedSigner:
    key = certificate_key(load_certificate(signer.chain[0]))
    try:
        verify_raw(key, signer.sign(PROOF), PROOF)
    except SenderFault as fault:
        raise OperatorFault(f"证书 {chain_file} 与私钥 {name} 不是一对。请重新发放该设备的证书。") from fault
    return signer


def _chain(path: Path) -> tuple[bytes, ...]:
    """The certificates in `path` as DER, the leaf with a key that we can verify by; raises `OperatorFault`."""
    chain = read_certificates(path)
    try:
        certificate_key(chain[0])
    except SenderFault as fault:
        raise OperatorFault(f"证书文件 {path}：{fault}请重新发放该设备的证书。") from fault
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)
