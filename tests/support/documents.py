"""Disclosures for tests, signed by whoever the test says."""

from datetime import UTC, datetime, timedelta
from typing import Any

from agent.wire.disclosures import DISCLOSURE_TYPE, Disclosure, DisclosureKind
from agent.wire.envelope import seal
from agent.wire.identifiers import District
from agent.wire.signing import Signer
from agent.wire.topics import publication_topic


def notice(version: int = 1, text: str = "示例公告正文", **changes: Any) -> Disclosure:
    issued = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    fields: dict[str, Any] = {
        "district": District("xinghe"),
        "audience": "hall-1",
        "kind": DisclosureKind.NOTICE,
        "disclosure_id": "notice-1",
        "version": version,
        "title": "示例公告",
        "publisher": "星河区综合行政执法局",
        "issued_at": issued,
        "effective_from": issued,
        "effective_until": None,
        "withdrawn": None,
        "entries": ({"标题": "示例公告", "正文": text},),
    }
    return Disclosure(**{**fields, **changes})


def signed(document: Disclosure, *signers: Signer) -> bytes:
    return seal(DISCLOSURE_TYPE, document.encode(), signers)


def topic_of(document: Disclosure) -> str:
    return publication_topic(document.district, document.audience, document.kind.value, document.disclosure_id)


def long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)
