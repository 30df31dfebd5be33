"""Projection: computes the state of each operation from the rows of the journal.

Writing to the journal only appends a row, which costs one small write to the disk. Updating every operation by its key
would touch a page for each operation, every time. So the table of operations is brought up to date only when it is
read, or when the file is closed. Then each operation is written once, however many rows are about it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from reconciler.core.address import Address
from reconciler.ledger.codec import Row, check_run, decode_behaviour, decode_confirmed, encode_keys

_PUT = """
INSERT INTO operations (key, intent, position, attempts, begun, begun_at, status, ended_at, confirmed_at, shown,
  answer, service_id, type, name, instance, occurrence, target, place)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
  intent = excluded.intent, position = excluded.position, attempts = attempts + excluded.attempts,
  begun = excluded.begun, begun_at = excluded.begun_at,
  status = excluded.status, ended_at = excluded.ended_at, confirmed_at = excluded.confirmed_at,
  shown = excluded.shown, answer = excluded.answer, service_id = excluded.service_id,
  type = excluded.type, name = excluded.name,
  instance = excluded.instance, occurrence = excluded.occurrence,
  target = excluded.target, place = excluded.place
"""

_BEGIN = """
UPDATE operations SET attempts = attempts + 1, begun = ?, begun_at = ?, status = NULL, ended_at = NULL,
  confirmed_at = NULL, shown = NULL, answer = NULL
WHERE key IN (SELECT value FROM json_each(?))
"""

_DONE = """
UPDATE operations SET status = 'done', ended_at = ?, answer = NULL WHERE key IN (SELECT value FROM json_each(?))
"""

_TOLD = """
UPDATE operations SET status = ?1, ended_at = ?2, answer = ?3, service_id = coalesce(?4, service_id)
WHERE key = ?5 AND (?1 = 'done' OR status IS NOT 'done')
"""

_CONFIRM = """
UPDATE operations SET confirmed_at = ?, shown = ?
WHERE confirmed_at IS NULL AND key IN (SELECT value FROM json_each(?))
"""

_LEARN = """
INSERT INTO behaviours (target, merges, rejects_whole) VALUES (?, ?, ?)
ON CONFLICT (target) DO UPDATE SET merges = excluded.merges, rejects_whole = excluded.rejects_whole
"""


_NO_MARKS = (None,) * 6

_CACHE_KIB = 200_000
"""Cache size: enough for the pages of a million operations while they are written."""


class _Effect(NamedTuple):
    """The fact that an operation records, or the id that it clears, with its target: what the planner must know
    of it.
    """

    address: Address
    occurrence: str | None
    target: str | None
    place: str | None


class _DetailedOutcome(NamedTuple):
    """An outcome that carries more than "done"."""

    key: str
    status: str
    answer: str | None
    id: str | None


class OperationState:
    """The state of an operation since its latest intent; instants are epoch ms.

    ``intent`` and ``begun`` are numbers of journal rows, ``position`` is the index of the operation in its row.
    """

    __slots__ = (
        "answer",
        "attempts",
        "begun",
        "begun_at",
        "confirmed_at",
        "ended_at",
        "id",
        "intent",
        "position",
        "shown",
        "status",
    )

    def __init__(self, intent: int, position: int, attempts: int) -> None:
        self.intent = intent
        self.position = position
        self.attempts = attempts
        self.begun: int | None = None
        self.begun_at: int | None = None
        self.status: str | None = None
        self.ended_at: int | None = None
        self.confirmed_at: int | None = None
        self.shown: str | None = None
        self.answer: str | None = None
        self.id: str | None = None


def read_targets(connection: sqlite3.Connection) -> dict[int | str | None, dict[str, str]]:
    """The targets of each run that recorded them, by the run's number. Raises an error if a run's digest is wrong."""
    found = connection.execute(
        "SELECT number, digest, id, plan_id, command, targets, origin FROM runs WHERE targets IS NOT NULL"
    )
    targets: dict[int | str | None, dict[str, str]] = {}
    for number, digest, *columns in found:
        check_run(digest, *columns)
        targets[number] = json.loads(columns[3])
    return targets


def project(connection: sqlite3.Connection, *, are_checked: bool = False) -> None:
    """Bring the operations up to the end of the journal, inside the caller's transaction.

    Raises ValueError for a row that was altered, unless the caller has checked them.
    """
    (without_begin,) = connection.execute("SELECT without_begin FROM folded").fetchone()
    rows = connection.execute(
        "SELECT number, step, run, at, body, payloads, digest FROM journal"
        " WHERE number > (SELECT journal FROM folded) ORDER BY number"
    )
    targets = read_targets(connection)
    pending = _Pending(connection)
    number = None
    for number, *columns in rows:
        row = Row(*columns)
        if not are_checked:
            row.check()
        step, at, content = row.step, row.at, json.loads(row.body)
        if step == "intend":
            pending.record_intents(number, content["key"], may_be_sent=number <= without_begin)
            effects = _decode_marks(content, targets.get(row.run, {}))
            pending.marks.update((key, (*effect.address, *effect[1:])) for key, effect in effects)
        elif step == "begin":
            pending.begin(number, content["key"], at)
        elif step == "settle":
            pending.done(content["done"], at)
            pending.told(_decode_told(content), at)
        elif step == "learn":
            target, behaviour = decode_behaviour(content)
            connection.execute(_LEARN, (target, *behaviour))
        else:
            pending.confirm(decode_confirmed(content), at)
    with _large_cache(connection):
        pending.write()
    if number is not None:
        connection.execute("UPDATE folded SET journal = ?", (number,))


def _decode_marks(body: Mapping[str, Any], targets: Mapping[str, str]) -> Iterator[tuple[str, _Effect]]:
    """The effects of a row's operations, by key, from its parsed body and the targets of its run."""
    providers = body["provider"]
    for position, address, occurrence, target in body["marks"]:
        place = targets.get(providers[position if len(providers) > 1 else 0])
        yield body["key"][position], _Effect(Address(*address), occurrence, target, place)


