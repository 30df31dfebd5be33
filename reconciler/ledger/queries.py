"""Queries on the projected journal; each runs on the caller's connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.duration import DAY, HOUR
from reconciler.core.operation import Operation, Status, Verb
from reconciler.ledger.codec import (
    PROVIDER,
    Row,
    check_run,
    decode_intent,
    decode_origin,
    encode_keys,
    told_provider,
)
from reconciler.ledger.lease import BootTime, Present, is_dead
from reconciler.ledger.protocol import CHECK, Behaviour, Entry, InFlight, LedgerView, Orphan, Run, RunState, is_at

_Place = tuple[str, str | None]
"""A provider's key, and its target at the time; None if the run did not record it."""


def orphans(done: Iterable[Entry], targets: Mapping[str, str], now: int, lifetime: int) -> tuple[Orphan, ...]:
    """Alarms pushed to other providers than these, or to other targets of them, that may still fire at ``now`` (epoch
    ms).

    ``done`` are the operations that are done, in the order they ended. ``targets`` maps the key of every configured
    provider to its target. ``lifetime`` (ms) is how long an alarm fires at most if its push does not say.
    """
    found = (
        _orphan(entry, lifetime)
        for entry in standing_pushes(done)
        if entry.operation.provider not in targets or not is_at(entry, targets)
    )
    return tuple(sorted((item for item in found if item.over_by > now), key=lambda item: str(item.address)))


def standing_pushes(done: Iterable[Entry]) -> list[Entry]:
    """The last push of each alarm that no later clear removed.

    A provider has one alarm at an address of a target. If one provider has an alarm with the same start as another
    provider's, it is the same alarm seen through both; so is an alarm that a provider clears without having pushed it.
    Alarms at different targets are never the same.
    """
    standing: dict[Address, dict[_Place, Entry]] = {}
    pushed: dict[str, Address] = {}
    for entry in done:
        operation = entry.operation
        if operation.occurrence is not None:
            continue
        if operation.verb is Verb.PUSH:
            pushed[operation.key] = operation.address
        elif operation.only_if_duplicate and pushed.get(operation.depends_on or "") in (None, operation.address):
            continue  # the alarm pushed beside it still stands; a moved alarm has left its address
        here = standing.setdefault(operation.address, {})
        near = [place for place in here if None in (place[1], entry.target) or place[1] == entry.target]
        own = [place for place in near if place[0] == operation.provider]
        if operation.verb is Verb.PUSH:
            for place in near:
                if place in own or here[place].operation.begins_at == operation.begins_at is not None:
                    del here[place]
            here[operation.provider, entry.target] = entry
        else:
            # A run clears the earlier alarm before its own push.
            for place in [place for place in own if here[place].run != entry.run] if own else near:
                del here[place]
    return [entry for here in standing.values() for entry in here.values()]


def _orphan(entry: Entry, lifetime: int) -> Orphan:
    operation = entry.operation
    over_by = expiry(entry, lifetime)
    return Orphan(operation.key, operation.address, operation.provider, over_by, entry.target)


def expiry(entry: Entry, lifetime: int) -> int:
    """The instant (epoch ms) by which a pushed alarm stops firing.

    ``lifetime`` (ms) is how long it fires at most if the push does not say.
    """
    operation = entry.operation
    if operation.send_by is not None and operation.begins_at is not None:
        # A push may be sent until its alarm would be over on arrival, and a service may count the time from the
        # arrival.
        lifetime = operation.send_by - operation.begins_at
    return (entry.ended_at or entry.intended_at) + lifetime


REMEMBERED = 30 * DAY
"""How far back (ms) the view covers this stack's clears and orphans: longer than any alarm fires."""

LONGEST_RUN = HOUR
"""How long (ms) after journalling an intent a run of an older version could send it: its deadline."""

_CHUNK = 1_000

_STANDING = (
    "SELECT intent, position, attempts, status, ended_at, confirmed_at, answer, service_id, begun_at, key"
    " FROM operations WHERE "
)

_AMONG = "key IN (SELECT value FROM json_each(?))"

