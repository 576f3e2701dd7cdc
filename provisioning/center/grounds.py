"""What the centre knows when it judges a recording: the one place where its `Grounds` are made.

Whatever the centre says of a recording, in an export, a receipt, a case or on its page, is judged with its trust list
as it stands now, with what the device itself told before, and with the time-stamping authorities it knows; so
`liuhen-verify` with the same list and account says the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography import x509

from agent.errors import OperatorFault, SenderFault
from agent.evidence.account import open_accounts
from agent.evidence.grounds import Grounds
from agent.evidence.time_stamps import Witnessed
from agent.wire import canonical
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import DeviceId
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import TrustList
from provisioning.authority.authority import read_file
from provisioning.center.config import CenterConfig
from provisioning.center.receipt_folder import ReceiptFolder
from provisioning.center.sqlite_file import NoDatabase

Told = Callable[[DeviceId], Iterable[bytes]]
"""The sealed envelopes that are kept of a device, none for one that never told anything."""


@dataclass(frozen=True)
class CentreGrounds:
    """`trust` gives the trust list as it stands now: a receiver that runs for months must hear of a revocation."""

    root: x509.Certificate
    trust: Callable[[], TrustList]
    told: Told
    tsa_roots: tuple[x509.Certificate, ...] = ()

    def of(self, device: DeviceId) -> Grounds:
        """For the recordings of `device`; raises `SenderFault` when what is kept of it does not verify."""
        opened = open_accounts(self.told(device), [self.root], self.trust())
        return Grounds(opened.trust, opened.devices, self._read)

    def revocations(self, device: DeviceId) -> bytes:
        """A digest of what the trust list says of the keys of `device`: a verdict is kept only as long as it holds."""
        listed = self.trust().credentials.items()
        keys = {key: it.revoked_at for key, it in listed if it.subject == device}
        told = {key: "" if at is None else canonical.timestamp(at) for key, at in keys.items()}
        return sha256(canonical.encode(told)).digest()

    def _read(self, token: bytes, message: bytes) -> Witnessed:
        from agent.adapters.time_stamp_tokens import token_reader  # loaded for recordings that bear a time-stamp

        return token_reader(self.tsa_roots)(token, message)


def open_grounds(config: CenterConfig) -> CentreGrounds:
    """The grounds of a centre's configuration; raises `OperatorFault` for certificates that cannot be read."""
    root = _certificates(config.root, "请从机构目录重新复制 root.pem")[0]
    stamping = config.tsa_root
    tsa_roots = [] if stamping is None else _certificates(stamping, "请核对 center.toml 的 identity.tsa_root")
    return CentreGrounds(
        root,
        lambda: open_trust_list(read_file(config.trust_list), root),
        lambda device: _told(config, device),
        tuple(tsa_roots),
    )


def _certificates(path: Path, instead: str) -> list[x509.Certificate]:
    try:
        return load_pem_certificates(read_file(path))
    except SenderFault as error:
        raise OperatorFault(f"根证书 {path} 无法读取，{instead}。") from error


def _told(config: CenterConfig, device: DeviceId) -> tuple[bytes, ...]:
    from provisioning.center.store import open_store  # needs the extra `center`

    try:
        store = open_store(config.database, config.folder, create=False)
    except NoDatabase:
        return ()  # a centre that has received nothing yet
    try:
        return (*store.account(device), *ReceiptFolder(config.folder).of(device))
    finally:
        store.close()
