"""The authority's register: every certificate it gave, to whom, and when and why it took it back.

The trust list is the part of the register that says whose signatures count; TLS certificates are in the register only.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from cryptography import x509

from agent.errors import OperatorFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.identifiers import District, KeyId, district
from agent.wire.signing import certificate_key, key_id_of, load_pem_certificates
from agent.wire.trust import Credential, Role, TrustList, trust_list
from provisioning.authority.certificates import Profile

BROKER_ROLE, LOGIN_ROLE = "broker", "login"
PROFILES = {profile.label: profile for profile in Profile}


@dataclass(frozen=True)
class Entry:
    """One leaf. `role` is a `Role` value, `broker` for a TLS server, `login` for a person at the centre's page;
    `reason` is why it was revoked."""

    subject: str
    role: str
    profile: Profile
    certificate_pem: str
    issued_at: datetime
    revoked_at: datetime | None = None
    reason: str | None = None

    @property
    def signs(self) -> bool:
        """Whether it belongs on the trust list."""
        return self.profile in (Profile.EVIDENCE, Profile.SIGNER)

    @cached_property
    def certificate(self) -> x509.Certificate:
        """The certificate itself."""
        return load_pem_certificates(self.certificate_pem.encode())[0]

    @cached_property
    def key_id(self) -> KeyId:
        """The name of its public key."""
        return key_id_of(certificate_key(self.certificate))

    def credential(self) -> Credential:
        """The entry as the trust list carries it."""
        return Credential(self.subject, Role(self.role), self.certificate_pem, self.revoked_at)

    def as_json(self) -> dict[str, object]:
        """The entry as the register's file carries it."""
        return {
            "certificate": self.certificate_pem,
            "issued_at": canonical.timestamp(self.issued_at),
            "profile": self.profile.label,
            "reason": self.reason,
            "revoked_at": None if self.revoked_at is None else canonical.timestamp(self.revoked_at),
            "role": self.role,
            "subject": self.subject,
        }


@dataclass(frozen=True)
class Register:
    """All entries, and the version and moment of the trust list that follows from them."""

    district: District
    name: str
    version: int
    issued_at: datetime
    entries: tuple[Entry, ...] = ()

    def live(self, subject: str, profile: Profile) -> Entry | None:
        """The entry of `subject` in `profile` that is not revoked."""
        for entry in self.entries:
            if entry.subject == subject and entry.profile is profile and entry.revoked_at is None:
                return entry
        return None

    def with_entry(self, entry: Entry, now: datetime) -> "Register":
        """The register with one more leaf; raises `OperatorFault` when the subject holds one or the key is taken."""
        if self.live(entry.subject, entry.profile) is not None:
            raise OperatorFault(f"{entry.subject} 已有有效的 {entry.profile.label} 证书。换证请先 revoke 再签发。")
        if any(other.key_id == entry.key_id for other in self.entries):
            raise OperatorFault(f"{entry.subject} 提交的公钥已经用过，一把密钥只能有一个用途。请生成新密钥。")
        grown = replace(self, entries=(*self.entries, entry))
        return grown._next_version(now) if entry.signs else grown

    def with_revoked(self, subject: str, reason: str, now: datetime) -> "Register":
        """The register with every live leaf of `subject` revoked at `now`; raises `OperatorFault` if it never had one.

        A subject revoked already stays as it is: the first moment and the first reason stand.
        """
        if not any(entry.subject == subject for entry in self.entries):
            raise OperatorFault(f"登记簿中没有 {subject}。请用 trust 查看全部名单。")
        entries = tuple(_revoked(entry, reason, now) if entry.subject == subject else entry for entry in self.entries)
        return self if entries == self.entries else replace(self, entries=entries)._next_version(now)

    def revoked_subjects(self) -> tuple[str, ...]:
        """Subjects that have no live leaf left, sorted."""
        live = {entry.subject for entry in self.entries if entry.revoked_at is None}
        return tuple(sorted({entry.subject for entry in self.entries} - live))

    def receivers(self) -> tuple[str, ...]:
        """Receivers that may connect, sorted: what the broker's access list names."""
        wanted = (Role.RECEIVER.value, Profile.TLS_CLIENT)
        return tuple(sorted(e.subject for e in self.entries if (e.role, e.profile) == wanted and e.revoked_at is None))

    def trust_list(self) -> TrustList:
        """The trust list that follows from the entries."""
        credentials = [entry.credential() for entry in self.entries if entry.signs]
        return trust_list(self.district, self.version, self.issued_at, credentials)

    def encode(self) -> bytes:
        """Canonical bytes of the register's file."""
        return canonical.encode(
            {
                "district": self.district,
                "entries": [entry.as_json() for entry in self.entries],
                "issued_at": canonical.timestamp(self.issued_at),
                "name": self.name,
                "version": self.version,
            }
        )

    def _next_version(self, now: datetime) -> "Register":
        return replace(self, version=self.version + 1, issued_at=max(now, self.issued_at))


def parse_register(data: bytes) -> Register:
    """The register in its file; raises `OperatorFault` when it is damaged."""
    try:
        fields = Fields("登记簿", canonical.decode(data))
        return Register(
            district(fields.text("district")),
            fields.text("name"),
            fields.integer("version", 1),
            fields.moment("issued_at"),
            tuple(_entry(value) for value in fields.array("entries")),
        )
    except (SenderFault, KeyError) as error:
        raise OperatorFault(f"登记簿已损坏（{error}）。请从备份恢复机构目录。") from error


def _entry(value: object) -> Entry:
    fields = Fields("登记簿条目", value)
    return Entry(
        fields.text("subject"),
        fields.text("role"),
        PROFILES[fields.text("profile")],
        fields.text("certificate"),
        fields.moment("issued_at"),
        fields.optional_moment("revoked_at"),
        None if fields.is_null("reason") else fields.text("reason"),
    )


def _revoked(entry: Entry, reason: str, now: datetime) -> Entry:
    return entry if entry.revoked_at is not None else replace(entry, revoked_at=now, reason=reason)
