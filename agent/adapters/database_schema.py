"""The tables of the device's database and how they came to be, one migration after the other."""

from typing import Any


def first_tables(database: Any) -> None:
    """Outbox, counters, ids that have left it, recordings without an end, disclosure versions."""
    outbox = database.table("outbox")
    outbox.create({"devseq": int, "event_id": str, "type": str, "body": bytes, "hash": str}, pk="devseq")
    outbox.create_index(["event_id"], unique=True)
    database.table("counter").create({"name": str, "value": str}, pk="name")
    database.table("remembered").create({"event_id": str, "devseq": int}, pk="event_id")
    database.table("open_recording").create({"number": int}, pk="number")
    database.table("disclosure").create({"kind": str, "id": str, "version": int, "digest": str}, pk=("kind", "id"))


def withdrawn_disclosures(database: Any) -> None:
    """Whether the highest version of a document ever accepted here has withdrawn it."""
    database.table("disclosure").add_column("withdrawn", int, not_null_default=0)


def quarantined_rows(database: Any) -> None:
    """Damaged events by number: what is left of them, what they hashed to, which event declares them lost."""
    columns = {"devseq": int, "hash": str, "body": bytes, "declared_by": int}
    database.table("quarantined").create(columns, pk="devseq")


def ids_in_bulk(database: Any) -> None:
    """No index is written with every event any more: `remembered` holds the ids of what waits as well
    (`agent.adapters.told_ids`), in one tree and a second one by number."""
    for statement in (
        "DROP INDEX IF EXISTS idx_outbox_event_id",
        "ALTER TABLE remembered RENAME TO remembered_before",
        "CREATE TABLE remembered (event_id TEXT PRIMARY KEY, devseq INTEGER) WITHOUT ROWID",
        "INSERT OR REPLACE INTO remembered SELECT event_id, devseq FROM remembered_before WHERE event_id IS NOT NULL",
        "INSERT OR REPLACE INTO remembered SELECT event_id, devseq FROM outbox WHERE event_id IS NOT NULL",
        "INSERT INTO counter(name, value) SELECT 'told', CAST(max(devseq) AS TEXT) FROM outbox HAVING count(*) > 0",
        "DROP TABLE remembered_before",
        "CREATE INDEX remembered_devseq ON remembered(devseq)",
    ):
        database.execute(statement)


MIGRATIONS = (first_tables, withdrawn_disclosures, quarantined_rows, ids_in_bulk)
"""In the order in which they are applied, known to every store by their names."""
