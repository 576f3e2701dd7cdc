"""An authority's desk for tests of the device's side: makes cards and answers requests by the wire's own rules, with
tokens in memory. What a district uses is `provisioning/fleet`."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from agent.errors import SenderFault
from agent.wire.authority_seal import fingerprint
from agent.wire.card_bundle import CARD_TYPE, CardBundle, Site
from agent.wire.enrolment import (
    ANSWER_TYPE,
    EnrolmentAnswer,
    Refusal,
    Reply,
    parse_request,
    refusal,
    request_digest,
)
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, Digest, District
from agent.wire.trust import Credential, Role
from provisioning.authority import certificates
from provisioning.authority.certificates import Bearer, Issuer, Profile
from provisioning.fleet.orders import BrokerAddress, DeviceOrder, agent_toml
from tests.support.keys import TestAuthority

SERIAL = "10000000abcdef01"


@dataclass
class EnrolmentDesk:
    """`ask` is what any way to the authority ends in."""

    authority: TestAuthority
    broker_port: int = 8883
    enrol: str = ""
    receivers: tuple[tuple[str, Role], ...] = ()
    tokens: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    asked: int = 0

    def card(self, device: str = "REC-0001", hardware: str = SERIAL, **changed: object) -> dict[str, bytes]:
        """The files of a card, and its token on the books."""
        now = datetime.now(UTC)
        site = Site("127.0.0.1", self.broker_port, "localhost", "5", self.enrol, "localhost")
        bundle = CardBundle(
            DeviceId(device), Role.RECORDER if device.startswith("REC") else Role.KIOSK, hardware, "示例执法局",
            District("xinghe"), "星河区", Digest(fingerprint(self.authority.root.chain[0])), site,
            now - timedelta(hours=1), now + timedelta(days=7), "5a" * 32,
        )  # fmt: skip
        bundle = replace(bundle, **changed)  # type: ignore[arg-type]
        self.tokens[device] = (bundle.bound_token(), "")
        return {
            "card.dsse": seal(CARD_TYPE, bundle.encode(), [self.authority.issuing.signer]),
            "root.pem": self.authority.root_pem,
            "issuing.pem": self.authority.issuing.chain_pem,
        }

    def ask(self, request: bytes) -> bytes:
        """The reply to a request; a refusal is a reply too."""
        self.asked += 1
        try:
            return self._answer(request)
        except SenderFault as fault:
            return refusal(Refusal(fault.code))

    def done(self) -> None:
        """A way of its own."""

    def _answer(self, data: bytes) -> bytes:
        request = parse_request(data)
        if request.device not in self.tokens:
            raise SenderFault("", Refusal.UNKNOWN)
        bound, used = self.tokens[request.device]
        request.proven(bound)
        if used not in ("", request_digest(data)):
            raise SenderFault("", Refusal.USED)
        self.tokens[request.device] = (bound, request_digest(data))
        return self.granted(data)

    def granted(self, data: bytes) -> bytes:
        request, now = parse_request(data), datetime.now(UTC)
        issuer = Issuer(self.authority.issuing.key, self.authority.issuing.chain[0])
        role = Role.RECORDER if request.device.startswith("REC") else Role.KIOSK

        def chain(pem: str, profile: Profile) -> str:
            key = certificates.checked_request(pem.encode(), request.device)
            leaf = certificates.leaf_certificate(key, Bearer(request.device, role, "星河区"), profile, issuer, now)
            return certificates.chain_pem(leaf, issuer.certificate).decode()

        tls, evidence = chain(request.tls, Profile.TLS_CLIENT), chain(request.evidence, Profile.EVIDENCE)
        order = DeviceOrder(request.device, "示例执法局", BrokerAddress("127.0.0.1", self.broker_port), camera="test")
        files = {"agent.toml": agent_toml(order, District("xinghe")).decode()}
        answer = EnrolmentAnswer(request.device, request_digest(data), tls, evidence, files, now)
        trust = self.authority.trust(Credential(request.device, role, evidence))
        sealed = seal(ANSWER_TYPE, answer.encode(), [self.authority.issuing.signer])
        return Reply(sealed, self.authority.seal_trust(trust)).encode()