def _decode_told(body: Mapping[str, Any]) -> list[_DetailedOutcome]:
    """Decode the outcomes of a row that carry more than "done", from its parsed body."""
    return [_DetailedOutcome(*outcome) for outcome in body["told"]]


@contextmanager
def _large_cache(connection: sqlite3.Connection) -> Iterator[None]:
    """Enlarge the page cache: keys arrive in random order, and with a small cache each operation would write out a
    page.
    """
    (usual,) = connection.execute("PRAGMA cache_size").fetchone()
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB:d}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA cache_size = {usual:d}")


class _Pending:
    """Applies journal rows that are not projected yet.

    The state of an operation whose intent is among them is kept in memory until ``write``; changes to an operation with
    an earlier intent are written immediately.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._states: dict[str, OperationState] = {}
        self.marks: dict[str, tuple[str | None, ...]] = {}

    def record_intents(self, number: int, keys: list[str], *, may_be_sent: bool) -> None:
        """Start a new state for each key; ``may_be_sent`` if the row's version did not record when sending began."""
        for position, key in enumerate(keys):
            before = self._states.get(key)
            attempts = 0 if before is None else before.attempts
            self._states[key] = OperationState(number, position, attempts + may_be_sent)

    def begin(self, number: int, keys: list[str], at: int) -> None:
        earlier = []
        for key in keys:
            state = self._states.get(key)
            if state is None:
                earlier.append(key)
            else:
                state.attempts, state.begun, state.begun_at = state.attempts + 1, number, at
                state.status = state.ended_at = state.confirmed_at = state.shown = state.answer = None
        if earlier:
            self._connection.execute(_BEGIN, (number, at, encode_keys(earlier)))

    def done(self, keys: list[str], at: int) -> None:
        earlier = []
        for key in keys:
            state = self._states.get(key)
            if state is None:
                earlier.append(key)
            else:
                state.status, state.ended_at, state.answer = "done", at, None
        if earlier:
            self._connection.execute(_DONE, (at, encode_keys(earlier)))

    def told(self, outcomes: list[_DetailedOutcome], at: int) -> None:
        for key, status, answer, id in outcomes:
            state = self._states.get(key)
            if state is None:
                self._connection.execute(_TOLD, (status, at, answer, id, key))
            elif status == "done" or state.status != "done":  # a run that lost its lease may report late
                state.status, state.ended_at, state.answer = status, at, answer
                state.id = state.id if id is None else id

    def confirm(self, confirmed: Iterable[tuple[str, str | None]], at: int) -> None:
        earlier: defaultdict[str | None, list[str]] = defaultdict(list)
        for key, shown in confirmed:
            state = self._states.get(key)
            if state is None:
                earlier[shown].append(key)
            elif state.confirmed_at is None:
                state.confirmed_at, state.shown = at, shown
        for shown, keys in earlier.items():
            self._connection.execute(_CONFIRM, (at, shown, encode_keys(keys)))

    def write(self) -> None:
        """Write each operation once, with what it contributes to the planner's view."""
        self._connection.executemany(_PUT, map(self._columns, self._states))

    def _columns(self, key: str) -> tuple[int | str | None, ...]:
        s = self._states[key]
        state = (s.intent, s.position, s.attempts, s.begun, s.begun_at, s.status, s.ended_at, s.confirmed_at, s.shown)
        return (key, *state, s.answer, s.id, *self.marks.get(key, _NO_MARKS))
