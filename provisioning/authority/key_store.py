"""Where the authority's two keys are: PKCS#8 files in its folder, or a PKCS#11 token that `keystore.toml` names.

    root = "root.key"
    issuing = "pkcs11:token=xinghe;object=issuing?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=token.pin"

Both give an `ec.EllipticCurvePrivateKey`, so certificates, revocation lists and envelopes are made the same way. The
root key may be away (carried off, or its token pulled out): then the trust list waits for it, and nothing else does.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from agent import durable
from agent.errors import OperatorFault
from agent.key_files import read_private, read_private_key
from agent.key_places import FirmwareKey, KeyFile, TokenKey, parse_key_place
from provisioning.authority import keys

FILE = "keystore.toml"
ROOT_NAME, ISSUING_NAME = "root", "issuing"
KEY_NAMES = {ROOT_NAME: "root.key", ISSUING_NAME: "issuing.key"}


@dataclass(frozen=True)
class KeyStore:
    """The keys of the authority in `folder`."""

    folder: Path

    def key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """The key `root` or `issuing`; raises `OperatorFault` when it is not there or may not be used,
        `EnvironmentFault` when a token does not answer."""
        match self._place(name):
            case KeyFile(path):
                if not path.exists():
                    raise OperatorFault(f"{path} 不在。请带回移走的密钥，或从备份恢复。")
                return read_private_key(path)
            case TokenKey() as place:
                from provisioning.authority.token_key import open_token_key  # an extra

                return open_token_key(place, read_private(place.pin_source, "PIN"))
            case FirmwareKey():
                raise OperatorFault("机构密钥只能在文件或 PKCS#11 令牌中。请改正 keystore.toml。")

    def has(self, name: str) -> bool:
        """Whether the key can be asked for now: a file that was carried away cannot, a token says so itself."""
        place = self._place(name)
        return place.path.exists() if isinstance(place, KeyFile) else True

    def make(self, name: str) -> ec.EllipticCurvePrivateKey:
        """A new key where the store says; a file of that name is replaced, a token's key that is there is taken."""
        match self._place(name):
            case KeyFile(path):
                key = keys.new_key()
                durable.write_bytes(path, keys.private_pem(key), durable.PRIVATE)
                return key
            case TokenKey() as place:
                from provisioning.authority.token_key import make_token_key

                return make_token_key(place, read_private(place.pin_source, "PIN"))
            case FirmwareKey():
                raise OperatorFault("机构密钥只能在文件或 PKCS#11 令牌中。请改正 keystore.toml。")

    def _place(self, name: str) -> KeyFile | TokenKey | FirmwareKey:
        path = self.folder / FILE
        if not path.exists():
            return KeyFile(self.folder / KEY_NAMES[name])
        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OperatorFault(f"{path} 无法读取（{error}）。请改正或从备份恢复。") from error
        text = told.get(name, KEY_NAMES[name])
        if set(told) - set(KEY_NAMES) or not isinstance(text, str):
            raise OperatorFault(f"{path} 只能写 root 与 issuing 两项。请改正。")
        return parse_key_place(text, self.folder)
