"""Folding: working out from the journal where each operation stands.

Writing to the journal only ever adds a row at its end, which costs one small write to the disk. Keeping every
operation up to date by its key would touch as many pages as operations each time: that is put off until somebody asks,
or the file is closed, and then done for all of them at once.
"""

from __future__ import annotations

import sqlite3

from reconciler.ledger.rows import decode_marks, told

_INTEND = """
INSERT INTO operations (key, intent, position, attempts)
SELECT each.value, journal.number, each.key, 1
FROM journal, json_each(journal.body, '$.key') AS each WHERE journal.number = ?
ON CONFLICT (key) DO UPDATE SET
  intent = excluded.intent, position = excluded.position, attempts = attempts + 1,
  status = NULL, ended_at = NULL, confirmed_at = NULL, answer = NULL, service_id = NULL
"""

_MARK = """
UPDATE operations SET type = ?, name = ?, instance = ?, occurrence = ?, target = ? WHERE intent = ? AND position = ?
"""

_DONE = """
UPDATE operations SET status = 'done', ended_at = journal.at, answer = NULL
FROM journal, json_each(journal.body, '$.done') AS each WHERE journal.number = ? AND operations.key = each.value
"""

_TOLD = """
UPDATE operations SET status = :status, ended_at = :at, answer = :answer, service_id = coalesce(:id, service_id)
WHERE key = :key
"""

_CONFIRM = """
UPDATE operations SET confirmed_at = journal.at
FROM journal, json_each(journal.body) AS each
WHERE journal.number = ? AND operations.key = each.value AND confirmed_at IS NULL
"""


def is_behind(connection: sqlite3.Connection) -> bool:
    """Whether the journal has rows that are not folded yet."""
    (behind,) = connection.execute(
        "SELECT (SELECT coalesce(max(number), 0) FROM journal) > (SELECT journal FROM folded)"
    ).fetchone()
    return bool(behind)


def fold(connection: sqlite3.Connection) -> None:
    """Bring the operations up to the end of the journal, inside the caller's transaction."""
    pending = connection.execute(
        "SELECT number, step, at, body FROM journal WHERE number > (SELECT journal FROM folded) ORDER BY number"
    ).fetchall()
    for number, step, at, body in pending:
        if step == "intend":
            connection.execute(_INTEND, (number,))
            connection.executemany(
                _MARK,
                ((*mark.address, mark.occurrence, mark.target, number, mark.position) for mark in decode_marks(body)),
            )
        elif step == "settle":
            connection.execute(_DONE, (number,))
            connection.executemany(_TOLD, ({**outcome, "at": at} for outcome in told(body)))
        else:
            connection.execute(_CONFIRM, (number,))
    if pending:
        connection.execute("UPDATE folded SET journal = ?", (pending[-1][0],))
