"""The page with which a citizen checks an officer's code on a phone (亮证), as one file: `check.html` of the portal.

Keys of the district's recorders and the published personnel list are in it, and the browser's own cryptography (W3C
Web Cryptography, ECDSA over P-256) verifies: nothing is sent anywhere, and a page once opened needs no network. It
decides as `agent.duty.identity_code.check_code` does. What is in the page rests on the website that served it.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.duty.case_facts import Label
from agent.duty.identity_code import DOMAIN, GOOD_FOR, MAX_CHARACTERS, PREFIX, SKEW
from agent.duty.labels import LABEL_WORDS
from agent.duty.roster import CHECK_VALID_YEARS, AnnualCheck, Officer, Roster
from agent.wire.trust import Credential, Role, TrustList
from kiosk.beijing import minute_text
from kiosk.people import officer_fields

PHONE_PAGE = "check.html"
STALE_DAYS = 30  # ours: as long as a kiosk shows what it has without a network
TEMPLATES = Path(__file__).with_name("templates")


def phone_page(trust: TrustList, roster: Roster | None, made: datetime, phone: str) -> bytes:
    """The page for the recorders of `trust` and the officers of `roster`, as of `made`; `phone` takes complaints."""
    page, style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("check.html", "check.css", "check.js")
    )
    told = json.dumps(_told(trust, roster, made), ensure_ascii=False).replace("<", "\\u003c")
    words = {"prefix": PREFIX, "made": minute_text(made), "phone": escape(phone)}
    hashes = {"style_hash": _hash(style), "script_hash": _hash(script)}
    return Template(page).substitute(style=style, script=script, told=told, **words, **hashes).encode()


def _told(trust: TrustList, roster: Roster | None, made: datetime) -> Mapping[str, Any]:
    officers = {} if roster is None else roster.officers
    labels = {"absent": Label.NOT_ON_ROSTER, "expired": Label.CERTIFICATE_EXPIRED, "unchecked": Label.CHECK_MISSING}
    return {
        "prefix": PREFIX,
        "domain": DOMAIN.decode(),
        "most": MAX_CHARACTERS,
        "district": trust.district,
        "skew": _milliseconds(SKEW.total_seconds()),
        "good_for": _milliseconds((GOOD_FOR + SKEW).total_seconds()),
        "made": _milliseconds(made.timestamp()),
        "stale": STALE_DAYS * 86_400_000,
        "keys": list(_keys(trust)),
        "listed": roster is not None,
        "officers": {number: _officer(one) for number, one in officers.items()},
        "words": {name: LABEL_WORDS[label] for name, label in labels.items()},
    }


def _keys(trust: TrustList) -> Iterator[Mapping[str, Any]]:
    for one in trust.credentials.values():
        if one.role is Role.RECORDER:
            key = one.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            yield {"device": one.subject, "key": base64.b64encode(key).decode(), **_term(one)}


def _term(one: Credential) -> Mapping[str, int]:
    begin, end = one.certificate.not_valid_before_utc, one.certificate.not_valid_after_utc
    last = end if one.revoked_at is None else min(end, one.revoked_at)
    return {"from": _milliseconds(begin.timestamp()), "until": _milliseconds(last.timestamp())}


def _officer(one: Officer) -> Mapping[str, Any]:
    year = one.check_year
    years = [0, 9999] if year is None else [year, year + CHECK_VALID_YEARS]
    checked = years if one.check is AnnualCheck.PASSED else None
    return {"unit": one.unit, "until": str(one.valid_until), "checked": checked, "fields": officer_fields(one)}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
