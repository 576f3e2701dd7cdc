"""Reads the pinned root certificate and the trust list it signed, for the kiosk and for the publishing office."""

from pathlib import Path

from cryptography import x509

from agent.errors import OperatorFault, SenderFault
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import District
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import TrustList


def read_root(path: Path) -> x509.Certificate:
    """The root certificate in `path` (PEM); raises `OperatorFault` when missing or not a certificate."""
    try:
        return load_pem_certificates(path.read_bytes())[0]
    except OSError as error:
        raise OperatorFault(f"无法读取根证书 {path}：{error.strerror}。请检查配置中的 root。") from error
    except SenderFault as error:
        raise OperatorFault(f"{path} 不是 PEM 证书。请向技术人员索取本区的 root.pem。") from error


def read_trust_list(path: Path, root: x509.Certificate, district: District) -> TrustList:
    """The list in `path`, checked against `root` and for `district`.

    Raises `OperatorFault` when the file cannot be read, `SenderFault` when it is forged or another district's.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OperatorFault(f"无法读取信任清单 {path}：{error.strerror}。请检查配置中的 trust_list。") from error
    try:
        trust = open_trust_list(data, root)
    except SenderFault as fault:
        raise SenderFault(f"信任清单 {path}：{fault}请换上本区最新的 trust.dsse。") from fault
    if trust.district != district:
        raise SenderFault(f"信任清单属于区域 {trust.district}，配置的区域是 {district}。请换用本区的信任清单。")
    return trust
