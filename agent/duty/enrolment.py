"""Whose card and whose PIN: what a device keeps of an officer so that he can take it out.

Only digests are kept: of a card's number SHA-256 with the certificate (a card's number is no secret and proves only
that the card was there), of a PIN scrypt (RFC 7914) with a salt.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from agent.errors import OperatorFault

PIN = re.compile(r"[0-9]{6,12}")
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1  # RFC 7914 section 2's example for interactive use: 16 MiB
SALT_BYTES = 16
MAX_CERTIFICATE = 64  # characters, ours; 山东省行政执法证 numbers have 11
FREE_TRIES = 3  # ours
WAIT_S, LONGEST_WAIT_S = 30, 3600  # ours: doubles with each further wrong PIN


@dataclass(frozen=True)
class Enrolled:
    """`card` is the digest of `card_digest`, empty without a card; `pin` is `pin_record`, empty without a PIN."""

    certificate: str
    card: str = ""
    pin: str = ""


def card_digest(certificate: str, card: str) -> str:
    """What is kept of a card; `card` is its number in hexadecimal."""
    return hashlib.sha256(f"{certificate}\n{card.strip().upper()}".encode()).hexdigest()


def pin_record(pin: str, salt: bytes) -> str:
    """What is kept of a PIN: salt and scrypt in hexadecimal; raises `OperatorFault` for one that is none."""
    if not PIN.fullmatch(pin):
        raise OperatorFault("PIN 应是 6 至 12 位数字。请重新输入。")
    return f"{salt.hex()}:{_scrypt(pin, salt).hex()}"


def is_pin(pin: str, record: str) -> bool:
    """Whether `pin` is the one of `record`; takes some 50 ms on purpose."""
    salt, _, kept = record.partition(":")
    if not kept or not PIN.fullmatch(pin):
        return False
    return hmac.compare_digest(_scrypt(pin, bytes.fromhex(salt)), bytes.fromhex(kept))


def waiting_s(wrong: int) -> int:
    """Seconds to wait after `wrong` wrong PINs in a row."""
    return 0 if wrong < FREE_TRIES else min(WAIT_S * 2 ** min(wrong - FREE_TRIES, 20), LONGEST_WAIT_S)


def _scrypt(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P, dklen=32)
