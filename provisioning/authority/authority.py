"""The authority's folder: two CA keys, the database and the signed trust list.

    root.key root.pem issuing.key issuing.pem   keys mode 0600 from their first byte; or in a token, see `key_store`
    inventory.db                                every certificate given, every device, the audit; the truth
    audit.key                                   signs the audit's head
    trust.dsse                                  follows from the database; written after it and mended from it
    archive.key archive.pub                     what recordings are encrypted for, see `archive_key`
    complaint.key complaint.pub                 what kiosks close complaints for, see `complaint_key`

The root key is used for the issuing CA and the trust list only. An authority of an earlier version has a
`register.json`: it is taken over into the database once, and kept beside it as `register.json.taken-over`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import District, district
from agent.wire.signing import certificate_key, key_id_of, load_pem_certificates
from agent.wire.trust import Role, TrustList
from provisioning.authority import cert_book, certificates, records
from provisioning.authority.archive_key import ARCHIVE_KEY, make_archive_key
from provisioning.authority.certificates import Profile
from provisioning.authority.complaint_key import make_complaint_key
from provisioning.authority.key_store import ISSUING_NAME, ROOT_NAME, KeyStore
from provisioning.authority.register import BROKER_ROLE, CANARY_ROLE, LOGIN_ROLE, Register, parse_register
from provisioning.authority.session import ISSUING, ROOT, TRUST, Sitting, sitting
from provisioning.authority.subjects import DEVICE_ROLES, MAX_NAME_BYTES, checked_subject

OLD_REGISTER, TAKEN_OVER = "register.json", "register.json.taken-over"
FINISHED = (TRUST, ARCHIVE_KEY, TAKEN_OVER)  # written after the database was founded: an interrupted init-ca has none
BENCH = "bench"


@dataclass(frozen=True)
class Authority:
    """A district's authority in `folder`; every call reads the folder afresh. `by` is who works there."""

    folder: Path
    by: str = BENCH

    @property
    def root_pem(self) -> bytes:
        """The pinned root certificate."""
        return read_file(self.folder / ROOT)

    @property
    def trust_bytes(self) -> bytes:
        """The signed trust list as every device folder carries it."""
        return read_file(self.folder / TRUST)

    def sit(self) -> AbstractContextManager[Sitting]:
        """Sit down for several certificates: the database is opened once, the trust list signed once, at the end."""
        return sitting(self.folder, self.by)

    def register(self, *, entries: bool = True) -> Register:
        """The register as it stands; without `entries` only what it is called."""
        with closing(records.open_records(self.folder)) as opened:
            return cert_book.read_register(opened, entries=entries)

    def holds_any(self, subject: str) -> bool:
        """Whether `subject` has a certificate that is not revoked."""
        with closing(records.open_records(self.folder)) as opened:
            return cert_book.holds_any(opened, subject)

    def trust(self) -> TrustList:
        """The signed trust list, verified against the root."""
        return open_trust_list(self.trust_bytes, load_pem_certificates(self.root_pem)[0])

    def is_revoked(self, certificate: x509.Certificate) -> bool:
        """Whether the certificate of this key was revoked."""
        with closing(records.open_records(self.folder)) as opened:
            held = cert_book.by_key(opened, key_id_of(certificate_key(certificate)))
        return held is not None and held.revoked_at is not None

    def certify_signer(self, request: bytes, subject: str, role: Role, now: datetime) -> bytes:
        """Certificate chain (PEM) for a key that signs evidence or documents; the key joins the trust list.

        `request` is PKCS#10 PEM. The same key again gets the same chain. Raises `OperatorFault` for a subject that may
        not carry the role or holds another key, `SenderFault` for a request that proves nothing.
        """
        profile = Profile.EVIDENCE if role in DEVICE_ROLES.values() else Profile.SIGNER
        return self._certify(request, checked_subject(subject, role), role.value, profile, now)

    def certify_client(self, request: bytes, subject: str, role: Role, now: datetime) -> bytes:
        """Certificate chain (PEM) for the TLS key of a device or receiver; otherwise as `certify_signer`."""
        if role is not Role.RECEIVER and role not in DEVICE_ROLES.values():
            raise OperatorFault(f"角色 {role.value} 不连接消息服务器，不签发连接证书。")
        return self._certify(request, checked_subject(subject, role), role.value, Profile.TLS_CLIENT, now)

    def certify_login(self, request: bytes, subject: str, now: datetime) -> bytes:
        """Certificate chain (PEM) with which a person comes in at the centre's page, and signs nothing; otherwise as
        `certify_signer`. What he may do there stands in the centre's configuration."""
        name = checked_subject(subject, Role.EXAMINER)
        return self._certify(request, name, LOGIN_ROLE, Profile.TLS_CLIENT, now)

    def certify_canary(self, request: bytes, subject: str, now: datetime) -> bytes:
        """Certificate chain (PEM) for a probe that shows whether a broker lets in and keeps out whom it should."""
        name = checked_subject(subject, Role.RECEIVER)
        return self._certify(request, name, CANARY_ROLE, Profile.TLS_CLIENT, now)

    def certify_broker(self, request: bytes, subject: str, hosts: Sequence[str], now: datetime) -> bytes:
        """Certificate chain (PEM) for a broker or server reached as `hosts`; otherwise as `certify_signer`."""
        name = checked_subject(subject, Role.RECEIVER)
        return self._certify(request, name, BROKER_ROLE, Profile.TLS_SERVER, now, hosts)

    def revoke(self, subject: str, reason: str, now: datetime) -> TrustList:
        """Revoke all of `subject`'s certificates at `now` and sign the next trust list; again changes nothing."""
        with self.sit() as desk:
            cert_book.revoke(desk.records, subject, reason, now, self.by)
        return self.trust()

    def settle(self) -> bool:
        """Sign the trust list that follows from the database, where an interruption left an older one; False when the
        root key is away."""
        with self.sit() as desk:
            return desk.publish()

    def _certify(
        self, request: bytes, subject: str, role: str, profile: Profile, now: datetime, hosts: Sequence[str] = ()
    ) -> bytes:
        with self.sit() as desk:
            return desk.certify(request, subject, role, profile, now, hosts)


