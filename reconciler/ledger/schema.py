"""The schema: the tables of a ledger file, as an ordered list of migrations."""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x52434C47
"""Marks a SQLite file as a ledger (``PRAGMA application_id``): "RCLG" in ASCII."""

_JOURNAL = """
CREATE TABLE runs (
  number     INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  plan_id    TEXT NOT NULL,
  command    TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at   INTEGER,
  state      TEXT NOT NULL
) STRICT;

-- What was done, in the order it was done; rows are only ever added. One row holds one call: the operations about to
-- be sent (step intend: body has a column of values for each field, payloads the JSON texts themselves, parted by
-- U+001E), or what became of them (settle, confirm).
CREATE TABLE journal (
  number   INTEGER PRIMARY KEY,
  step     TEXT NOT NULL CHECK (step IN ('intend', 'settle', 'confirm')),
  run      INTEGER REFERENCES runs,
  at       INTEGER NOT NULL,
  body     TEXT NOT NULL,
  payloads TEXT,
  digest   TEXT,
  CHECK ((step = 'intend') = (run IS NOT NULL AND payloads IS NOT NULL AND digest IS NOT NULL))
) STRICT;

CREATE INDEX journal_of_run ON journal (run) WHERE step = 'intend';

-- Where each operation stands, worked out from the journal up to the row in "folded". intent and position say which
-- row of the journal holds its latest intent, and where in it.
CREATE TABLE operations (
  key          TEXT PRIMARY KEY NOT NULL,
  intent       INTEGER NOT NULL REFERENCES journal,
  position     INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  status       TEXT CHECK (status IN ('done', 'failed', 'unknown')),
  ended_at     INTEGER,
  confirmed_at INTEGER,
  answer       TEXT,
  service_id   TEXT,
  type         TEXT,
  name         TEXT,
  instance     TEXT,
  occurrence   TEXT,
  target       TEXT
) STRICT;

CREATE INDEX open_operations ON operations (intent, position) WHERE status IS NULL OR status = 'unknown';
CREATE INDEX recent_operations ON operations (ended_at) WHERE status = 'done' AND confirmed_at IS NULL;
CREATE INDEX recorded_facts ON operations (type, name, instance, occurrence)
  WHERE status = 'done' AND occurrence IS NOT NULL;
CREATE INDEX cleared_targets ON operations (ended_at, target) WHERE status = 'done' AND target IS NOT NULL;

CREATE TABLE folded (one INTEGER PRIMARY KEY CHECK (one = 1), journal INTEGER NOT NULL) STRICT;
INSERT INTO folded VALUES (1, 0);

-- One row; owner is NULL while nobody holds it, fence only grows.
CREATE TABLE lease (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  fence       INTEGER NOT NULL,
  owner       TEXT,
  host        TEXT,
  pid         INTEGER,
  acquired_at INTEGER,
  expires_at  INTEGER
) STRICT;
INSERT INTO lease (one, fence) VALUES (1, 0);
"""

_HOLDING_PROCESS = """
-- Tells the holder from a later process with the same number: see reconciler/ledger/lease.py.
ALTER TABLE lease ADD COLUMN process TEXT;
"""