_STATUSES = f"SELECT key, status FROM operations WHERE status IS NOT NULL AND {_AMONG}"  # noqa: S608 - constants

_SHOWN = f"SELECT key, shown FROM operations WHERE shown IS NOT NULL AND {_AMONG}"  # noqa: S608 - constants


def is_behind(connection: sqlite3.Connection) -> bool:
    """Whether the journal has rows that are not projected yet."""
    (behind,) = connection.execute(
        "SELECT (SELECT coalesce(max(number), 0) FROM journal) > (SELECT journal FROM folded)"
    ).fetchone()
    return bool(behind)


def runs(connection: sqlite3.Connection) -> list[Run]:
    """Every run, newest first."""
    rows = connection.execute(
        "SELECT id, plan_id, command, started_at, ended_at, state, targets, origin, digest FROM runs"
        " ORDER BY number DESC"
    )
    return [_run(*row) for row in rows.fetchall()]


def _run(
    id: str,
    plan: str,
    command: str,
    began: int,
    ended: int | None,
    state: str,
    targets: str | None,
    origin: str | None,
    digest: str | None,
) -> Run:
    check_run(digest, id, plan, command, targets, origin)
    told = json.loads(targets or "{}")
    return Run(id, plan, command, began, ended, RunState(state), told, decode_origin(origin))


def open_intents(connection: sqlite3.Connection) -> list[Entry]:
    """Operations without an outcome, or with an unknown one; oldest first."""
    rows = connection.execute(f"{_STANDING} (status IS NULL OR status = 'unknown') ORDER BY intent, position")
    return list(_entries(connection, rows))


def in_flight(connection: sqlite3.Connection, present: Present) -> dict[str, InFlight]:
    """The open operations that may have been sent, by key.

    An operation that a run of an older version intended may have been sent until that run's deadline.
    """
    (without_begin,) = connection.execute("SELECT without_begin FROM folded").fetchone()
    rows = connection.execute(
        "SELECT key, begun, intent, journal.at FROM operations JOIN journal ON number = coalesce(begun, intent)"
        " WHERE (status IS NULL OR status = 'unknown') AND (begun IS NOT NULL OR intent <= ?)",
        (without_begin,),
    ).fetchall()
    known = {number: _begin(connection, number, present) for number in {begun for _, begun, _, _ in rows} if number}
    found: dict[str, InFlight] = {}
    for key, begun, _, at in rows:
        found[key] = InFlight(max(0, present.now - at - LONGEST_RUN), False) if begun is None else known[begun]
    return found


def _begin(connection: sqlite3.Connection, number: int, present: Present) -> InFlight:
    """How long ago the attempts in a row of step ``begin`` began; by the wall clock if the machine has no other."""
    at, body = connection.execute("SELECT at, body FROM journal WHERE number = ?", (number,)).fetchone()
    content = json.loads(body)
    dead = content["process"] is not None and is_dead(content["pid"], content["process"])
    boot = content["boot"] and BootTime(*content["boot"])
    if boot and present.boot is not None and boot.boot == present.boot.boot:
        return InFlight(max(0, present.boot.at - boot.at), dead)
    if present.store is not None and "stored" in content:
        return InFlight(max(0, present.store - content["stored"]), dead)
    return InFlight(max(0, present.now - at), dead)


def entries(connection: sqlite3.Connection, run: str) -> list[Entry]:
    """The operations of the run with this id or unique prefix, in journal order. Raises KeyError if there is no such
    run.
    """
    found = connection.execute(
        "SELECT number, id FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id = ?1 DESC LIMIT 2", (run,)
    ).fetchall()
    if not found:
        raise KeyError(f"there is no run {run}")
    if len(found) > 1 and found[0][1] != run:
        raise KeyError(f"more than one run begins with {run}")
    intents = connection.execute("SELECT number FROM journal WHERE step = 'intend' AND run = ?", (found[0][0],))
    _require(connection, {number for (number,) in intents})
    keys = connection.execute(
        "SELECT each.value FROM journal, json_each(journal.body, '$.key') AS each"
        " WHERE step = 'intend' AND run = ? ORDER BY journal.number, each.key",
        (found[0][0],),
    )
    order = {key: place for place, (key,) in enumerate(reversed(keys.fetchall()))}
    rows = (row for chunk in _chunks(order) for row in connection.execute(f"{_STANDING} {_AMONG}", (chunk,)))
    return sorted(_entries(connection, rows), key=lambda entry: order[entry.operation.key], reverse=True)


