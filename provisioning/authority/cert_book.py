"""The certificates in the authority's database: who holds which, and the version of the trust list that follows."""

from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from agent.errors import OperatorFault
from agent.wire.canonical import parse_timestamp, timestamp
from agent.wire.identifiers import District, KeyId
from agent.wire.instant import BEIJING
from provisioning.authority.audit_chain import FOUNDING, Act, Row
from provisioning.authority.certificates import Profile, nearly_over
from provisioning.authority.records import Records
from provisioning.authority.register import PROFILES, Entry, Register
from provisioning.authority.subjects import DEVICE_ROLES

REVOKED = "certificates-revoked"
_LIVE = "subject = ? AND profile = ? AND revoked_at IS NULL AND superseded_at IS NULL"


def found(records: Records, register: Register) -> None:
    """Write the first row of a new authority; an older one's register is taken over with it."""
    with records.transaction():
        row = {
            "district": register.district,
            "name": register.name,
            "version": register.version,
            "issued_at": timestamp(register.issued_at),
        }
        records.insert("authority", {"one": 1, **row})
        for entry in register.entries:
            records.insert("cert", _row(entry))
        facts = {"certificates": len(register.entries), "trust_version": register.version}
        records.audit(Act(register.issued_at, "init-ca", FOUNDING, register.district, facts))


def read_register(records: Records, *, entries: bool = True) -> Register:
    """The register as it stands; without `entries` only what it is called."""
    rows = records.rows("SELECT * FROM authority")
    if not rows:
        raise OperatorFault("机构数据库是空的。请重新运行 init-ca，或从备份恢复机构目录。")
    kept = tuple(map(_entry, records.rows("SELECT * FROM cert ORDER BY rowid"))) if entries else ()
    row = rows[0]
    place = District(row["district"])
    return Register(place, row["name"], row["version"], parse_timestamp(row["issued_at"]), kept)


def is_founded(records: Records) -> bool:
    """Whether there is an authority in the database."""
    return bool(records.rows("SELECT 1 FROM authority"))


def live(records: Records, subject: str, profile: Profile) -> Entry | None:
    """The certificate of `subject` in `profile` that is neither revoked nor superseded."""
    rows = records.rows(f"SELECT * FROM cert WHERE {_LIVE}", subject, profile.label)  # noqa: S608
    return _entry(rows[0]) if rows else None


def ending(records: Records, now: datetime) -> list[Entry]:
    """Live certificates that are nearly over, of everybody but devices, which renew theirs by themselves."""
    sql = "SELECT * FROM cert WHERE revoked_at IS NULL AND superseded_at IS NULL ORDER BY subject"
    entries = (_entry(row) for row in records.rows(sql) if row["role"] not in DEVICE_ROLES.values())
    return [entry for entry in entries if nearly_over(entry.certificate, now)]


def holds_any(records: Records, subject: str) -> bool:
    """Whether `subject` has a certificate that is not revoked."""
    return bool(records.rows("SELECT 1 FROM cert WHERE subject = ? AND revoked_at IS NULL LIMIT 1", subject))


def knows(records: Records, subject: str) -> bool:
    """Whether `subject` ever had a certificate."""
    return bool(records.rows("SELECT 1 FROM cert WHERE subject = ? LIMIT 1", subject))


def by_key(records: Records, key: KeyId) -> Entry | None:
    """The certificate of a public key."""
    rows = records.rows("SELECT * FROM cert WHERE key_id = ?", key)
    return _entry(rows[0]) if rows else None


def add(records: Records, entry: Entry, by: str) -> None:
    """One more certificate; raises `OperatorFault` when its subject holds one or the key is taken."""
    with records.transaction():
        if live(records, entry.subject, entry.profile) is not None:
            raise OperatorFault(f"{entry.subject} 已有有效的 {entry.profile.label} 证书。换证请先 revoke 再签发。")
        if by_key(records, entry.key_id) is not None:
            raise OperatorFault(f"{entry.subject} 提交的公钥已经用过，一把密钥只能有一个用途。请生成新密钥。")
        records.insert("cert", _row(entry))
        if entry.signs:
            _next_version(records, entry.issued_at)
        records.audit(Act(entry.issued_at, by, "certificate-issued", entry.subject, _told(entry)))


def note_shown(records: Records, key: KeyId, now: datetime) -> None:
    """The bearer of `key` has shown its certificate to us: it has taken it into use. The first time counts."""
    if not was_shown(records, key):
        records.rows("INSERT OR IGNORE INTO shown (key_id, at) VALUES (?, ?)", key, timestamp(now))


def was_shown(records: Records, key: KeyId) -> bool:
    """Whether anybody has shown the certificate of `key`."""
    return bool(records.rows("SELECT 1 FROM shown WHERE key_id = ?", key))