def init_authority(folder: Path, place: str, name: str, now: datetime, keystore: bytes | None = None) -> Authority:
    """Make the authority of a district in `folder`, or finish one that was interrupted; the same again changes nothing.
    `keystore` is the text of a new `keystore.toml`.

    Raises `OperatorFault` when the folder already belongs to another district.
    """
    register = Register(_district(place), name, 1, now)
    if not name.strip() or not name.isprintable() or len(name.encode()) > MAX_NAME_BYTES:
        raise OperatorFault("区域名称不能为空，也不能超过 21 个汉字，请写成如 --name 星河区。")
    durable.make_directory(folder, 0o700)
    authority = Authority(folder)
    with durable.exclusive(folder):
        _take_over(folder)
        _refuse_without_records(folder, there=(folder / records.FILE).is_file())
        with closing(records.open_records(folder)) as opened:
            if cert_book.is_founded(opened):
                _same_district(cert_book.read_register(opened, entries=False), register)
            else:
                _refuse_without_records(folder, there=False)
                _write_authorities(folder, register, now, keystore)
                cert_book.found(opened, register)
    make_archive_key(folder)
    make_complaint_key(folder)
    authority.settle()
    return authority


def open_authority(folder: Path, by: str = BENCH) -> Authority:
    """An authority that exists; raises `OperatorFault` otherwise."""
    if not (folder / records.FILE).is_file() and not (folder / OLD_REGISTER).is_file():
        _refuse_without_records(folder, there=False)
        raise OperatorFault(f"{folder} 不是机构目录。请检查 --authority；还没有机构的，请先运行 init-ca 新建一个目录。")
    if (folder / OLD_REGISTER).is_file():
        with durable.exclusive(folder):
            _take_over(folder)
    return Authority(folder, by)


def waiting(authority: Authority) -> str:
    """What a person has to know while the trust list that follows from the register cannot be signed; "" otherwise."""
    if authority.settle():
        return ""
    version = authority.trust().version
    told = f"注意：根密钥不在，信任清单还是第 {version} 版，这次的变动尚未写进去，设备与中心仍按旧的判断"
    return f"{told}。请带回根密钥，运行 doctor 补签，再用 trust --install 分发。"


def read_file(path: Path) -> bytes:
    """The bytes of a file the operator named; raises `OperatorFault` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查路径与权限。") from error


def _refuse_without_records(folder: Path, *, there: bool) -> None:
    """An authority whose database is lost, or is another and empty one, is not made anew: its devices know the root
    that another key would replace."""
    if not there and any((folder / name).exists() for name in FINISHED):
        what = f"{folder} 是机构目录，但 {records.FILE} 不见了或是空的，未作改动"
        raise OperatorFault(f"{what}。请从备份恢复它，不要重建：设备只认原来的根证书。")


def _take_over(folder: Path) -> None:
    """Bring an earlier version's register into the database: one transaction, then the file is put aside."""
    old = folder / OLD_REGISTER
    if not old.is_file():
        return
    register = parse_register(read_file(old))
    with closing(records.open_records(folder)) as opened:
        if not cert_book.is_founded(opened):
            cert_book.found(opened, register)
    durable.move(old, folder / TAKEN_OVER)


def _write_authorities(folder: Path, register: Register, now: datetime, keystore: bytes | None) -> None:
    if keystore is not None:
        durable.write_bytes(folder / "keystore.toml", keystore, durable.PRIVATE)
    store = KeyStore(folder)
    root = certificates.root_certificate(store.make(ROOT_NAME), register.district, register.name, now)
    issuing = certificates.issuing_certificate(store.make(ISSUING_NAME), root, register.district, register.name, now)
    for issuer, certificate in ((root, ROOT), (issuing, ISSUING)):
        durable.write_bytes(folder / certificate, issuer.certificate.public_bytes(Encoding.PEM))


def _same_district(found: Register, wanted: Register) -> None:
    if (found.district, found.name) != (wanted.district, wanted.name):
        raise OperatorFault(f"该目录已是 {found.name}（{found.district}）的机构，未作改动。请换一个目录。")


def _district(text: str) -> District:
    try:
        return district(text)
    except SenderFault as fault:
        raise OperatorFault(f"{fault}请改正 --district。") from fault