def all_entries(connection: sqlite3.Connection) -> list[Entry]:
    """Every operation; those that ended are in the order in which they did."""
    return list(_entries(connection, connection.execute(f"{_STANDING} TRUE ORDER BY ended_at, intent, position")))


def statuses(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, Status]:
    """The outcome of each of these operations that has one; returns early if none was ever sent."""
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM operations)").fetchone()[0]:
        return {}
    return {key: Status(status) for chunk in _chunks(keys) for key, status in connection.execute(_STATUSES, (chunk,))}


def shown(connection: sqlite3.Connection, keys: Iterable[str]) -> dict[str, str]:
    """The digest of what the service showed of each of these pushes, if known."""
    return dict(pair for chunk in _chunks(keys) for pair in connection.execute(_SHOWN, (chunk,)))


def behaviour(connection: sqlite3.Connection, target: str) -> Behaviour:
    """How the service at a target was last seen to behave."""
    found = connection.execute("SELECT merges, rejects_whole FROM behaviours WHERE target = ?", (target,)).fetchone()
    return Behaviour(*(value if value is None else bool(value) for value in found or ()))


def view(
    connection: sqlite3.Connection, now: int, visible_within: int, targets: Mapping[str, str] | None = None
) -> LedgerView:
    """The planner's view; ``recent`` covers the last ``visible_within`` ms, ``cleared`` and ``orphans`` the last 30
    days.

    Operations at other ``targets`` are left out. A write dated later than that after ``now`` was made before the clock
    was set back and may be old: it is not ``recent``.
    """
    places = None if targets is None else set(targets.values())
    facts = connection.execute(
        "SELECT type, name, instance, occurrence, place FROM operations"
        " WHERE status = 'done' AND occurrence IS NOT NULL"
    )
    recorded = frozenset(
        (Address(kind, name, key), occurrence)
        for kind, name, key, occurrence, place in facts
        if places is None or place is None or place in places
    )
    cleared = connection.execute(
        "SELECT target, ended_at, place FROM operations"
        " WHERE status = 'done' AND target IS NOT NULL AND ended_at >= ? ORDER BY ended_at",
        (now - REMEMBERED,),
    )
    recent = connection.execute(
        f"{_STANDING} status = 'done' AND confirmed_at IS NULL AND ended_at BETWEEN ? AND ?"
        " ORDER BY ended_at, intent, position",
        (now - visible_within, now + visible_within),
    )
    writes = tuple(entry for entry in _entries(connection, recent) if is_at(entry, targets))
    left = () if targets is None else _orphans(connection, now, targets)
    canaries = connection.execute(
        "SELECT plan_id FROM runs WHERE command = ? AND started_at >= ?", (CHECK, now - REMEMBERED)
    )
    return LedgerView(
        recorded,
        writes,
        {id_: at for id_, at, place in cleared if places is None or place is None or place in places},
        _attempted(connection, recorded, targets),
        left,
        frozenset(plan for (plan,) in canaries),
    )


def _orphans(connection: sqlite3.Connection, now: int, targets: Mapping[str, str]) -> tuple[Orphan, ...]:
    """Alarms at other targets than these; the whole journal is read only if it has such a target."""
    if not _has_other_providers(connection, now, targets) and not _has_other_targets(connection, now, targets):
        return ()
    rows = connection.execute(
        f"{_STANDING} status = 'done' AND ended_at >= ? ORDER BY ended_at, intent, position", (now - REMEMBERED,)
    )
    return orphans(_entries(connection, rows), targets, now, REMEMBERED)


def _has_other_providers(connection: sqlite3.Connection, now: int, providers: Collection[str]) -> bool:
    known = tuple(map(told_provider, providers))
    told = connection.execute(
        "SELECT DISTINCT substr(body, instr(body, ?), ?) FROM journal WHERE step = 'intend' AND at >= ?",
        (PROVIDER, max(map(len, known), default=1), now - REMEMBERED),
    )
    return any(not text.startswith(known) for (text,) in told)


