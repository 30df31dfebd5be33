"""The tables of a ledger in PostgreSQL, as an ordered list of migrations."""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.text import sanitize
from reconciler.ledger.postgres_link import PostgresLink

_FIRST: tuple[LiteralString, ...] = (
    # One row per stack: its last journal number and its lease; owner is NULL if the lease is free.
    """CREATE TABLE {stack} (
  stack       text PRIMARY KEY,
  last        bigint NOT NULL DEFAULT 0,
  fence       bigint NOT NULL DEFAULT 0,
  claim       text,
  owner       text,
  host        text,
  pid         bigint,
  process     text,
  pipeline    text,
  commit_id   text,
  acquired_at bigint,
  expires_at  bigint
)""",
    # Rows are only added, except that a prune removes them. Instants are epoch milliseconds; "at" is the runner's
    # clock.
    """CREATE TABLE {journal} (
  stack     text NOT NULL REFERENCES {stack} ON DELETE CASCADE,
  number    bigint NOT NULL,
  stored_at bigint NOT NULL,
  step      text NOT NULL,
  run       text,
  at        bigint NOT NULL,
  body      text NOT NULL,
  payloads  text,
  digest    text NOT NULL,
  PRIMARY KEY (stack, number)
)""",
    # The server's default compression, pglz, takes more time than writing the rows uncompressed.
    "ALTER TABLE {journal} ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN payloads SET STORAGE EXTERNAL",
    # The state of the journal up to a row: a compressed SQLite database.
    """CREATE TABLE {snapshot} (
  stack  text PRIMARY KEY REFERENCES {stack} ON DELETE CASCADE,
  number bigint NOT NULL,
  data   bytea NOT NULL
)""",
    "ALTER TABLE {snapshot} ALTER COLUMN data SET STORAGE EXTERNAL",
    # Drill records.
    """CREATE TABLE {document} (
  stack text NOT NULL REFERENCES {stack} ON DELETE CASCADE,
  name  text NOT NULL,
  body  text NOT NULL,
  PRIMARY KEY (stack, name)
)""",
)

_RATES: tuple[LiteralString, ...] = (
    # One row per service with a rate limit: when its next request may begin (epoch seconds). It is updated often, and
    # is of no use after a crash, so it is unlogged.
    """CREATE UNLOGGED TABLE {rate} (
  name    text PRIMARY KEY,
  free_at double precision NOT NULL
) WITH (fillfactor = 10)""",
)

_SHARDS: tuple[LiteralString, ...] = (
    # A shard is a stack whose journal becomes part of its parent's; parent is NULL for an ordinary stack.
    "ALTER TABLE {stack} ADD COLUMN parent text",
    "CREATE INDEX ON {stack} (parent) WHERE parent IS NOT NULL",
)

_LZ4: tuple[LiteralString, ...] = (
    # Rows are similar to each other: LZ4 makes them four times smaller, and takes less time than writing them
    # uncompressed. Servers before version 14, and those built without LZ4, keep rows uncompressed.
    """DO $do$
BEGIN
  IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
    EXECUTE $sql$ALTER TABLE {journal}
      ALTER COLUMN body SET STORAGE EXTENDED, ALTER COLUMN body SET COMPRESSION lz4,
      ALTER COLUMN payloads SET STORAGE EXTENDED, ALTER COLUMN payloads SET COMPRESSION lz4$sql$;
  END IF;
END $do$""",
)

MIGRATIONS: tuple[tuple[LiteralString, ...], ...] = (_FIRST, _RATES, _SHARDS, _LZ4)
"""The n-th group migrates version n - 1 to version n. Never edit a group that has been released."""

VERSION = len(MIGRATIONS)


def prepare(link: PostgresLink, *, create: bool) -> bool:
    """Whether the tables exist; with ``create`` they are created and migrated first.

    Raises DiagnosticError if a newer version created them.
    """
    found = _version(link)
    _check(link, found)
    if found < VERSION and create:
        try:
            _migrate(link)
        except DiagnosticError as error:
            if isinstance(error.__cause__, InsufficientPrivilege):
                raise _not_allowed(link, found, error.__cause__) from error
            raise
        return True
    return found > 0


def _version(link: PostgresLink) -> int:
    """The schema version; 0 if there are no tables."""
    ((exists,),) = link.rows(
        sql.SQL("SELECT to_regclass({}) IS NOT NULL").format(sql.Literal(link.qualified("version"))), ()
    )
    return int(link.rows(link.statement("SELECT version FROM {version}"), ())[0][0]) if exists else 0


def _migrate(link: PostgresLink) -> None:
    """Create or migrate the tables, in one transaction under a lock that other schemas do not share."""
    with link.transaction() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"reconciler {link.schema}",))
        ((schemas,),) = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (link.schema,))
        if not schemas:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(link.schema)))
        connection.execute(link.statement("CREATE TABLE IF NOT EXISTS {version} (version bigint NOT NULL)"))
        row = connection.execute(link.statement("SELECT version FROM {version}")).fetchone()
        if row is None:
            connection.execute(link.statement("INSERT INTO {version} VALUES (0)"))
        found = 0 if row is None else int(row[0])
        _check(link, found)  # another process may have migrated meanwhile
        for statement in (text for group in MIGRATIONS[found:] for text in group):
            connection.execute(link.statement(statement))
        connection.execute(link.statement("UPDATE {version} SET version = %s"), (VERSION,))


def _not_allowed(link: PostgresLink, found: int, cause: InsufficientPrivilege) -> DiagnosticError:
    """The error for a user who may not create the tables, or upgrade those of an older version."""
    said = sanitize(" ".join(str(cause).split()))
    summary = f"this user may not {'upgrade' if found else 'create'} the tables of the ledger {link.label} ({said})"
    hint = "let an administrator do it once: reconciler ledger doctor URL"
    return DiagnosticError(Diagnostic(summary, hint=hint))


def _check(link: PostgresLink, found: int) -> None:
    if found > VERSION:
        raise DiagnosticError(
            Diagnostic(
                f"the ledger {link.label} was written by a newer reconciler: its format is {found},"
                f" this one reads up to {VERSION}",
                hint="upgrade reconciler",
            )
        )
