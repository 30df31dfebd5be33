"""Retention: which operations and runs of a ledger are still needed, and journal rows without the others."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from reconciler.core.address import NAME, Address
from reconciler.core.duration import DAY
from reconciler.core.operation import Operation, Status, Verb
from reconciler.ledger.codec import (
    Row,
    decode_confirmed,
    decode_intent,
    encode,
    encode_confirmed,
    encode_intent,
)
from reconciler.ledger.protocol import CHECK, Entry, Run
from reconciler.ledger.queries import REMEMBERED, expiry, standing_pushes

LEAST = DAY
"""The shortest limit (ms): longer than a service takes to show a write, and than a run takes."""

_SLACK = DAY
"""How late (ms) an alarm may end, plus how far the clocks of runners may differ."""


class Limit(NamedTuple):
    """A limit: whatever is older than ``older_than`` (ms) at ``now`` (epoch ms) may be removed.

    ``needed`` are keys to keep regardless.
    """

    now: int
    older_than: int
    needed: Collection[str] = frozenset()

    def at(self, clock: int) -> Limit:
        """The limit by the earlier of two clocks, so that a fast clock does not remove what is needed."""
        return self._replace(now=min(self.now, clock))

    def is_recent(self, at: int, *, canary: bool) -> bool:
        """Whether an instant is too recent to be removed. An operation that is not of a canary is needed for as long as
        plans look back.
        """
        reach = self.older_than if canary else max(self.older_than, REMEMBERED + _SLACK)
        return at > self.now - reach


class Surplus(NamedTuple):
    """What is no longer needed: keys of operations, and ids of runs."""

    operations: frozenset[str]
    runs: frozenset[str]


def find_surplus(entries: Sequence[Entry], runs: Sequence[Run], rows: Iterable[Row], limit: Limit) -> Surplus:
    """Find what can be removed without changing any later plan or apply.

    ``entries`` are all operations, those that ended in the order in which they did; ``rows`` name runs as ``runs``
    does.

    Needed are: operations without a known outcome, events on record, everything that plans look back at, pushes of
    alarms that may still fire with the later operations at their addresses, and all operations of a plan that could
    still be applied. A canary is needed only while it may fire, since no plan declares it.
    """
    plans = {run.id: run.plan_id for run in runs}
    valid = {plans[entry.run] for entry in entries if _could_be_sent(entry, limit.now)}
    standing = {entry.operation.key for entry in standing_pushes(e for e in entries if e.status is Status.DONE)}

    def is_needed(entry: Entry) -> bool:
        operation = entry.operation
        return (
            _is_needed(entry, limit)
            or operation.key in standing
            or operation.key in limit.needed
            or (plans[entry.run] in valid and not _is_canary(operation))
        )

    unneeded = [entry for entry in entries if not is_needed(entry)]
    left = {entry.operation.key for entry in unneeded}
    since: dict[Address, int] = {}
    for entry in entries:
        if entry.operation.verb is Verb.PUSH and entry.operation.key not in left:
            since.setdefault(entry.operation.address, entry.ended_at or 0)
    surplus = frozenset(
        entry.operation.key
        for entry in unneeded
        if entry.ended_at is None or entry.ended_at < since.get(entry.operation.address, limit.now)
    )
    used = {str(row.run) for row in rows if row.step == "intend" and without(row, surplus) is not None}
    kept_plans = {plans[run] for run in used}
    unused = frozenset(
        run.id
        for run in runs
        if run.id not in used
        and run.plan_id not in kept_plans
        and not limit.is_recent(max(run.started_at, run.ended_at or 0), canary=run.command == CHECK)
    )
    return Surplus(surplus, unused)


def _is_needed(entry: Entry, limit: Limit) -> bool:
    operation, canary = entry.operation, _is_canary(entry.operation)
    if entry.status not in (Status.DONE, Status.FAILED) or (operation.occurrence is not None and not canary):
        return True
    last = max(at or 0 for at in (entry.intended_at, entry.begun_at, entry.ended_at, entry.confirmed_at))
    if limit.is_recent(last, canary=canary):
        return True
    return operation.verb is Verb.PUSH and expiry(entry, REMEMBERED) + _SLACK > limit.now


def _could_be_sent(entry: Entry, now: int) -> bool:
    """Whether a saved plan with this operation could still be applied, judging by its times."""
    operation = entry.operation
    if _is_canary(operation) or operation.occurrence is not None or operation.verb is Verb.CLEAR:
        return operation.send_by is not None and operation.send_by > now
    return operation.send_by is None or operation.send_by > now


def _is_canary(operation: Operation) -> bool:
    return operation.address.name == NAME


def without(row: Row, keys: Collection[str]) -> Row | None:
    """A journal row without these operations, sealed again if it changed; None if nothing is left."""
    if row.step not in _CUT:
        return row
    body = json.loads(row.body)
    told = _keys(body)
    left = [key for key in told if key not in keys]
    if len(left) == len(told):
        return row
    return _CUT[row.step](row, body, frozenset(left)).sealed() if left else None


def _keys(body: Any) -> list[str]:
    """The keys of operations in a row's parsed body; confirmations of an older version are a plain list of keys."""
    if isinstance(body, list):
        return body
    return list(body["key"]) if "key" in body else [*body["done"], *(told[0] for told in body["told"])]


def _cut_intent(row: Row, _: object, kept: frozenset[str]) -> Row:
    operations = decode_intent(row.body, row.payloads)
    body, payloads = encode_intent([operation for operation in operations if operation.key in kept])
    return row._replace(body=body, payloads=payloads)


def _cut_begin(row: Row, body: Any, kept: frozenset[str]) -> Row:
    return row._replace(body=encode(body | {"key": [key for key in body["key"] if key in kept]}))


def _cut_settled(row: Row, body: Any, kept: frozenset[str]) -> Row:
    done = [key for key in body["done"] if key in kept]
    return row._replace(body=encode({"done": done, "told": [told for told in body["told"] if told[0] in kept]}))


def _cut_confirmed(row: Row, body: Any, kept: frozenset[str]) -> Row:
    left = [(key, shown) for key, shown in decode_confirmed(body) if key in kept]
    told = {key: shown for key, shown in left if shown is not None}
    return row._replace(body=encode_confirmed([key for key, _ in left], told))


_CUT = {"intend": _cut_intent, "begin": _cut_begin, "settle": _cut_settled, "confirm": _cut_confirmed}
