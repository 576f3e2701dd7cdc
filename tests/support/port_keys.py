"""What the two test ports know of each other without talking: keys and certificates by name. For no other use.

Whoever reads this can sign as any device of the district "torture": that is what a test port is for.
"""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent.wire.identifiers import DeviceId, District, KeyId
from agent.wire.signing import KeySigner
from agent.wire.trust import Credential, Role, TrustList

DISTRICT = District("torture")
RECEIVER = "receiver-1"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
SINCE, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=64)
def port_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The key of `name`, always the same."""
    number = int.from_bytes(hashlib.sha512(b"liuhen test port " + name.encode()).digest(), "big")
    return ec.derive_private_key(number % (ORDER - 1) + 1, ec.SECP256R1())


def port_signer(name: str) -> KeySigner:
    return KeySigner(port_key(name))


def port_credential(name: str, role: Role) -> Credential:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    key = port_key(name)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(SINCE)
        .not_valid_after(UNTIL)
        .sign(key, hashes.SHA256())
    )
    return Credential(name, role, certificate.public_bytes(Encoding.PEM).decode())


class PortTrust:
    """A trust list of the receiver and of every device that has been enrolled."""

    def __init__(self) -> None:
        receiver = port_credential(RECEIVER, Role.RECEIVER)
        self._credentials = {receiver.key_id: receiver}
        self._devices: dict[DeviceId, KeyId] = {}
        self.list = TrustList(DISTRICT, 1, SINCE, self._credentials)

    def enrol(self, device: DeviceId) -> KeyId:
        """Take the device in, once; returns the id of its key."""
        if device not in self._devices:
            credential = port_credential(device, Role.RECORDER)
            self._credentials[credential.key_id] = credential
            self._devices[device] = credential.key_id
        return self._devices[device]