def supersede(records: Records, subject: str, profile: Profile, now: datetime) -> None:
    """The live certificate of `subject` gives way to the next one; it stays usable until it is revoked or over."""
    records.rows(f"UPDATE cert SET superseded_at = ? WHERE {_LIVE}", timestamp(now), subject, profile.label)  # noqa: S608


def revoke(records: Records, subject: str, reason: str, now: datetime, by: str, since: datetime | None = None) -> bool:
    """Revoke every certificate of `subject` as from `since` (None: `now`); returns whether any was still good. The
    first moment and reason stand, unless `since` puts the moment of the last revocation right.

    Raises `OperatorFault` when it never had one, and for a moment that is to come or before its first certificate.
    """
    with records.transaction():
        if not knows(records, subject):
            raise OperatorFault(f"登记簿中没有 {subject}。请用 trust 查看全部名单。")
        if since is not None:
            _refuse_moment(records, subject, since, now)
        good = records.rows("SELECT serial FROM cert WHERE subject = ? AND revoked_at IS NULL", subject)
        if good:
            sql = "UPDATE cert SET revoked_at = ?, reason = ? WHERE subject = ? AND revoked_at IS NULL"
            records.rows(sql, timestamp(since or now), reason, subject)
            _next_version(records, now)
            facts = {"reason": reason, "serials": [row["serial"] for row in good], "since": timestamp(since or now)}
            records.audit(Act(now, by, REVOKED, subject, facts))
        elif since is not None:
            _redate(records, subject, reason, now, by, since)
        return bool(good)


def _refuse_moment(records: Records, subject: str, since: datetime, now: datetime) -> None:
    first = parse_timestamp(records.rows("SELECT min(issued_at) AS at FROM cert WHERE subject = ?", subject)[0]["at"])
    if not first <= since <= now:
        span = f"{first.astimezone(BEIJING):%Y-%m-%d %H:%M} 首次发证之后、现在之前"
        raise OperatorFault(f"吊销时刻应在 {subject} {span}。请改正 --since。")


def _redate(records: Records, subject: str, reason: str, now: datetime, by: str, since: datetime) -> None:
    """The certificates that the last revocation of `subject` took count as revoked as from `since`."""
    sql = "SELECT number, hash, body FROM audit WHERE body LIKE ? ORDER BY number DESC"
    acts = (Row(**row).act() for row in records.rows(sql, f'%"{REVOKED}"%'))
    serials: list[str] = next(
        (act.facts["serials"] for act in acts if (act.act, act.subject) == (REVOKED, subject)), []
    )
    before = {}
    for serial in serials:
        row = records.rows("SELECT revoked_at FROM cert WHERE serial = ?", serial)[0]
        if row["revoked_at"] != timestamp(since):
            before[serial] = row["revoked_at"]
            records.rows("UPDATE cert SET revoked_at = ? WHERE serial = ?", timestamp(since), serial)
    if before:
        _next_version(records, now)
        facts = {"before": before, "reason": reason, "since": timestamp(since)}
        records.audit(Act(now, by, "revocation-redated", subject, facts))


def revoked_serials(records: Records, now: datetime) -> list[int]:
    """The serial numbers of every revoked certificate that is not over by itself."""
    sql = "SELECT serial FROM cert WHERE revoked_at IS NOT NULL AND not_after > ?"
    return [int(row["serial"], 16) for row in records.rows(sql, timestamp(now))]


def _next_version(records: Records, now: datetime) -> None:
    sql = "UPDATE authority SET version = version + 1, issued_at = max(issued_at, ?)"
    records.rows(sql, timestamp(now))


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "key_id": entry.key_id,
        "subject": entry.subject,
        "role": entry.role,
        "profile": entry.profile.label,
        "serial": f"{entry.certificate.serial_number:x}",
        "pem": entry.certificate.public_bytes(Encoding.PEM).decode(),
        "issued_at": timestamp(entry.issued_at),
        "not_after": timestamp(entry.certificate.not_valid_after_utc),
        "superseded_at": _moment_text(entry.superseded_at),
        "revoked_at": _moment_text(entry.revoked_at),
        "reason": entry.reason,
    }


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        row["subject"],
        row["role"],
        PROFILES[row["profile"]],
        row["pem"],
        parse_timestamp(row["issued_at"]),
        _moment(row["revoked_at"]),
        row["reason"],
        _moment(row["superseded_at"]),
        KeyId(row["key_id"]),
    )


def _told(entry: Entry) -> dict[str, Any]:
    until = timestamp(entry.certificate.not_valid_after_utc)
    return {"profile": entry.profile.label, "serial": f"{entry.certificate.serial_number:x}", "until": until}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_timestamp(text)


def _moment_text(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
