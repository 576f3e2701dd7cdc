"""How a device gets its next evidence key (pure): asked for with the one it has, answered by the authority.

request   an envelope by the device's present evidence key: a PKCS#10 request for the next one, made on the device
reply     as for an enrolment (`enrolment.Reply`): the answer by the issuing CA, and the trust list with both keys

Both chains are good afterwards: what the old key signed stays verifiable, and the old key itself is gone from the
device. The same request is answered again; one by a key that was rotated already is not.
"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.authority_seal import open_by_authority
from agent.wire.canonical import Fields
from agent.wire.card_bundle import hardware_serial
from agent.wire.enrolment import pem_text, request_digest
from agent.wire.identifiers import DeviceId, Digest, device_id, digest

ROTATION_REQUEST_TYPE = "application/vnd.liuhen.rotation-request+json"
ROTATED_TYPE = "application/vnd.liuhen.rotated+json"


@dataclass(frozen=True)
class RotationRequest:
    """`evidence` is PKCS#10 PEM for the next key of `device` on the computer `hardware`."""

    device: DeviceId
    hardware: str
    evidence: str
    made_at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the device to seal."""
        body = {"device": self.device, "evidence": self.evidence, "hardware": self.hardware}
        return canonical.encode(body | {"made_at": canonical.timestamp(self.made_at)})


@dataclass(frozen=True)
class Rotated:
    """The chain (PEM, leaf first) for the key of the request with digest `request` (of its envelope)."""

    device: DeviceId
    request: Digest
    evidence: str
    issued_at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the authority to seal."""
        body = {"device": self.device, "evidence": self.evidence, "request": self.request}
        return canonical.encode(body | {"issued_at": canonical.timestamp(self.issued_at)})


def parse_rotation_request(payload: bytes) -> RotationRequest:
    """The request in an opened envelope's payload; raises `SenderFault`."""
    fields = Fields("换钥申请", canonical.decode(payload))
    return RotationRequest(
        device_id(fields.text("device")),
        hardware_serial(fields.text("hardware")),
        pem_text(fields, "evidence"),
        fields.moment("made_at"),
    )


def open_rotated(
    data: bytes, issuing: x509.Certificate, root: x509.Certificate, now: datetime, device: DeviceId, request: bytes
) -> Rotated:
    """The verified answer to this very `request` of `device`; raises `SenderFault`."""
    fields = Fields("换钥答复", canonical.decode(open_by_authority(data, ROTATED_TYPE, issuing, root, now)))
    found = Rotated(
        device_id(fields.text("device")),
        digest(fields.text("request")),
        pem_text(fields, "evidence"),
        fields.moment("issued_at"),
    )
    if found.device != device or found.request != request_digest(request):
        raise SenderFault("这份答复不是给本机这次换钥申请的，已拒绝。请取回对应的答复。", "other-request")
    return found
