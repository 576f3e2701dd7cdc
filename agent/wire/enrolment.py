"""How a device asks to become one of the district, and what it is answered: over HTTPS, a cable or a USB stick alike.

request   canonical JSON, 16 KiB at most: two PKCS#10 requests, what the computer is, and a proof that the card's token
          is here; the token itself never travels
reply     JSON: `{"answer": envelope, "trust": envelope}`, the one sealed by the issuing CA and the other by the root,
          or `{"refused": code, "text": line for people}`

A token is used up by the first request that it proves. The very same request (by its digest) is answered again, so
that a device whose power went before the answer was on its disk asks once more; any other request is refused.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from cryptography import x509

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.authority_seal import open_by_authority
from agent.wire.canonical import Fields
from agent.wire.card_bundle import hardware_serial, short_text
from agent.wire.envelope import MAX_ENVELOPE_BYTES, MAX_TRUST_LIST_BYTES
from agent.wire.identifiers import DeviceId, Digest, District, device_id, digest, district

ANSWER_TYPE = "application/vnd.liuhen.enrolment+json"
MAX_REQUEST_BYTES = 16 * 1024  # ours; one is some 2 KiB
MAX_REPLY_BYTES = MAX_ENVELOPE_BYTES + MAX_TRUST_LIST_BYTES + 64 * 1024  # ours: both envelopes and their escapes
MAX_FACTS, MAX_FACT = 16, 120  # ours
MAX_PEM = 8 * 1024  # ours: a P-256 request or chain of two is below 3 KiB
ANSWER_FILES = frozenset({"agent.toml", "kiosk.toml", "archive.pub", "complaint.pub"})
_PROOF = b"liuhen enrolment request 1\0"


class Refusal(StrEnum):
    """Why a request was not granted; what to do next is in `REFUSED`."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown-device"
    HARDWARE = "hardware"
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"
    KEY = "key"
    STATE = "state"
    BUSY = "busy"


REFUSED = {
    Refusal.MALFORMED: "入网申请无法读取。请重新启动设备，让它再申请一次。",
    Refusal.UNKNOWN: "机构没有登记这台设备。请先运行 add-device，再重新写卡。",
    Refusal.HARDWARE: "硬件序列号与登记的不符。请换上本机自己的卡，或核对登记。",
    Refusal.TOKEN: "入网口令不对。请用 write-card 重新写卡。",
    Refusal.USED: "入网口令已经用过。若不是本机所用，请立即报告；否则请重新写卡。",
    Refusal.EXPIRED: "入网口令已过期。请用 write-card 重新写卡。",
    Refusal.REVOKED: "设备已被吊销。请向发证机构查明原因。",
    Refusal.KEY: "提交的公钥不能用。请重新写卡，让设备重新生成密钥。",
    Refusal.STATE: "设备现在的状态不能入网。请用 inventory 查看其状态。",
    Refusal.BUSY: "发证机构正忙。请稍候，设备会自动再试。",
}


@dataclass(frozen=True)
class EnrolmentRequest:
    """`tls` and `evidence` are PKCS#10 PEM for two different keys, made on the device; `hardware` is the serial number
    the device read of itself; `facts` what else it says it is (model, version, ...); `proof` is hex, see `prove`."""

    device: DeviceId
    district: District
    hardware: str
    tls: str
    evidence: str
    facts: Mapping[str, str]
    made_at: datetime
    proof: str = ""

    def encode(self) -> bytes:
        """Canonical bytes, as they are sent."""
        return canonical.encode(self._body() | {"proof": self.proof})

    def prove(self, bound: bytes) -> "EnrolmentRequest":
        """The request with its proof, by the key of `card_bundle.bound_token`."""
        return replace(self, proof=self._proof(bound))

    def proven(self, bound: bytes) -> "EnrolmentRequest":
        """Return self when `bound` proves it; raises `SenderFault` (code `token`) otherwise."""
        if not hmac.compare_digest(self.proof, self._proof(bound)):
            raise SenderFault(REFUSED[Refusal.TOKEN], Refusal.TOKEN)
        return self

    def _proof(self, bound: bytes) -> str:
        return hmac.digest(bound, _PROOF + canonical.encode(self._body()), "sha256").hex()

    def _body(self) -> dict[str, object]:
        return {
            "device": self.device,
            "district": self.district,
            "evidence": self.evidence,
            "facts": dict(self.facts),
            "hardware": self.hardware,
            "made_at": canonical.timestamp(self.made_at),
            "tls": self.tls,
        }


@dataclass(frozen=True)
class EnrolmentAnswer:
    """Granted to `device`: chains (PEM, leaf first) for the keys of the request with digest `request`, and the files
    its folder gets, by name (`ANSWER_FILES`)."""

    device: DeviceId
    request: Digest
    tls: str
    evidence: str
    files: Mapping[str, str]
    issued_at: datetime

    def encode(self) -> bytes:
        """Canonical payload for the authority to seal."""
        return canonical.encode(
            {
                "device": self.device,
                "evidence": self.evidence,
                "files": dict(self.files),
                "issued_at": canonical.timestamp(self.issued_at),
                "request": self.request,
                "tls": self.tls,
            }
        )


