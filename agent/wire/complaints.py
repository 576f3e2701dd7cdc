"""What a citizen tells at a kiosk, closed for the centre the moment it is told.

A complaint is HPKE (RFC 9180: DHKEM P-256, HKDF-SHA256, ChaCha20-Poly1305, base mode) to the centre's complaint key:
the kiosk cannot read it again. For ten minutes a second copy, closed with a key that only the receipt's code gives,
lets the citizen change or take it back (MIIT's rule for acts with legal effect; reference/kiosk.md 1.4).
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields

CATEGORIES = ("服务态度", "办理超时", "未出示证件", "多收费用", "公示不实", "其他")
MAX_TEXT, MAX_PHONE, MAX_ABOUT = 500, 20, 64  # characters; reference/kiosk.md 3.2
CODE_BYTES = 10  # 80 bits: 16 characters of base 32, as on a receipt of a recording
_SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_INFO = b"liuhen complaint v1"
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}  # RFC 7914 section 2, as agent.duty.enrolment


@dataclass(frozen=True)
class Complaint:
    """`about` is a window, a person or an item in the citizen's words; `text` and `phone` may be empty."""

    category: str
    about: str
    text: str
    phone: str
    hall: str
    written: datetime

    def encode(self) -> bytes:
        """Canonical plain bytes; they are never written anywhere."""
        return canonical.encode(
            {
                "about": self.about,
                "category": self.category,
                "hall": self.hall,
                "phone": self.phone,
                "text": self.text,
                "written": canonical.timestamp(self.written),
            }
        )


def check_complaint(complaint: Complaint) -> Complaint:
    """Return `complaint` when it is within its limits; raises `SenderFault`."""
    if complaint.category not in CATEGORIES:
        raise SenderFault("请先选择投诉类别。")
    if len(complaint.text) > MAX_TEXT or len(complaint.about) > MAX_ABOUT:
        raise SenderFault(f"文字最多 {MAX_TEXT} 字。请缩短后再提交。")
    phone = complaint.phone
    if len(phone) > MAX_PHONE or not all(sign.isdigit() or sign in "+- " for sign in phone):
        raise SenderFault("电话号码只能有数字。请改正，或不填。")
    return complaint


def seal_complaint(complaint: Complaint, centre: ec.EllipticCurvePublicKey) -> str:
    """Base64 of the complaint that only the holder of the centre's key can open."""
    return base64.b64encode(_SUITE.encrypt(check_complaint(complaint).encode(), centre, _INFO)).decode()


def open_complaint(sealed: str, key: ec.EllipticCurvePrivateKey) -> Complaint:
    """The complaint in what `seal_complaint` gave; raises `SenderFault` when it is damaged or for another key."""
    try:
        plain = _SUITE.decrypt(base64.b64decode(sealed, validate=True), key, _INFO)
    except (ValueError, InvalidTag) as error:
        raise SenderFault("投诉内容无法解密：不是给这把密钥的，或已损坏。请核对投诉密钥。") from error
    return _parse(plain)


def hold_complaint(complaint: Complaint, code: bytes) -> bytes:
    """The copy that `code` (`CODE_BYTES` fresh random bytes, used for this one copy) opens again."""
    return ChaCha20Poly1305(_held_key(code)).encrypt(bytes(12), complaint.encode(), _INFO)


def held_complaint(held: bytes, code: bytes) -> Complaint:
    """The complaint in what `hold_complaint` gave; raises `SenderFault` for another code."""
    try:
        return _parse(ChaCha20Poly1305(_held_key(code)).decrypt(bytes(12), held, _INFO))
    except InvalidTag as error:
        raise SenderFault("没有这个投诉编号，或已过可修改的时间。请对照回执核对。") from error


def complaint_name(code: bytes) -> str:
    """What the kiosk and the centre call a complaint: says nothing about its code."""
    return hashlib.sha256(_INFO + code).hexdigest()[:24]


def _held_key(code: bytes) -> bytes:
    return hashlib.scrypt(code, salt=_INFO, **_SCRYPT)


def _parse(plain: bytes) -> Complaint:
    fields = Fields("投诉", canonical.decode(plain))
    what = (fields.text("category"), fields.text("about"), fields.text("text"), fields.text("phone"))
    return Complaint(*what, fields.text("hall"), fields.moment("written"))
