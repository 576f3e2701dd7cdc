"""The authority's register: every certificate it gave, to whom, and when and why it took it back.

The trust list is the part of the register that says whose signatures count; TLS certificates are in the register only.
"""

from dataclasses import dataclass, field
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

BROKER_ROLE, CANARY_ROLE, LOGIN_ROLE, TSA_ROLE = "broker", "canary", "login", "tsa"
PROFILES = {profile.label: profile for profile in Profile}


@dataclass(frozen=True)
class Entry:
    """One leaf. `role` is a `Role` value, `broker` for a TLS server, `canary` for a broker's probe, `login` for a
    person at the centre's page, `tsa` for who stamps times; `reason` is why it was revoked; `superseded_at` is when
    its bearer was given the next one; `key` is the name of its public key where that is known already."""

    subject: str
    role: str
    profile: Profile
    certificate_pem: str
    issued_at: datetime
    revoked_at: datetime | None = None
    reason: str | None = None
    superseded_at: datetime | None = None
    key: KeyId | None = field(default=None, compare=False, repr=False)

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
        return self.key or key_id_of(certificate_key(self.certificate))

    def credential(self) -> Credential:
        """The entry as the trust list carries it."""
        return Credential(self.subject, Role(self.role), self.certificate_pem, self.revoked_at, self.key)


@dataclass(frozen=True)
class Register:
    """All entries as they stand in the database, and the version and moment of the trust list that follows."""

    district: District
    name: str
    version: int
    issued_at: datetime
    entries: tuple[Entry, ...] = ()

    def revoked_subjects(self) -> tuple[str, ...]:
        """Subjects that have no live leaf left, sorted."""
        live = {entry.subject for entry in self.entries if entry.revoked_at is None}
        return tuple(sorted({entry.subject for entry in self.entries} - live))

    def canaries(self) -> tuple[str, ...]:
        """The probes that show whether a broker keeps its rules: they may connect and do nothing else."""
        return tuple(sorted({entry.subject for entry in self.entries if entry.role == CANARY_ROLE}))

    def receivers(self) -> tuple[str, ...]:
        """Receivers that may connect, sorted: what the broker's access list names."""
        wanted = (Role.RECEIVER.value, Profile.TLS_CLIENT)
        return tuple(sorted(e.subject for e in self.entries if (e.role, e.profile) == wanted and e.revoked_at is None))

    def trust_list(self) -> TrustList:
        """The trust list that follows from the entries."""
        credentials = [entry.credential() for entry in self.entries if entry.signs]
        return trust_list(self.district, self.version, self.issued_at, credentials)


def parse_register(data: bytes) -> Register:
    """The register of an authority of an earlier version (`register.json`); raises `OperatorFault` when damaged."""
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
