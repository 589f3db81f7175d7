"""The tables of the handheld's store, version by version."""

from __future__ import annotations

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE people (name BLOB PRIMARY KEY, last_at REAL NOT NULL, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE wraps (name BLOB PRIMARY KEY, salt BLOB NOT NULL, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE records (name BLOB PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE picture (id INTEGER PRIMARY KEY CHECK (id = 1), sealed BLOB NOT NULL) STRICT;
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL,
        delivery TEXT NOT NULL DEFAULT 'queued' CHECK (delivery IN ('queued', 'settled')),
        business TEXT NOT NULL DEFAULT '' CHECK (business IN ('', 'returned', 'answered', 'confirmed')),
        outcome BLOB, answer BLOB
    ) STRICT;
    CREATE INDEX outbox_open ON outbox (delivery, business, seq);
    """,
    """
    ALTER TABLE outbox ADD COLUMN done_at REAL;
    """,
)
"""Forward only, never edited: each entry takes the schema one version up."""
