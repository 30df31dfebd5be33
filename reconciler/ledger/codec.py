"""Rows of the journal: operations and outcomes as the text that is stored, and back.

A row holds all operations of one call, column by column, so that journalling costs little for each: a column whose
values are all the same is stored once, and payloads, being JSON texts already, are not encoded a second time.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import repeat
from typing import Any, NamedTuple

from reconciler.core.address import Address
from reconciler.core.operation import Operation, Outcome, Status, Verb
from reconciler.core.origin import Origin
from reconciler.ledger.lease import BootTime
from reconciler.ledger.protocol import Behaviour

PROVIDER = '"provider":'
"""What the column of providers begins with in the body of a row; inside a text of it the quotes would be escaped."""

_SEALED = "3:"  # what a digest begins with that is of a whole row

_SEPARATOR = "\x1e"  # no JSON text holds one as it is (RFC 8259, section 7)
_RENAMED = {"after": "depends_on", "unless_refreshed": "only_if_duplicate"}
"""What older journals call fields of an operation."""

_WHOLE = ("key", "address")
_PAYLOAD = Operation._fields.index("payload")

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
"""The JSON text of plain values, as it is kept."""


class Intent(NamedTuple):
    """What a row of step ``intend`` holds, as text."""

    body: str
    payloads: str


class Row(NamedTuple):
    """One row of the journal, as it is stored; ``run`` is the number of its run in a file, its id in a shared store."""

    step: str
    run: int | str | None
    at: int
    body: str
    payloads: str | None = None
    digest: str | None = None

    def sealed(self) -> "Row":
        """The row with its digest."""
        return self._replace(digest=f"{_SEALED}{self._digest()}")

    def check(self) -> None:
        """Raise ValueError unless the row is what was written; rows of older versions have a weaker digest, or none."""
        if self.digest is None:
            whole = self.step != "intend"
        elif self.digest.startswith(_SEALED):
            whole = self.digest == f"{_SEALED}{self._digest()}"
        else:
            whole = self.digest == _hash(f"{self.body}{_SEPARATOR}{self.payloads}")
        if not whole:
            raise ValueError("an operation is not what was written" if self.step == "intend" else "a row was altered")

    def _digest(self) -> str:
        return _hash(_SEPARATOR.join(map(str, self[:5])))


class Effect(NamedTuple):
    """What an operation leaves in the view of the past: the fact it records or the id it clears, at which target."""

    address: Address
    occurrence: str | None
    target: str | None
    place: str | None


class DetailedOutcome(NamedTuple):
    """An outcome that says more than "done"."""

    key: str
    status: str
    answer: str | None
    id: str | None


def encode_intent(operations: Sequence[Operation]) -> Intent:
    """The row for operations that are about to be sent; ValueError where a payload is no JSON text."""
    columns = list(zip(*operations, strict=True))
    payloads = _SEPARATOR.join(columns[_PAYLOAD])
    if payloads.count(_SEPARATOR) != len(operations) - 1:
        raise ValueError("a payload holds a control character, so it is no JSON text")
    fields = {
        name: column if name in _WHOLE or column.count(column[0]) != len(column) else column[:1]
        for name, column in zip(Operation._fields, columns, strict=True)
        if name != "payload"
    }
    fields["marks"] = tuple(
        (position, op.address, op.occurrence, None) if op.verb is Verb.PUSH else (position, op.address, None, op.target)
        for position, op in enumerate(operations)
        if op.occurrence is not None or op.target is not None
    )
    body = encode(fields)
    (body + payloads).encode()  # raises if a half of a surrogate pair is in it
    return Intent(body, payloads)


def told_provider(key: str) -> str:
    """What the body of a row has at ``PROVIDER`` where all its operations are a provider's, and only there."""
    return f"{PROVIDER}{encode([key])}"


def decode_intent(intent: Intent) -> list[Operation]:
    """The operations of a row, to the byte."""
    fields = {_RENAMED.get(name, name): column for name, column in json.loads(intent.body).items()}
    count = len(fields["key"])
    columns = {name: column if len(column) == count else column * count for name, column in fields.items()}
    columns["address"] = [Address(*parts) for parts in columns["address"]]
    columns["verb"] = [Verb(verb) for verb in columns["verb"]]
    columns["payload"] = intent.payloads.split(_SEPARATOR)
    for name, default in Operation._field_defaults.items():  # an older journal knows fewer fields
        columns.setdefault(name, [default] * count)
    return [Operation(*values) for values in zip(*(columns[name] for name in Operation._fields), strict=True)]


