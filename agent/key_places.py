"""Where a signing key is: a file, a PKCS#11 token or the Raspberry Pi's firmware, as one line of a configuration says.

    evidence.key   file:evidence.key          PKCS8 PEM, 0600
    pkcs11:token=REC-0001;object=evidence;id=%01?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=token.pin
    fwcrypto:1                                OTP key 1 of `rpi-fw-crypto`; fwcrypto:1?command=... for another program

PKCS#11 URIs are those of RFC 7512. A PIN stands in a 0600 file that `pin-source` names; `pin-value` is refused, for a
configuration is printed and copied. This file reads text and touches no disk.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from agent.errors import OperatorFault

FIRMWARE_COMMAND = "rpi-fw-crypto"  # of raspberrypi/utils, rpifwcrypto
MAX_FIRMWARE_KEY = 15  # ours; a Pi 5 has one slot, number 1
_PATH_KEYS = frozenset({"token", "object", "id", "type"})
_QUERY_KEYS = frozenset({"module-path", "pin-source"})


@dataclass(frozen=True)
class KeyFile:
    """A private key in a PKCS8 PEM file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class TokenKey:
    """A private key in a PKCS#11 token: by its label and, where given, its id. `module` is the token's library."""

    module: Path
    token: str
    label: str | None
    key_id: bytes | None
    pin_source: Path

    def __str__(self) -> str:
        return f"pkcs11:token={self.token};object={self.label or ''}"


@dataclass(frozen=True)
class FirmwareKey:
    """A one-time-programmable key that only the firmware reads; `command` is the program that asks it to sign."""

    number: int
    command: str = FIRMWARE_COMMAND

    def __str__(self) -> str:
        return f"fwcrypto:{self.number}"


KeyPlace = KeyFile | TokenKey | FirmwareKey


def parse_key_place(text: str, folder: Path) -> KeyPlace:
    """The place that `text` names, paths resolved against `folder`; raises `OperatorFault`."""
    scheme, colon, rest = text.partition(":")
    match scheme if colon else "file":
        case "pkcs11":
            return _token_key(rest, folder)
        case "fwcrypto":
            return _firmware_key(rest, folder)
        case "file":
            return _key_file(rest if colon else text, folder)
    raise OperatorFault(f"不认识的密钥位置 {scheme}:，可用 file:、pkcs11: 与 fwcrypto:。")


def _key_file(text: str, folder: Path) -> KeyFile:
    if not text:
        raise OperatorFault("密钥位置没有写文件名，应形如 evidence.key。")
    return KeyFile(folder / text)


def _token_key(text: str, folder: Path) -> TokenKey:
    path, _, query = text.partition("?")
    where, how = _attributes(path, ";", _PATH_KEYS), _attributes(query, "&", _QUERY_KEYS)
    given = where.keys() | how.keys()
    missing = [name for name in ("token", "module-path", "pin-source") if name not in given]
    if missing or not {"object", "id"} & where.keys() or where.get("type", "private") != "private":
        wanted = "、".join(missing) or "object 或 id（type 只能是 private）"
        raise OperatorFault(f"pkcs11: 密钥位置缺少 {wanted}，请按 RFC 7512 补上。")
    key_id = unquote_to_bytes(where["id"]) if "id" in where else None
    label = unquote(where["object"]) if "object" in where else None
    pin = unquote(how["pin-source"]).removeprefix("file:")
    return TokenKey(folder / unquote(how["module-path"]), unquote(where["token"]), label, key_id, folder / pin)


def _attributes(text: str, separator: str, known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if name == "pin-value":
            raise OperatorFault("PIN 不得写进配置，请写进一个 0600 文件，并用 pin-source= 指明。")
        if name not in known or not equals or not value or name in found:
            raise OperatorFault(
                f"pkcs11: 密钥位置中的 {name[:40]} 不认识或写了两次，可用：{'、'.join(sorted(known))}。"
            )
        found[name] = value
    return found


def _firmware_key(text: str, folder: Path) -> FirmwareKey:
    number, _, query = text.partition("?")
    if not number.isascii() or not number.isdigit() or int(number) > MAX_FIRMWARE_KEY:
        raise OperatorFault("fwcrypto: 之后应是密钥编号，例如 fwcrypto:1。")
    command = _attributes(query, "&", frozenset({"command"})).get("command", FIRMWARE_COMMAND)
    place = unquote(command)
    return FirmwareKey(int(number), str(folder / place) if "/" in place else place)
