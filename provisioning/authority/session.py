"""One sitting at the authority: its database and its issuing key, opened once for one certificate or for a thousand.

What is issued is in the database when a call returns. The trust list follows at `publish`, which the end of a sitting
does by itself; an interruption leaves an older one, which the next sitting replaces.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.wire.envelope import MAX_TRUST_LIST_BYTES, open_trust_list, seal
from agent.wire.signing import KeySigner, key_id_of, load_pem_certificates
from agent.wire.trust import TRUST_TYPE
from provisioning.authority import cert_book, certificates
from provisioning.authority.certificates import Bearer, Issuer, Profile
from provisioning.authority.key_store import ISSUING_NAME, ROOT_NAME, KeyStore
from provisioning.authority.records import Records, open_records
from provisioning.authority.register import Entry, Register

ROOT, ISSUING, TRUST = "root.pem", "issuing.pem", "trust.dsse"


@dataclass
class Sitting:
    """What `sitting` opened; `by` is who sits there, for the audit."""

    folder: Path
    records: Records
    by: str

    @cached_property
    def issuer(self) -> Issuer:
        """The issuing CA with its key."""
        return _issuer(self.folder, ISSUING_NAME, ISSUING)

    @cached_property
    def name(self) -> str:
        """What the district is called in certificates."""
        return cert_book.read_register(self.records, entries=False).name

    def certify(
        self, request: bytes, subject: str, role: str, profile: Profile, now: datetime, hosts: Sequence[str] = ()
    ) -> bytes:
        """Certificate chain (PEM) for a PKCS#10 request (PEM). The same key again gets the same chain; a certificate
        that is nearly over gives way to the next, as in `renew`.

        Raises `OperatorFault` when the subject holds another key or the issuing CA is over, `SenderFault` for a request
        that proves nothing.
        """
        key = certificates.checked_request(request, subject)
        with self.records.transaction():
            held = cert_book.live(self.records, subject, profile)
            if held is None or held.key_id != key_id_of(key):
                if held is not None and certificates.nearly_over(held.certificate, now):
                    cert_book.supersede(self.records, subject, profile, now)
                held = self._issued(key, Bearer(subject, role, self.name), profile, now, hosts)
                cert_book.add(self.records, held, self.by)
        return certificates.chain_pem(held.certificate, self.issuer.certificate)

    def renew(
        self, request: bytes, subject: str, role: str, now: datetime, profile: Profile = Profile.TLS_CLIENT
    ) -> bytes:
        """The next certificate of a device or receiver that holds one. The TLS one before stays good for
        `revocation_list.SUPERSEDED_GRACE`, in which its bearer takes the new one into use (`est` gives it no third one
        once that was shown); the evidence one for good: what it signed is to be verified. Otherwise as `certify`."""
        key = certificates.checked_request(request, subject)
        with self.records.transaction():
            held = cert_book.live(self.records, subject, profile)
            if held is None:
                raise OperatorFault(f"{subject} 没有有效的 {profile.label} 证书，不能续期。请重新入网。")
            if held.key_id != key_id_of(key):
                cert_book.supersede(self.records, subject, profile, now)
                held = self._issued(key, Bearer(subject, role, self.name), profile, now)
                cert_book.add(self.records, held, self.by)
        return certificates.chain_pem(held.certificate, self.issuer.certificate)

    @property
    def has_root(self) -> bool:
        """Whether the root key is here, so that a trust list can be signed."""
        return KeyStore(self.folder).has(ROOT_NAME)

    def publish(self) -> bool:
        """Sign the trust list that follows from the database, unless that is the one there is; False when it could not
        be signed because the root key is away."""
        with durable.exclusive(self.folder):
            if cert_book.read_register(self.records, entries=False).version == self._signed_version():
                return True
            if not self.has_root:
                return False
            durable.write_bytes(self.folder / TRUST, self._sealed(cert_book.read_register(self.records)))
            return True

    def _issued(
        self, key: ec.EllipticCurvePublicKey, bearer: Bearer, profile: Profile, now: datetime, hosts: Sequence[str] = ()
    ) -> Entry:
        leaf = certificates.leaf_certificate(key, bearer, profile, self.issuer, now, hosts)
        return Entry(bearer.common_name, bearer.role, profile, leaf.public_bytes(Encoding.PEM).decode(), now)

    def _sealed(self, register: Register) -> bytes:
        root = _issuer(self.folder, ROOT_NAME, ROOT)
        sealed = seal(TRUST_TYPE, register.trust_list().encode(), [KeySigner(root.key)])
        if len(sealed) > MAX_TRUST_LIST_BYTES:
            raise OperatorFault(f"信任清单将超过 {MAX_TRUST_LIST_BYTES // 1024**2} MiB，未签发。请按单位分设机构。")
        return sealed

    def _signed_version(self) -> int:
        path = self.folder / TRUST
        try:
            root = load_pem_certificates(_certificate(self.folder, ROOT))[0]
            return open_trust_list(path.read_bytes(), root).version if path.exists() else 0
        except SenderFault:
            return 0  # damaged: it is signed again


@contextmanager
def sitting(folder: Path, by: str) -> Iterator[Sitting]:
    """Sit down at the authority in `folder`; its trust list is brought up to date at the end, whatever happened."""
    records = open_records(folder)
    try:
        made = Sitting(folder, records, by)
        try:
            yield made
        finally:
            if cert_book.is_founded(records):
                made.publish()
    finally:
        records.close()


def _issuer(folder: Path, name: str, certificate: str) -> Issuer:
    return certificates.parse_issuer(KeyStore(folder).key(name), _certificate(folder, certificate))


def _certificate(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise OperatorFault(
            f"无法读取 {folder / name}：{error.strerror}。请从备份恢复；证书不是秘密，任一设备的卡或目录里也有同一份。"
        ) from error