def decode_marks(body: Mapping[str, Any], targets: Mapping[str, str]) -> Iterator[tuple[str, Effect]]:
    """The marks of a row's operations, by key, from its parsed body and the targets of its run."""
    providers = body["provider"]
    for position, address, occurrence, target in body["marks"]:
        place = targets.get(providers[position if len(providers) > 1 else 0])
        yield body["key"][position], Effect(Address(*address), occurrence, target, place)


def encode_outcomes(outcomes: Iterable[Outcome]) -> str:
    """The row for outcomes; the last word on a key counts. Text of a service is kept as it is, halves of surrogate
    pairs, which no file can hold, written as escapes.
    """
    done, told = [], []
    for key, status, error, id_ in {outcome.key: outcome for outcome in outcomes}.values():
        if status is Status.DONE and error is None and id_ is None:
            done.append(key)
        else:
            told.append((key, status, _storable(None if error is None else str(error)), _storable(id_)))
    return encode({"done": done, "told": told})


def encode_begin(keys: Iterable[str], boot: BootTime | None, process: str | None, fence: int | None = None) -> str:
    """The row for operations that are being sent, by which process, and when by the machine's own clock.

    The ``fence`` tells the rows of two holders apart in a shared ledger.
    """
    held = {} if fence is None else {"fence": fence}
    return encode({"key": list(keys), "boot": boot, "process": process, "pid": os.getpid(), **held})


def encode_keys(keys: Iterable[str]) -> str:
    """A JSON list of keys."""
    return encode(list(keys))


def encode_confirmed(keys: Iterable[str], shown: Mapping[str, str]) -> str:
    """The row for operations whose effect shows, with the digests of what is shown; equal ones are stored once."""
    known = list(keys)
    column = [shown.get(key) for key in known]
    return encode(
        {"key": known, "shown": column[:1] if column.count(column[0]) == len(column) else column} if known else []
    )


def decode_confirmed(body: Mapping[str, Any] | list[str]) -> Iterator[tuple[str, str | None]]:
    """The keys of a row with the digests of what was shown, from its parsed body; older rows hold the keys alone."""
    if isinstance(body, list):
        return zip(body, repeat(None))
    keys, column = body["key"], body["shown"]
    return zip(keys, column if len(column) == len(keys) else column * len(keys), strict=True)


def encode_behaviour(target: str, behaviour: Behaviour) -> str:
    """The row for how the service at a target behaves."""
    return encode({"target": target, **behaviour._asdict()})


def decode_behaviour(body: Mapping[str, Any]) -> tuple[str, Behaviour]:
    """The target of a row and how its service behaves, from its parsed body."""
    found = Behaviour(body["merges"], body["rejects_whole"])
    if not all(value is None or isinstance(value, bool) for value in found):
        raise ValueError("a behaviour holds a value of another type")
    return body["target"], found


def decode_told(body: Mapping[str, Any]) -> list[DetailedOutcome]:
    """The outcomes of a row that say more than "done", from its parsed body."""
    return [DetailedOutcome(*outcome) for outcome in body["told"]]


def encode_origin(origin: Origin | None) -> str | None:
    """The text of who started a run."""
    return None if origin is None else encode([_storable(part) for part in origin])


def decode_origin(text: str | None) -> Origin | None:
    """Who started a run. Raises ValueError or TypeError unless the text is what was written."""
    if text is None:
        return None
    found = Origin(*json.loads(text))
    if not all(isinstance(part, str | None) for part in found):
        raise ValueError("the origin of a run holds a value of another type")
    return found


def _storable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def run_digest(id: object, plan: object, command: object, targets: object, origin: object) -> str:
    """The digest of the columns of a run that do not change after it began."""
    return _hash(_SEPARATOR.join(map(str, (id, plan, command, targets, origin))))


def check_run(digest: object, *columns: object) -> None:
    """Raise ValueError unless a run is what was written; ``columns`` are those of ``run_digest``."""
    if digest is not None and digest != run_digest(*columns):
        raise ValueError(f"run {columns[0]} is not what was written")


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
