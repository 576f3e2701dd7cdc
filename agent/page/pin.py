"""The PIN of the officer's page: only its scrypt hash is kept, in `page/pin.json` of the state folder."""

import hashlib
import hmac
import itertools
import json
import os
import re
from pathlib import Path

from agent import durable
from agent.errors import OperatorFault

PIN_NAME, TRIES_NAME = "pin.json", "tries.json"
PIN = re.compile(r"[0-9]{6,12}")
COST, BLOCK, PARALLEL = 2**14, 8, 1  # RFC 7914 section 2: 16 MiB, some 0.05 s here, below 1 s on a small board
SALT_BYTES, MOST_MEMORY = 16, 64 * 2**20
DISTINCT = 3  # ours: 111111 and 121212 are no secret


class PinFile:
    """The hash and the count of wrong tries, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def set(self, pin: str) -> Path:
        """Keep the hash of `pin`; raises `OperatorFault` for one that is too short or too plain."""
        steps = {ord(after) - ord(before) for before, after in itertools.pairwise(pin)}
        if not PIN.fullmatch(pin) or len(set(pin)) < DISTINCT or steps in ({1}, {-1}):
            raise OperatorFault("PIN 应为 6 至 12 位数字，且不能是 111111、123456 之类。请换一个再试。")
        salt = os.urandom(SALT_BYTES)
        kept = {"salt": salt.hex(), "n": COST, "r": BLOCK, "p": PARALLEL, "hash": _hash(pin, salt, COST).hex()}
        durable.make_directory(self._folder)
        place = durable.write_bytes(self._folder / PIN_NAME, json.dumps(kept).encode(), durable.PRIVATE)
        self.keep_tries(0)
        return place

    def mark(self) -> str:
        """A text that changes with the PIN; raises `OperatorFault` when none was ever set."""
        return self._read()["salt"].hex()

    def is_right(self, pin: str) -> bool:
        """Whether `pin` is the one; takes as long as scrypt takes, whatever it is."""
        kept = self._read()
        return hmac.compare_digest(_hash(pin[:64], kept["salt"], COST), kept["hash"])

    def tries(self) -> int:
        """Wrong tries in a row so far; a file that cannot be read counts as many."""
        place = self._folder / TRIES_NAME
        try:
            return int(json.loads(place.read_bytes())) if place.exists() else 0
        except (OSError, ValueError, TypeError):
            return 10

    def keep_tries(self, count: int) -> None:
        """Keep the count, before the try that it counts is looked at; raises `EnvironmentFault`."""
        durable.write_bytes(self._folder / TRIES_NAME, json.dumps(count).encode(), durable.PRIVATE)

    def _read(self) -> dict[str, bytes]:
        try:
            kept = json.loads((self._folder / PIN_NAME).read_bytes())
            return {name: bytes.fromhex(kept[name]) for name in ("salt", "hash")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OperatorFault("还没有设置本机页面的 PIN。请先运行 liuhen-agent pin --config agent.toml。") from error


def _hash(pin: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=cost, r=BLOCK, p=PARALLEL, maxmem=MOST_MEMORY)
