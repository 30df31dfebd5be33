"""Questions to the journal, once it is folded; each works on the caller's connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Container, Iterable, Iterator, Sequence

from reconciler.core.address import Address
from reconciler.core.duration import DAY
from reconciler.core.operation import Operation, Status
from reconciler.ledger.codec import PROVIDER, Intent, decode_intent, encode_keys, told_provider
from reconciler.ledger.orphans import orphans
from reconciler.ledger.protocol import CHECK, Entry, LedgerView, Orphan, Run, RunState

REMEMBERED = 30 * DAY
"""How far back the view tells which alarms this stack cleared, and left behind: longer than any of them fires."""

_CHUNK = 1_000

_STANDING = (
    "SELECT intent, position, attempts, status, ended_at, confirmed_at, answer, service_id FROM operations WHERE "
)

_AMONG = "key IN (SELECT value FROM json_each(?))"

_STATUSES = f"SELECT key, status FROM operations WHERE status IS NOT NULL AND {_AMONG}"  # noqa: S608 - constants


def runs(connection: sqlite3.Connection) -> list[Run]:
    """Every run, newest first."""
    rows = connection.execute(
        "SELECT id, plan_id, command, started_at, ended_at, state FROM runs ORDER BY number DESC"
    ).fetchall()
    return [Run(*row)._replace(state=RunState(row[-1])) for row in rows]


def open_intents(connection: sqlite3.Connection) -> list[Entry]:
    """Operations that have no outcome, or an unknown one; oldest first."""
    rows = connection.execute(f"{_STANDING} (status IS NULL OR status = 'unknown') ORDER BY intent, position")
    return list(_entries(connection, rows))


def entries(connection: sqlite3.Connection, run: str) -> list[Entry]:
    """The operations of the run of this id or unique prefix, in the order they were journalled; KeyError if there is
    none.
    """
    found = connection.execute(
        "SELECT number, id FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id = ?1 DESC LIMIT 2", (run,)
    ).fetchall()
    if not found:
        raise KeyError(f"there is no run {run}")
    if len(found) > 1 and found[0][1] != run:
        raise KeyError(f"more than one run begins with {run}")
    keys = connection.execute(
        "SELECT each.value FROM journal, json_each(journal.body, '$.key') AS each"
        " WHERE step = 'intend' AND run = ? ORDER BY journal.number, each.key",
        (found[0][0],),
    )
    order = {key: place for place, (key,) in enumerate(reversed(keys.fetchall()))}
    rows = (row for chunk in _chunks(order) for row in connection.execute(f"{_STANDING} {_AMONG}", (chunk,)))
    return sorted(_entries(connection, rows), key=lambda entry: order[entry.operation.key], reverse=True)


def statuses(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Status]:
    """The outcome of each of these operations that has one; nobody looks for each of them where none was ever sent."""
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM operations)").fetchone()[0]:
        return {}
    return {key: Status(status) for chunk in _chunks(keys) for key, status in connection.execute(_STATUSES, (chunk,))}


def view(
    connection: sqlite3.Connection, now: int, visible_within: int, providers: Collection[str] | None = None
) -> LedgerView:
    """The past as the planner may know it; ``recent`` reaches back ``visible_within`` ms, ``cleared`` and ``orphans``
    30 days.
    """
    facts = connection.execute(
        "SELECT type, name, instance, occurrence FROM operations WHERE status = 'done' AND occurrence IS NOT NULL"
    )
    recorded = frozenset([(Address(kind, name, key), occurrence) for kind, name, key, occurrence in facts])
    cleared = connection.execute(
        "SELECT target, ended_at FROM operations"
        " WHERE status = 'done' AND target IS NOT NULL AND ended_at >= ? ORDER BY ended_at",
        (now - REMEMBERED,),
    )
    recent = connection.execute(
        f"{_STANDING} status = 'done' AND confirmed_at IS NULL AND ended_at >= ? ORDER BY ended_at, intent, position",
        (now - visible_within,),
    )
    writes = tuple(_entries(connection, recent))
    left = () if providers is None else _orphans(connection, now, providers)
    flown = connection.execute(
        "SELECT plan_id FROM runs WHERE command = ? AND started_at >= ?", (CHECK, now - REMEMBERED)
    )
    return LedgerView(
        recorded,
        writes,
        dict(cleared.fetchall()),
        _attempted(connection, recorded),
        left,
        frozenset(plan for (plan,) in flown),
    )


def _orphans(connection: sqlite3.Connection, now: int, providers: Collection[str]) -> tuple[Orphan, ...]:
    """Alarms at other providers than these; only where the journal knows such a provider it is read as a whole."""
    known = tuple(map(told_provider, providers))
    told = connection.execute(
        "SELECT DISTINCT substr(body, instr(body, ?), ?) FROM journal WHERE step = 'intend' AND at >= ?",
        (PROVIDER, max(map(len, known), default=1), now - REMEMBERED),
    )
    others = any(not text.startswith(known) for (text,) in told)
    if not others:
        return ()
    rows = connection.execute(
        f"{_STANDING} status = 'done' AND ended_at >= ? ORDER BY ended_at, intent, position", (now - REMEMBERED,)
    )
    return orphans(_entries(connection, rows), providers, now, REMEMBERED)


def _attempted(
    connection: sqlite3.Connection, recorded: Container[tuple[Address, str]]
) -> dict[tuple[Address, str], int]:
    """When the facts that were tried and are not on record began, as their first attempt said."""
    tried = connection.execute(
        f"{_STANDING} occurrence IS NOT NULL AND (status IS NULL OR status != 'done') ORDER BY intent, position"
    )
    first: dict[tuple[Address, str], int] = {}
    for entry in _entries(connection, tried):
        fact = (entry.operation.address, entry.operation.occurrence or "")
        if entry.operation.begins_at is not None and fact not in recorded:
            first.setdefault(fact, entry.operation.begins_at)
    return first


def _chunks(keys: Iterable[str]) -> Iterator[str]:
    wanted = list(keys)
    for start in range(0, len(wanted), _CHUNK):
        yield encode_keys(wanted[start : start + _CHUNK])


_Standing = tuple[int, int, int, str | None, int | None, int | None, str | None, str | None]


def _entries(connection: sqlite3.Connection, rows: Iterable[_Standing]) -> Iterator[Entry]:
    """The entries for rows of ``_STANDING``; each row of the journal is read once."""
    intents: dict[int, tuple[str, int, Sequence[Operation]]] = {}
    for intent, position, attempts, status, ended_at, confirmed_at, answer, service_id in rows:
        if intent not in intents:
            intents[intent] = _intent(connection, intent)
        run, at, operations = intents[intent]
        yield Entry(
            operations[position],
            run,
            at,
            attempts,
            None if status is None else Status(status),
            ended_at,
            confirmed_at,
            answer,
            service_id,
        )


def _intent(connection: sqlite3.Connection, number: int) -> tuple[str, int, Sequence[Operation]]:
    run, at, body, payloads, digest = connection.execute(
        "SELECT runs.id, at, body, payloads, digest FROM journal JOIN runs ON runs.number = journal.run"
        " WHERE journal.number = ?",
        (number,),
    ).fetchone()
    return run, at, decode_intent(Intent(body, payloads, digest))
