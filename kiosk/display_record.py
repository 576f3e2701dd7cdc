"""One line of the log of what the screen showed, and the verification of a whole log. Pure.

    {"key":"…","record":{…},"sig":"…"}

Every line is canonical JSON, signed by the screen's device key over its record (DSSE pre-authentication encoding) and
chained to the line before: `prev` is that line's SHA-256. How long a page was shown says `kiosk.display_spans`.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.device_events import GENESIS
from agent.wire.envelope import pre_authentication_encoding
from agent.wire.identifiers import Digest, digest
from agent.wire.instant import TimeState
from agent.wire.signing import Signer, der_from_raw, verify_der

RECORD_TYPE = "application/vnd.liuhen.display+json"

FindKey = Callable[[str], ec.EllipticCurvePublicKey]
"""The public key of a key id; raises `SenderFault` for one that is not this screen's."""


class What(StrEnum):
    """What a line says."""

    STARTED = "started"
    SHOWN = "shown"
    PAINTED = "painted"
    PIXELS = "pixels"
    RESTARTED = "restarted"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Line:
    """`number` counts from 1 without a gap; `facts` depend on `what`:

    shown     path, tag, html (SHA-256, empty for a page that a citizen types into), bundle, template, state, large,
              documents (`kind.id@version`), windows ([number, state, certificate])
    painted   last, lastms: when the page of before was last said to be painted (wall and monotonic clock); a line every
              few minutes, and one when no page has told for some seconds
    pixels    tag, match: whether the stamp of `tag` was read from the screen's own pixels
    restarted reason: why the browser was started again
    """

    number: int
    prev: Digest
    what: What
    at: datetime
    clock: TimeState
    boot: str
    monotonic_ms: int
    facts: Mapping[str, Any]

    def encode(self) -> bytes:
        """Canonical bytes, which are signed."""
        return canonical.encode(
            {
                "at": canonical.timestamp(self.at),
                "boot": self.boot,
                "clock": self.clock.value,
                "facts": dict(self.facts),
                "monoms": self.monotonic_ms,
                "number": self.number,
                "prev": self.prev,
                "what": self.what.value,
            }
        )


def signed_line(line: Line, signer: Signer) -> bytes:
    """The bytes of the line in the file, without its newline."""
    record = line.encode()
    signature = der_from_raw(signer.sign(pre_authentication_encoding(RECORD_TYPE, record)))
    signed = {"key": signer.key_id, "record": canonical.decode(record), "sig": base64.b64encode(signature).decode()}
    return canonical.encode(signed)


def line_hash(content: bytes) -> Digest:
    """What the next line carries as `prev`."""
    return Digest(hashlib.sha256(content).hexdigest())


def read_line(content: bytes, find: FindKey) -> Line:
    """The verified line in `content`; raises `SenderFault`."""
    fields = Fields("展示记录", canonical.decode(content))
    record = canonical.encode(fields.object("record"))
    try:
        signature = base64.b64decode(fields.text("sig"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SenderFault("签名无法读取。") from error
    verify_der(find(fields.text("key")), signature, pre_authentication_encoding(RECORD_TYPE, record))
    return _parse(Fields("展示记录", fields.object("record")))


def _parse(fields: Fields) -> Line:
    try:
        what, clock = What(fields.text("what")), TimeState(fields.text("clock"))
    except ValueError as error:
        raise SenderFault("记录的种类或时间状态未知。") from error
    return Line(
        fields.integer("number", 1),
        digest(fields.text("prev")),
        what,
        fields.moment("at"),
        clock,
        fields.text("boot"),
        fields.integer("monoms"),
        fields.object("facts"),
    )


@dataclass(frozen=True)
class Head:
    """How far a log has come: the number and the hash of its last line."""

    number: int = 0
    digest: Digest = GENESIS


@dataclass(frozen=True)
class VerifiedLog:
    """Every line of a log, in order, and where it ends."""

    lines: tuple[Line, ...]
    head: Head


def verify_log(contents: Iterable[bytes], find: FindKey, heads: Iterable[Head] = ()) -> VerifiedLog:
    """The log in `contents`, line by line. `heads` are those that the centre holds: the log must contain each of them.

    Raises `SenderFault` naming the first line that was altered, is missing, or was cut off.
    """
    lines: list[Line] = []
    head, hashes = Head(), {0: GENESIS}
    for content in contents:
        wanted = head.number + 1
        try:
            line = read_line(content, find)
        except SenderFault as fault:
            raise SenderFault(f"展示记录第 {wanted} 条被改动或损坏：{fault}") from fault
        if line.number != wanted:
            raise SenderFault(f"展示记录缺少第 {wanted} 条：其后是第 {line.number} 条。")
        if line.prev != head.digest:
            raise SenderFault(f"展示记录第 {wanted} 条与前一条不衔接：前一条被改动或替换。")
        head = Head(wanted, line_hash(content))
        hashes[wanted] = head.digest
        lines.append(line)
    for told in heads:
        if told.number > head.number:
            raise SenderFault(f"展示记录被截短：中心收到过第 {told.number} 条，现只有 {head.number} 条。")
        if hashes[told.number] != told.digest:
            raise SenderFault(f"展示记录第 {told.number} 条与中心收到的不同：记录被整体替换。")
    return VerifiedLog(tuple(lines), head)
