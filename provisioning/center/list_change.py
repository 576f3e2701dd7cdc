"""What a trust list changes in what the centre tells of devices, in the receiver's own transaction."""

import logging
from typing import Protocol

from agent.wire.trust import TrustList
from provisioning.center.intake import AlarmKind
from provisioning.center.rows import Row

log = logging.getLogger("liuhen.center")


class Shelf(Protocol):
    """The verbs that this room needs of `store.Rows`."""

    def find(self, table: str, where: Row) -> list[Row]:
        """The rows with these values."""

    def put(self, table: str, key: Row, values: Row) -> None:
        """The row with this key, changed."""

    def drop(self, table: str, where: Row) -> None:
        """The rows with these values are gone."""


def subjects(trust: TrustList, *, revoked: bool = True) -> frozenset[str]:
    """Whom the list names; without `revoked` only those who have a key that is good."""
    return frozenset(it.subject for it in trust.credentials.values() if revoked or it.revoked_at is None)


def follow_list(rows: Shelf, trust: TrustList) -> None:
    """Take back the alarm of a device that only came before its list, and call no revoked device online: its session
    was ended, and the broker keeps its last will from us."""
    listed, good = subjects(trust), subjects(trust, revoked=False)
    for row in rows.find("alarm", {"kind": AlarmKind.UNLISTED}):
        if row["device"] in good:
            rows.drop("alarm", {"device": row["device"], "kind": AlarmKind.UNLISTED})
            log.info("%s is on list %d now: its alarm is taken back", row["device"], trust.version)
    for row in rows.find("status", {"online": True}):
        if row["device"] in listed - good:
            rows.put("status", {"device": row["device"]}, {"online": False})
