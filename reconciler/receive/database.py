"""Opens the store that a setting names."""

from __future__ import annotations

from pathlib import Path

from reconciler.receive.store import DeliveryStore


def open_store(db: Path | str) -> DeliveryStore:
    """A store in a file, or in the PostgreSQL database of a URL; ValueError if it cannot be used."""
    if is_postgres(db):
        from reconciler.receive.postgres import PostgresStore

        return PostgresStore(str(db))
    from reconciler.receive.sqlite import SqliteStore

    return SqliteStore(db)


def is_postgres(db: Path | str) -> bool:
    return str(db).startswith(("postgres://", "postgresql://"))
