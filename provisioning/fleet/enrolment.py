"""The authority's side of a device's first boot: what its card carries, and the answer to what it asks.

The same bytes come over HTTPS, a cable or a USB stick. Certificates, the token's end and the device's new state are one
transaction; an answer that got lost is given again to the very same request, and nothing else is given twice.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from agent.errors import OperatorFault, SenderFault
from agent.wire.authority_seal import fingerprint
from agent.wire.canonical import timestamp
from agent.wire.card_bundle import CARD_TYPE, CardBundle, hardware_serial
from agent.wire.enrolment import (
    ANSWER_TYPE,
    EnrolmentAnswer,
    EnrolmentRequest,
    Refusal,
    Reply,
    parse_request,
    refusal,
    request_digest,
)
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.signing import KeySigner, load_pem_certificates
from agent.wire.trust import Role
from provisioning.authority import cert_book
from provisioning.authority.archive_key import ARCHIVE_PUBLIC, read_archive_public
from provisioning.authority.authority import Authority, read_file
from provisioning.authority.certificates import BACKDATING, Profile, refuse_when_over
from provisioning.authority.complaint_key import COMPLAINT_PUBLIC, read_complaint_public
from provisioning.authority.session import ISSUING, Sitting
from provisioning.fleet.inventory import Device, Inventory
from provisioning.fleet.orders import ARCHIVE_NAME, agent_toml, kiosk_toml
from provisioning.fleet.site import device_order, read_site
from provisioning.fleet.states import CHINESE, State
from provisioning.fleet.tokens import TOKEN_TTL, grant, new_token, redeem, refused

PUBLISH_SHARE = 20.0  # ours: signing takes a twentieth of the time at most
PUBLISH_EVERY_S = 2.0  # ours: a trust list of 1 000 devices takes a quarter of a second to sign
MAX_PENDING = 1000  # ours: strangers cannot fill the disk
GONE = (State.LOST, State.REVOKED, State.DECOMMISSIONED)


@dataclass(frozen=True)
class CardDraft:
    """A sealed card bundle; its token counts from `Desk.grant` on, and the card before it until then."""

    device: str
    bundle: bytes
    token: str
    until: datetime


@dataclass
class Desk:
    """The authority's desk for devices, opened by `enrolment_desk`; used by one thread."""

    authority: Authority
    sitting: Sitting
    inventory: Inventory
    _publish_from: float = float("-inf")

    @cached_property
    def certificates(self) -> tuple[bytes, bytes]:
        """`root.pem` and `issuing.pem`, as a card carries them."""
        return self.authority.root_pem, read_file(self.authority.folder / ISSUING)

    def card(self, device: str, now: datetime, ttl: timedelta = TOKEN_TTL) -> bytes:
        """A new sealed card bundle for a listed device; the one before it is void. The device is not moved: that is
        done when the card is written. Raises as `draft`."""
        draft = self.draft(device, now, ttl)
        self.grant(draft, now)
        return draft.bundle

    def grant(self, draft: CardDraft, now: datetime) -> None:
        """The card of `draft` is written: it counts, and the one before it is void."""
        grant(self.inventory, draft.device, draft.token, now, draft.until)

    def draft(self, device: str, now: datetime, ttl: timedelta = TOKEN_TTL) -> CardDraft:
        """A sealed card bundle that counts for nothing yet: a card that cannot be written voids none. Raises
        `OperatorFault` when its hardware is not known, its state forbids it, or the issuing CA is over."""
        refuse_when_over(self.sitting.issuer, now)
        held = self.inventory.device(device)
        if held.state not in (State.PLANNED, State.BUNDLED, State.REVOKED):
            told = f"{device} 现为{CHINESE[held.state]}（{held.state}），不能制卡"
            raise OperatorFault(f"{told}。若要重发，请先运行 liuhen-provision revoke {device} --reason 重新入网。")
        if not held.hardware:
            raise OperatorFault(f"{device} 没有登记硬件序列号，不能制卡。请用 add-device {device} --hardware 补上。")
        site, register = read_site(self.inventory), cert_book.read_register(self.sitting.records, entries=False)
        token, until = new_token(), now + ttl
        bundle = CardBundle(
            DeviceId(device),
            Role(held.role),
            _serial(held),
            held.unit,
            register.district,
            register.name,
            Digest(fingerprint(load_pem_certificates(self.certificates[0])[0])),
            site,
            now - BACKDATING,
            until,
            token,
        )
        return CardDraft(device, seal(CARD_TYPE, bundle.encode(), [KeySigner(self.sitting.issuer.key)]), token, until)

    def answer(self, data: bytes, now: datetime) -> bytes:
        """The reply to a device's request: granted, or refused with a code; never raises for what came from outside."""
        try:
            request = parse_request(data)
        except SenderFault:
            return refusal(Refusal.MALFORMED)
        try:
            answer = self._granted(request, data, now)
        except SenderFault as fault:
            self._remember(request, fault.code, now)
            known = fault.code in _CODES
            return refusal(Refusal(fault.code) if known else Refusal.KEY, str(fault) if known else "")
        except OperatorFault as fault:
            self._remember(request, Refusal.KEY.value, now)
            return refusal(Refusal.KEY, str(fault))
        self.publish(now_s=time.monotonic())
        sealed = seal(ANSWER_TYPE, answer.encode(), [KeySigner(self.sitting.issuer.key)])
        return Reply(sealed, self.authority.trust_bytes).encode()

    def publish(self, now_s: float) -> None:
        """Sign the trust list anew, not more often than every `PUBLISH_EVERY_S`; the sitting's end does the rest."""
        if now_s >= self._publish_from:
            self.sitting.publish()
            took = time.monotonic() - now_s
            self._publish_from = now_s + took + max(PUBLISH_EVERY_S, PUBLISH_SHARE * took)

    def _granted(self, request: EnrolmentRequest, data: bytes, now: datetime) -> EnrolmentAnswer:
        with self.inventory.records.transaction():
            held = self._expected(request)
            again = not redeem(self.inventory, request, data, now)
            self.admit(held, now, again=again)
            role = Role(held.role)
            tls = self.sitting.certify(request.tls.encode(), held.device, role, Profile.TLS_CLIENT, now)
            evidence = self.sitting.certify(request.evidence.encode(), held.device, role, Profile.EVIDENCE, now)
            digest = request_digest(data)
            return EnrolmentAnswer(request.device, digest, tls.decode(), evidence.decode(), self._files(held), now)

    def expected(self, device: str) -> Device:
        """The listed device that may ask for certificates; raises `SenderFault` for an unknown or revoked one."""
        held = self.inventory.find(device)
        if held is None:
            raise refused(Refusal.UNKNOWN)
        if held.state in GONE:
            raise refused(Refusal.REVOKED)
        return held

    def admit(self, held: Device, now: datetime, *, again: bool) -> None:
        """A token was taken: the device is enrolled; `again`, the answer got lost, moves nothing. Raises `SenderFault`
        when it is further on already."""
        if not again:
            if held.state not in (State.PLANNED, State.BUNDLED):
                raise refused(Refusal.STATE)
            if held.state is State.PLANNED:
                self.inventory.move(held.device, State.BUNDLED, "已用卡入网", now)
            self.inventory.move(held.device, State.ENROLLED, "首次启动入网", now)
        self.inventory.records.rows("DELETE FROM pending WHERE device = ?", held.device)

    def _expected(self, request: EnrolmentRequest) -> Device:
        held = self.expected(request.device)
        if request.district != cert_book.read_register(self.sitting.records, entries=False).district:
            raise refused(Refusal.UNKNOWN)
        if held.hardware.lower() != request.hardware.lower():
            raise refused(Refusal.HARDWARE)
        return held

    def _files(self, held: Device) -> dict[str, str]:
        place = cert_book.read_register(self.sitting.records, entries=False).district
        public = self.authority.folder / ARCHIVE_PUBLIC
        archive = read_archive_public(public) if held.role == "recorder" and public.exists() else None
        order = device_order(held, read_site(self.inventory), archive)
        files = {"agent.toml": agent_toml(order, place).decode()}
        if order.archive is not None:
            files[ARCHIVE_NAME] = order.archive.decode()
        if order.kiosk is not None:
            files["kiosk.toml"] = kiosk_toml(order, order.kiosk, place).decode()
            if (complaints := read_complaint_public(self.authority.folder)) is not None:
                files[COMPLAINT_PUBLIC] = complaints.decode()
        return files

    def _remember(self, request: EnrolmentRequest, why: str, now: datetime) -> None:
        """Somebody knocked: shown by `inventory --pending`, so that a forgotten or a strange device is seen."""
        with self.inventory.records.transaction():
            known = self.inventory.records.rows("SELECT count(*) AS n FROM pending")[0]["n"]
            row = (request.device, request.hardware, why, timestamp(now), timestamp(now))
            sql = "UPDATE pending SET why = ?, last_at = ?, times = times + 1 WHERE device = ? AND hardware = ?"
            self.inventory.records.rows(sql, why, timestamp(now), request.device, request.hardware)
            if known < MAX_PENDING:
                self.inventory.records.rows("INSERT OR IGNORE INTO pending VALUES (?, ?, ?, ?, ?, 1)", *row)


_CODES = frozenset(Refusal.__members__.values())


@contextmanager
def enrolment_desk(authority: Authority) -> Iterator[Desk]:
    """Open the desk of `authority`; the trust list is brought up to date at the end."""
    with authority.sit() as sitting:
        yield Desk(authority, sitting, Inventory(sitting.records, authority.by))


def write_pem(folder: Path, desk: Desk) -> dict[Path, bytes]:
    """The two certificates that lie beside cards in `folder`, by path."""
    root, issuing = desk.certificates
    return {folder / "root.pem": root, folder / "issuing.pem": issuing}


def _serial(held: Device) -> str:
    try:
        return hardware_serial(held.hardware)
    except SenderFault as fault:
        raise OperatorFault(f"{held.device}：{fault}请改正登记。") from fault