@dataclass(frozen=True)
class Reply:
    """What a granted request is answered with: two envelopes, not yet verified."""

    answer: bytes
    trust: bytes

    def encode(self) -> bytes:
        """The bytes that travel."""
        document = {"answer": self.answer.decode(), "trust": self.trust.decode()}
        return json.dumps(document, separators=(",", ":")).encode()


def request_digest(data: bytes) -> Digest:
    """What an answer names its request by: SHA-256 of the request's bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def parse_request(data: bytes) -> EnrolmentRequest:
    """A request, its proof not yet verified; raises `SenderFault` (code `malformed`) for anything else."""
    if len(data) > MAX_REQUEST_BYTES:
        raise SenderFault(f"入网申请超过 {MAX_REQUEST_BYTES // 1024} KiB，已拒绝。", Refusal.MALFORMED)
    try:
        return _request(Fields("入网申请", canonical.decode(data)))
    except SenderFault as fault:
        raise SenderFault(str(fault), Refusal.MALFORMED) from fault


def refusal(code: Refusal, text: str = "") -> bytes:
    """The reply that refuses; without `text` it is the code's own line."""
    return json.dumps({"refused": code.value, "text": text or REFUSED[code]}, ensure_ascii=False).encode()


def parse_reply(data: bytes) -> Reply:
    """The two envelopes of a reply; raises `SenderFault` with the refusal's code, or `malformed`."""
    if len(data) > MAX_REPLY_BYTES:
        raise SenderFault("入网答复过大，已拒绝。", Refusal.MALFORMED)
    try:
        fields = Fields("入网答复", json.loads(data.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        raise SenderFault("入网答复无法读取，已拒绝。请再试一次。", Refusal.MALFORMED) from error
    if fields.has("refused"):
        raise SenderFault(f"发证机构未同意入网：{short_text(fields, 'text')}", _code(fields.text("refused")))
    return Reply(fields.text("answer").encode(), fields.text("trust").encode())


def open_answer(data: bytes, issuing: x509.Certificate, root: x509.Certificate, now: datetime) -> EnrolmentAnswer:
    """The verified answer in a reply's first envelope; raises `SenderFault`."""
    return parse_answer(open_by_authority(data, ANSWER_TYPE, issuing, root, now))


def parse_answer(payload: bytes) -> EnrolmentAnswer:
    """The answer in an opened envelope's payload; raises `SenderFault` when malformed or with a file it may not
    bring."""
    fields = Fields("入网答复", canonical.decode(payload))
    return EnrolmentAnswer(
        device_id(fields.text("device")),
        digest(fields.text("request")),
        pem_text(fields, "tls"),
        pem_text(fields, "evidence"),
        _files(Fields("入网答复的文件", fields.object("files")), fields.object("files")),
        fields.moment("issued_at"),
    )


def for_request(answer: EnrolmentAnswer, device: DeviceId, request: bytes) -> EnrolmentAnswer:
    """Return `answer` when it answers this very request of `device`; raises `SenderFault` for another's or an old
    one."""
    if answer.device != device or answer.request != request_digest(request):
        raise SenderFault("这份答复不是给本机这次申请的，已拒绝。请取回对应的答复。", "other-request")
    return answer


def _request(fields: Fields) -> EnrolmentRequest:
    facts = Fields("设备情况", fields.object("facts"))
    names = list(fields.object("facts"))
    if len(names) > MAX_FACTS or any(len(name) > MAX_FACT for name in names):
        raise SenderFault(f"设备情况超过 {MAX_FACTS} 项，已拒绝。")
    return EnrolmentRequest(
        device_id(fields.text("device")),
        district(fields.text("district")),
        hardware_serial(fields.text("hardware")),
        pem_text(fields, "tls"),
        pem_text(fields, "evidence"),
        {name: short_text(facts, name, MAX_FACT) for name in names},
        fields.moment("made_at"),
        digest(fields.text("proof")),
    )


def _files(fields: Fields, given: Mapping[str, object]) -> dict[str, str]:
    strange = sorted(set(given) - ANSWER_FILES)
    if strange:
        raise SenderFault(f"答复带有不该有的文件 {strange[0][:40]}，已拒绝。")
    return {name: fields.text(name) for name in given}


def pem_text(fields: Fields, name: str) -> str:
    """A certificate chain or request as it travels; raises `SenderFault` when it is none by its look."""
    text = fields.text(name)
    if len(text) > MAX_PEM or not text.startswith("-----BEGIN CERTIFICATE"):
        raise SenderFault(f"字段 {name} 不是 PEM 证书或证书请求，已拒绝。")
    return text


def _code(text: str) -> str:
    return text if text in Refusal.__members__.values() else Refusal.MALFORMED.value
