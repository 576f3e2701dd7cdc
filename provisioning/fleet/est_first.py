"""A device's first certificates by plain EST, for a client that is not ours (RFC 7030, section 4.2.1).

Name: the device's id. Password: what its card's token comes to for that device and hardware, in hex
(`agent.wire.card_bundle.bound_token`), once. The evidence certificate is then asked for with the TLS certificate
(label `evidence`, section 3.2.2), once, while the device has none. What else a first boot brings (configuration,
trust list) EST has no word for: such a client gets its files from elsewhere.
"""

from datetime import datetime

from agent.errors import SenderFault
from agent.wire.enrolment import Refusal
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import Role
from provisioning.authority.certificates import Profile
from provisioning.fleet.enrolment import Desk
from provisioning.fleet.est_messages import CHALLENGE, Answered, Asked, basic, certificates, pkcs10
from provisioning.fleet.states import State
from provisioning.fleet.tokens import redeem_password, refused


def tls(asked: Asked, desk: Desk, now: datetime) -> Answered:
    """The first TLS certificate; the token is taken. The very same request again gets the same answer."""
    shown = basic(asked.authorization)
    if shown is None:
        return Answered(401, "请出示设备编号与卡上口令。\n".encode(), challenge=CHALLENGE)
    device, password = shown
    try:
        return _granted(device, password, pkcs10(asked.body), desk, now)
    except SenderFault as fault:
        if fault.code in (Refusal.TOKEN, Refusal.UNKNOWN):
            return Answered(401, f"{fault}\n".encode(), challenge=CHALLENGE)
        raise


def evidence(asked: Asked, desk: Desk, device: str, now: datetime) -> Answered:
    """The evidence certificate of `device`, which showed its TLS certificate; raises `OperatorFault` when it has one
    for another key: that one is rotated, see `agent.wire.rotation`."""
    held = desk.expected(device)
    if held.state is not State.ENROLLED:
        raise refused(Refusal.STATE)
    chain = desk.sitting.certify(pkcs10(asked.body), device, held.role, Profile.EVIDENCE, now)
    return certificates(load_pem_certificates(chain)[:1])


def _granted(device: str, password: str, request: bytes, desk: Desk, now: datetime) -> Answered:
    with desk.inventory.records.transaction():
        held = desk.expected(device)
        again = not redeem_password(desk.inventory, device, password, request, now)
        desk.admit(held, now, again=again)
        chain = desk.sitting.certify(request, device, Role(held.role).value, Profile.TLS_CLIENT, now)
    return certificates(load_pem_certificates(chain)[:1])
