"""The `gm` profile: SM3 sums and an SM2 signature beside a recording, besides everything else, never instead of it.

    SM3SUMS       a comment with the algorithm ids and the key, then a line per file in the tagged form of cksum(1)
    SM3SUMS.sm2   an SM2 signature with SM3 over SM3SUMS, DER
    sm2.pub       the public key, PEM

    cksum -a sm3 -c SM3SUMS
    openssl dgst -sm3 -verify sm2.pub -sigopt distid:1234567812345678 -signature SM3SUMS.sm2 SM3SUMS

It is an integrity signature of a device (设备完整性签名) with SM2 and SM3, not an electronic seal, and no 密评 result
is claimed. The SM2 key has no certificate: its id is signed, by the device's certified key, into every segment's
manifest (context "sm2_key"): that ties the public key which lies beside the recording to the device. The sums speak of
files as the device sealed them, as those of SHA-256 do.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from cryptography.hazmat.primitives import hashes

SM3SUMS_NAME, SM2_SIGNATURE_NAME, SM2_PUBLIC_NAME = "SM3SUMS", "SM3SUMS.sm2", "sm2.pub"
NAMES = (SM3SUMS_NAME, SM2_SIGNATURE_NAME, SM2_PUBLIC_NAME)
DISTINGUISHING_ID = b"1234567812345678"  # GM/T 0009-2012 section 10: the default user id
SM2_SM3, SM3 = "1.2.156.10197.1.501", "1.2.156.10197.1.401"  # GM/T 0006-2012: SM2 with SM3, SM3
PROFILE_LABEL, KEY_LABEL, UNAVAILABLE = "profile", "sm2_key", "unavailable"
DEFAULT_PROFILE, GM_PROFILE = "default", "gm"


class GmSigner(Protocol):
    """An SM2 key somewhere."""

    @property
    def key_id(self) -> str:
        """Lower-case hex SHA-256 of the DER SubjectPublicKeyInfo."""

    @property
    def public_key(self) -> bytes:
        """The DER SubjectPublicKeyInfo."""

    def sign(self, data: bytes) -> bytes:
        """SM2 with SM3 over `data`, DER, distinguishing id `DISTINGUISHING_ID`. Raises `EnvironmentFault`."""


def new_sm3() -> hashes.Hash:
    """An SM3 to be fed."""
    return hashes.Hash(hashes.SM3())


def sm3(chunks: Iterable[bytes]) -> str:
    """The SM3 (GB/T 32905) of what `chunks` make together, in hex."""
    whole = new_sm3()
    for chunk in chunks:
        whole.update(chunk)
    return whole.finalize().hex()


def sm3sums(digests: Mapping[str, str], key_id: str) -> bytes:
    """`SM3SUMS` for plain file names, in order."""
    head = f"# sm2-with-sm3 {SM2_SM3} distid {DISTINGUISHING_ID.decode()} key {key_id}; sm3 {SM3}\n"
    return (head + "".join(f"SM3 ({name}) = {digest}\n" for name, digest in sorted(digests.items()))).encode()


def listed_names(sums: bytes) -> list[str]:
    """The file names in an `SM3SUMS`; only names without a folder."""
    found = re.findall(r"^SM3 \(([^/\n]+)\) = [0-9a-f]{64}$", sums.decode(errors="replace"), re.MULTILINE)
    return [name for name in found if name not in (".", "..")]


def public_pem(key: bytes) -> bytes:
    """A DER SubjectPublicKeyInfo as PEM (RFC 7468): `sm2.pub`."""
    text = base64.b64encode(key).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]).encode()


def labels(key_id: str | None) -> dict[str, str]:
    """What is signed into a recording of the `gm` profile; `key_id` is None when SM2 cannot be done on this device."""
    return {PROFILE_LABEL: GM_PROFILE, KEY_LABEL: key_id or UNAVAILABLE}