_BEGUN = """
-- A further step: operations are being sent from now on (step begin: body has their keys, by which process and clock).
-- Every row has a digest from here on.
CREATE TABLE journal_3 (
  number   INTEGER PRIMARY KEY,
  step     TEXT NOT NULL CHECK (step IN ('intend', 'begin', 'settle', 'confirm')),
  run      INTEGER REFERENCES runs,
  at       INTEGER NOT NULL,
  body     TEXT NOT NULL,
  payloads TEXT,
  digest   TEXT,
  CHECK ((step = 'intend') = (run IS NOT NULL AND payloads IS NOT NULL))
) STRICT;
INSERT INTO journal_3 SELECT number, step, run, at, body, payloads, digest FROM journal;
DROP TABLE journal;
ALTER TABLE journal_3 RENAME TO journal;
CREATE INDEX journal_of_run ON journal (run) WHERE step = 'intend';

-- begun is the row of the journal by which the latest attempt began; place is the target that a fact is on record at.
ALTER TABLE operations ADD COLUMN begun INTEGER;
ALTER TABLE operations ADD COLUMN begun_at INTEGER;
ALTER TABLE operations ADD COLUMN place TEXT;

-- Rows up to here are older than the step begin: what they intend may have been sent.
ALTER TABLE folded ADD COLUMN without_begin INTEGER NOT NULL DEFAULT 0;
UPDATE folded SET without_begin = (SELECT coalesce(max(number), 0) FROM journal);

-- The target of each provider, as JSON; NULL for runs of a version that did not say.
ALTER TABLE runs ADD COLUMN targets TEXT;

-- When the lease ends by the clock that counts from the machine's start, and which start that is.
ALTER TABLE lease ADD COLUMN boot TEXT;
ALTER TABLE lease ADD COLUMN boot_expires_at INTEGER;
"""

_SHOWN = """
-- The digest of what the service showed of a push when it was confirmed; empty: what was sent. NULL: not known.
ALTER TABLE operations ADD COLUMN shown TEXT;
"""

_ORIGIN = """
-- Who started a run: a JSON list of user, host, pipeline and commit; NULL for runs of a version that did not say.
ALTER TABLE runs ADD COLUMN origin TEXT;
ALTER TABLE lease ADD COLUMN pipeline TEXT;
ALTER TABLE lease ADD COLUMN commit_id TEXT;
"""

_RUN_DIGEST = """
-- The digest of what is known of a run when it begins; NULL for runs of a version without it.
ALTER TABLE runs ADD COLUMN digest TEXT;
"""

_BEHAVIOUR = """
-- A further step: how the service at a target was seen to behave (step learn); the table holds the last word on each.
CREATE TABLE journal_7 (
  number   INTEGER PRIMARY KEY,
  step     TEXT NOT NULL CHECK (step IN ('intend', 'begin', 'settle', 'confirm', 'learn')),
  run      INTEGER REFERENCES runs,
  at       INTEGER NOT NULL,
  body     TEXT NOT NULL,
  payloads TEXT,
  digest   TEXT,
  CHECK ((step = 'intend') = (run IS NOT NULL AND payloads IS NOT NULL))
) STRICT;
INSERT INTO journal_7 SELECT number, step, run, at, body, payloads, digest FROM journal;
DROP TABLE journal;
ALTER TABLE journal_7 RENAME TO journal;
CREATE INDEX journal_of_run ON journal (run) WHERE step = 'intend';

CREATE TABLE behaviours (
  target        TEXT PRIMARY KEY NOT NULL,
  merges        INTEGER CHECK (merges IN (0, 1)),
  rejects_whole INTEGER CHECK (rejects_whole IN (0, 1))
) STRICT;
"""

MIGRATIONS = (_JOURNAL, _HOLDING_PROCESS, _BEGUN, _SHOWN, _ORIGIN, _RUN_DIGEST, _BEHAVIOUR)
"""The n-th script migrates a file from version n - 1 to version n. Never edit a script that has been released."""

VERSION = len(MIGRATIONS)


def version(connection: sqlite3.Connection) -> int:
    """The version of the file's schema; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_foreign(connection: sqlite3.Connection) -> bool:
    """Whether this is another program's database: it has tables, but not our application id.

    The id is read last, since another process may be creating the ledger, which commits both at once.
    """
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    is_used = bool(tables or version(connection))
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    return is_used and mark != APPLICATION_ID


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate a file to the newest version in one transaction; on failure it is unchanged."""
    if version(connection) == VERSION:
        return
    connection.execute("PRAGMA foreign_keys = OFF")  # a script may recreate a table that others refer to
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number, script in enumerate(MIGRATIONS, 1):
            if number > version(connection):
                for statement in statements(script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number:d}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


def statements(script: str) -> list[str]:
    """The statements of a script one by one (``executescript`` would commit the transaction around it)."""
    found, part = [], ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            found.append(part.strip())
            part = ""
    return found
