"""New TLS keys made on the device by command, each with the request (PKCS#10) that a certificate is issued for.

`state/renewal/000007.key` and `000007.csr`, by the command's number: the key never leaves the device, the request goes
to the centre in the command's answer. The key in use stays in use until a certificate comes.
"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agent import durable
from agent.control.command_desk import not_done
from agent.control.command_messages import CommandCarriedOut, OpenCommand
from agent.errors import EnvironmentFault
from agent.wire.identifiers import DeviceId

FOLDER = "renewal"
WAITING = "已生成新的 TLS 密钥与证书请求，待中心签发证书；签发前仍用现有证书。"


class KeyRequests:
    """The folder in `state_dir`; nothing is made before it is asked for. Its methods belong to the worker."""

    def __init__(self, state_dir: Path, device: DeviceId) -> None:
        self._folder, self._device = state_dir / FOLDER, device

    def make(self, command: OpenCommand) -> CommandCarriedOut:
        """A new key and its request, on the disk in this order; those of earlier commands are removed, for only the
        newest is to be certified."""
        try:
            durable.make_directory(self._folder, 0o700)
            for old in sorted(self._folder.glob("[0-9]*")):  # a request before its key: none stands without one
                durable.remove(old)
            key = ec.generate_private_key(ec.SECP256R1())
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            durable.write_bytes(self._path(command, "key"), pem, durable.PRIVATE)
            durable.write_bytes(self._path(command, "csr"), _request(key, self._device), durable.PRIVATE)
        except EnvironmentFault as fault:
            return CommandCarriedOut(command, str(fault), code="disk")
        return self.look(command)

    def look(self, command: OpenCommand) -> CommandCarriedOut:
        """What an earlier run has made for that command: the request, or that it was not done."""
        try:
            request = self._path(command, "csr").read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return not_done(command)
        return CommandCarriedOut(command, WAITING, {"request": request, "which": "tls"})

    def _path(self, command: OpenCommand, suffix: str) -> Path:
        return self._folder / f"{command.counter:06d}.{suffix}"


def _request(key: ec.EllipticCurvePrivateKey, device: DeviceId) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)