def _has_other_targets(connection: sqlite3.Connection, now: int, targets: Mapping[str, str]) -> bool:
    told = connection.execute(
        "SELECT DISTINCT targets FROM runs WHERE targets IS NOT NULL AND started_at >= ?",
        (now - REMEMBERED - LONGEST_RUN,),
    )
    return any(targets.get(key, target) != target for (text,) in told for key, target in json.loads(text).items())


def _attempted(
    connection: sqlite3.Connection, recorded: Container[tuple[Address, str]], targets: Mapping[str, str] | None
) -> dict[tuple[Address, str], int]:
    """When each event that was tried and is not on record began, by its first attempt."""
    tried = connection.execute(
        f"{_STANDING} occurrence IS NOT NULL AND (status IS NULL OR status != 'done') ORDER BY intent, position"
    )
    first: dict[tuple[Address, str], int] = {}
    for entry in _entries(connection, tried):
        fact = (entry.operation.address, entry.operation.occurrence or "")
        if entry.operation.begins_at is not None and fact not in recorded and is_at(entry, targets):
            first.setdefault(fact, entry.operation.begins_at)
    return first


def _chunks(keys: Iterable[str]) -> Iterator[str]:
    wanted = list(keys)
    for start in range(0, len(wanted), _CHUNK):
        yield encode_keys(wanted[start : start + _CHUNK])


class ThinRowsError(Exception):
    """A query needs rows whose payloads this copy of the journal does not hold; ``numbers`` are the rows' numbers."""

    def __init__(self, numbers: frozenset[int]) -> None:
        super().__init__(f"{len(numbers)} rows are not at hand")
        self.numbers = numbers


def _require(connection: sqlite3.Connection, numbers: Collection[int]) -> None:
    """Raise ThinRowsError for intents without payloads, which a replica of a shared journal fetches on demand."""
    thin = connection.execute(
        "SELECT number FROM journal WHERE number IN (SELECT value FROM json_each(?)) AND step = 'intend'"
        " AND payloads = ''",
        (json.dumps(list(numbers)),),
    )
    found = frozenset(number for (number,) in thin)
    if found:
        raise ThinRowsError(found)


_Standing = tuple[int, int, int, str | None, int | None, int | None, str | None, str | None, int | None, str]


def _entries(connection: sqlite3.Connection, rows: Iterable[_Standing]) -> Iterator[Entry]:
    """Build the entries for rows of ``_STANDING``; each journal row is read once."""
    rows = list(rows)
    _require(connection, {row[0] for row in rows})
    intents: dict[int, tuple[str, int, Mapping[str, str], Sequence[Operation]]] = {}
    for intent, position, attempts, status, ended_at, confirmed_at, answer, service_id, begun_at, key in rows:
        if intent not in intents:
            intents[intent] = _intent(connection, intent)
        run, at, targets, operations = intents[intent]
        if operations[position].key != key:
            raise ValueError(f"the table of operations has {key!r} at the wrong row of the journal")
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
            begun_at,
            targets.get(operations[position].provider),
        )


def _intent(connection: sqlite3.Connection, number: int) -> tuple[str, int, Mapping[str, str], Sequence[Operation]]:
    found = connection.execute(
        "SELECT runs.id, plan_id, command, targets, origin, runs.digest, step, run, at, body, payloads,"
        " journal.digest FROM journal"
        " JOIN runs ON runs.number = journal.run WHERE journal.number = ?",
        (number,),
    ).fetchone()
    if found is None:
        raise ValueError(f"row {number} of the journal is missing")
    run, plan, command, targets, origin, digest, *columns = found
    check_run(digest, run, plan, command, targets, origin)
    row = Row(*columns)
    row.check()
    try:
        return run, row.at, json.loads(targets) if targets else {}, decode_intent(row.body, row.payloads)
    except KeyError as error:
        raise ValueError(f"row {number} of the journal has no {error}") from None
