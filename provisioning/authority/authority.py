"""The authority's folder: two CA keys, the register and the signed trust list.

    root.key root.pem issuing.key issuing.pem   keys mode 0600 from their first byte
    register.json                               every certificate given; the truth
    trust.dsse                                  follows from the register; written after it and mended from it
    archive.key archive.pub                     what recordings are encrypted for, see `archive_key`

The root key is used for the issuing CA and the trust list only. One command at a time changes the folder (flock).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_private_key
from agent.wire.envelope import MAX_TRUST_LIST_BYTES, open_trust_list, seal
from agent.wire.identifiers import District, district
from agent.wire.signing import KeySigner, key_id_of, load_pem_certificates
from agent.wire.trust import TRUST_TYPE, Role, TrustList
from provisioning.authority import certificates, keys
from provisioning.authority.archive_key import make_archive_key
from provisioning.authority.certificates import Bearer, Issuer, Profile
from provisioning.authority.register import BROKER_ROLE, LOGIN_ROLE, Entry, Register, parse_register
from provisioning.authority.subjects import DEVICE_ROLES, MAX_NAME_BYTES, checked_subject

ROOT_KEY, ROOT, ISSUING_KEY, ISSUING = "root.key", "root.pem", "issuing.key", "issuing.pem"
REGISTER, TRUST = "register.json", "trust.dsse"


@dataclass(frozen=True)
class Authority:
    """A district's authority in `folder`; every call reads the folder afresh."""

    folder: Path

    @property
    def root_pem(self) -> bytes:
        """The pinned root certificate."""
        return read_file(self.folder / ROOT)

    @property
    def trust_bytes(self) -> bytes:
        """The signed trust list as every device folder carries it."""
        return read_file(self.folder / TRUST)

    def register(self) -> Register:
        """The register as it stands."""
        return parse_register(read_file(self.folder / REGISTER))

    def trust(self) -> TrustList:
        """The signed trust list, verified against the root."""
        return open_trust_list(self.trust_bytes, load_pem_certificates(self.root_pem)[0])

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

    def certify_broker(self, request: bytes, subject: str, hosts: Sequence[str], now: datetime) -> bytes:
        """Certificate chain (PEM) for a broker reached as `hosts`; otherwise as `certify_signer`."""
        name = checked_subject(subject, Role.RECEIVER)
        return self._certify(request, name, BROKER_ROLE, Profile.TLS_SERVER, now, hosts)

    def revoke(self, subject: str, reason: str, now: datetime) -> TrustList:
        """Revoke all of `subject`'s certificates at `now` and sign the next trust list; again changes nothing."""
        self._change(lambda register: register.with_revoked(subject, reason, now))
        return self.trust()

    def settle(self) -> None:
        """Sign the trust list that follows from the register, where an interruption left an older one."""
        self._change(lambda register: register)

    def _certify(
        self, request: bytes, subject: str, role: str, profile: Profile, now: datetime, hosts: Sequence[str] = ()
    ) -> bytes:
        key = certificates.checked_request(request, subject)
        issuer = _issuer(self.folder, ISSUING_KEY, ISSUING)
        held = self.register().live(subject, profile)
        if held is not None and held.key_id == key_id_of(key):
            self.settle()
            return certificates.chain_pem(held.certificate, issuer.certificate)
        bearer = Bearer(subject, role, self.register().name)
        leaf = certificates.leaf_certificate(key, bearer, profile, issuer, now, hosts)
        entry = Entry(subject, role, profile, leaf.public_bytes(Encoding.PEM).decode(), now)
        self._change(lambda register: register.with_entry(entry, now))
        return certificates.chain_pem(leaf, issuer.certificate)

    def _change(self, step: Callable[[Register], Register]) -> None:
        with durable.exclusive(self.folder):
            before = self.register()
            after = step(before)
            sealed = self._sealed(after) if after.version != _signed_version(self) else None
            if after is not before:
                durable.write_bytes(self.folder / REGISTER, after.encode(), durable.PRIVATE)
            if sealed is not None:
                durable.write_bytes(self.folder / TRUST, sealed)

    def _sealed(self, register: Register) -> bytes:
        root = _issuer(self.folder, ROOT_KEY, ROOT)
        sealed = seal(TRUST_TYPE, register.trust_list().encode(), [KeySigner(root.key)])
        if len(sealed) > MAX_TRUST_LIST_BYTES:
            raise OperatorFault(f"信任清单将超过 {MAX_TRUST_LIST_BYTES // 1024**2} MiB，未签发。请按单位分设机构。")
        return sealed


def init_authority(folder: Path, place: str, name: str, now: datetime) -> Authority:
    """Make the authority of a district in `folder`, or finish one that was interrupted; the same again changes nothing.

    Raises `OperatorFault` when the folder already belongs to another district.
    """
    register = Register(_district(place), name, 1, now)
    if not name.strip() or not name.isprintable() or len(name.encode()) > MAX_NAME_BYTES:
        raise OperatorFault("区域名称不能为空，也不能超过 21 个汉字，请写成如 --name 星河区。")
    durable.make_directory(folder, 0o700)
    authority = Authority(folder)
    with durable.exclusive(folder):
        if (folder / REGISTER).exists():
            _same_district(authority.register(), register)
        else:
            _write_authorities(folder, register, now)
            durable.write_bytes(folder / REGISTER, register.encode(), durable.PRIVATE)
    make_archive_key(folder)
    authority.settle()
    return authority


def open_authority(folder: Path) -> Authority:
    """An authority that exists; raises `OperatorFault` otherwise."""
    if not (folder / REGISTER).is_file():
        raise OperatorFault(f"{folder} 不是机构目录。请先运行 liuhen-provision init-ca {folder}。")
    return Authority(folder)


def read_file(path: Path) -> bytes:
    """The bytes of a file the operator named; raises `OperatorFault` when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorFault(f"无法读取 {path}：{error.strerror or error}。请检查路径与权限。") from error


def _write_authorities(folder: Path, register: Register, now: datetime) -> None:
    root = certificates.root_certificate(keys.new_key(), register.district, register.name, now)
    issuing = certificates.issuing_certificate(keys.new_key(), root, register.district, register.name, now)
    for issuer, key, certificate in ((root, ROOT_KEY, ROOT), (issuing, ISSUING_KEY, ISSUING)):
        durable.write_bytes(folder / key, keys.private_pem(issuer.key), durable.PRIVATE)
        durable.write_bytes(folder / certificate, issuer.certificate.public_bytes(Encoding.PEM))


def _signed_version(authority: Authority) -> int:
    try:
        return authority.trust().version if (authority.folder / TRUST).exists() else 0
    except SenderFault:
        return 0  # damaged: it is signed again from the register


def _issuer(folder: Path, key: str, certificate: str) -> Issuer:
    return certificates.parse_issuer(read_private_key(folder / key), read_file(folder / certificate))


def _same_district(found: Register, wanted: Register) -> None:
    if (found.district, found.name) != (wanted.district, wanted.name):
        raise OperatorFault(f"该目录已是 {found.name}（{found.district}）的机构，未作改动。请换一个目录。")


def _district(text: str) -> District:
    try:
        return district(text)
    except SenderFault as fault:
        raise OperatorFault(f"{fault}请改正 --district。") from fault
