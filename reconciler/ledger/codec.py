"""The rows of the journal: encodes operations and outcomes as the text that is stored, and decodes them.

A row holds all operations of one call, column by column: a column whose values are all equal is stored once, and
payloads, which are JSON already, are not encoded a second time. That keeps the cost per operation low.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import repeat
from operator import contains
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.core.address import Address
from reconciler.core.operation import Operation, Outcome, Status, Verb
from reconciler.ledger.lease import BootTime
from reconciler.ledger.protocol import Behaviour

if TYPE_CHECKING:
    from reconciler.core.origin import Origin

PROVIDER = '"provider":'
"""The start of the provider column in a row's body. It cannot occur inside a text, where its quotes would be
escaped.
"""

_SEALED = "3:"  # the prefix of a digest that covers a whole row

_SEPARATOR = "\x1e"  # never occurs unescaped in JSON text (RFC 8259, section 7)
_RENAMED = {"after": "depends_on", "unless_refreshed": "only_if_duplicate"}
"""Names of operation fields in older journals, and their names now."""

_WHOLE = ("key", "address")
_PAYLOAD = Operation._fields.index("payload")

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
"""Encode a plain value as the JSON text that is stored."""


class Row(NamedTuple):
    """One stored row of the journal; ``run`` is the run's number in a file, and its id in a shared store."""

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
        """Raise ValueError if the row was altered. Rows of older versions have a weaker digest, or none."""
        if self.digest is None:
            whole = self.step != "intend"
        elif self.digest.startswith(_SEALED):
            whole = self.digest == f"{_SEALED}{self._digest()}"
        else:
            whole = self.digest == _hash(f"{self.body}{_SEPARATOR}{self.payloads}")
        if not whole:
            raise ValueError("an operation is altered or damaged" if self.step == "intend" else "a row was altered")

    def _digest(self) -> str:
        first, *rest = self[:5]
        found = sha256(str(first).encode())
        for part in rest:
            found.update(_SEPARATOR.encode())
            found.update(str(part).encode())
        return found.hexdigest()


def encode_intent(operations: Sequence[Operation]) -> tuple[str, str]:
    """The body and the payloads of a row for operations that are about to be sent. Raises ValueError if a payload is
    not valid JSON text.
    """
    columns = list(zip(*operations, strict=True))
    if any(map(contains, columns[_PAYLOAD], repeat(_SEPARATOR))):
        raise ValueError("a payload holds a control character, so it is not JSON text")
    payloads = _SEPARATOR.join(columns[_PAYLOAD])
    fields = {
        name: column if name in _WHOLE or not _is_uniform(column) else column[:1]
        for name, column in zip(Operation._fields, columns, strict=True)
        if name != "payload"
    }
    fields["marks"] = (
        ()
        if fields["occurrence"] == fields["target"] == (None,)
        else tuple(
            (position, op.address, op.occurrence, None)
            if op.verb is Verb.PUSH
            else (position, op.address, None, op.target)
            for position, op in enumerate(operations)
            if op.occurrence is not None or op.target is not None
        )
    )
    body = encode(fields)
    for text in (body, payloads):
        if not text.isascii():
            text.encode()  # raises if it contains a lone surrogate
    return body, payloads


def _is_uniform(column: Sequence[object]) -> bool:
    return column[-1] == column[0] and column.count(column[0]) == len(column)


def told_provider(key: str) -> str:
    """The text at ``PROVIDER`` in the body of a row if all its operations belong to this provider, and only then."""
    return f"{PROVIDER}{encode([key])}"


def decode_intent(body: str, payloads: str | None) -> list[Operation]:
    """Decode the operations of a row, byte for byte."""
    fields = {_RENAMED.get(name, name): column for name, column in json.loads(body).items()}
    count = len(fields["key"])
    columns = {name: column if len(column) == count else column * count for name, column in fields.items()}
    columns["address"] = [Address(*parts) for parts in columns["address"]]
    columns["verb"] = [Verb(verb) for verb in columns["verb"]]
    columns["payload"] = (payloads or "").split(_SEPARATOR)
    for name, default in Operation._field_defaults.items():  # older journals have fewer fields
        columns.setdefault(name, [default] * count)
    return [Operation(*values) for values in zip(*(columns[name] for name in Operation._fields), strict=True)]


def encode_outcomes(outcomes: Iterable[Outcome]) -> str:
    """Encode outcomes; the last outcome of a key counts.

    Text from a service is stored unchanged, except that lone surrogates, which no file can hold, are escaped.
    """
    done, told = [], []
    for key, status, error, id_ in {outcome.key: outcome for outcome in outcomes}.values():
        if status is Status.DONE and error is None and id_ is None:
            done.append(key)
        else:
            told.append((key, status, _storable(None if error is None else str(error)), _storable(id_)))
    return encode({"done": done, "told": told})


def encode_begin(keys: Iterable[str], boot: BootTime | None, process: str | None, fence: int | None = None) -> str:
    """Encode that operations are being sent, by which process, and since when by the machine's clock.

    In a shared ledger, ``fence`` distinguishes the rows of two lease holders.
    """
    held = {} if fence is None else {"fence": fence}
    return encode({"key": list(keys), "boot": boot, "process": process, "pid": os.getpid(), **held})


def encode_keys(keys: Iterable[str]) -> str:
    """A JSON list of keys."""
    return encode(list(keys))


def encode_confirmed(keys: Iterable[str], shown: Mapping[str, str]) -> str:
    """Encode that the effect of operations is visible, with digests of the content shown; equal digests are stored
    once.
    """
    known = list(keys)
    column = [shown.get(key) for key in known]
    return encode(
        {"key": known, "shown": column[:1] if column.count(column[0]) == len(column) else column} if known else []
    )


def decode_confirmed(body: Mapping[str, Any] | list[str]) -> Iterator[tuple[str, str | None]]:
    """Decode keys and digests of the content shown, from a row's parsed body; older rows hold only the keys."""
    if isinstance(body, list):
        return zip(body, repeat(None))
    keys, column = body["key"], body["shown"]
    return zip(keys, column if len(column) == len(keys) else column * len(keys), strict=True)


def encode_behaviour(target: str, behaviour: Behaviour) -> str:
    """Encode how the service at a target behaves."""
    return encode({"target": target, **behaviour._asdict()})


def decode_behaviour(body: Mapping[str, Any]) -> tuple[str, Behaviour]:
    """Decode a target and how its service behaves, from a row's parsed body."""
    found = Behaviour(body["merges"], body["rejects_whole"])
    if not all(value is None or isinstance(value, bool) for value in found):
        raise ValueError("a behaviour holds a value of another type")
    return body["target"], found


def encode_origin(origin: "Origin | None") -> str | None:
    """Encode who started a run."""
    return None if origin is None else encode([_storable(part) for part in origin])


def decode_origin(text: str | None) -> "Origin | None":
    """Decode who started a run. Raises ValueError or TypeError if the text was altered."""
    if text is None:
        return None
    from reconciler.core.origin import Origin

    found = Origin(*json.loads(text))
    if not all(isinstance(part, str | None) for part in found):
        raise ValueError("the origin of a run holds a value of another type")
    return found


def _storable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def run_digest(id: object, plan: object, command: object, targets: object, origin: object) -> str:
    """The digest of the columns of a run that do not change after the run began."""
    return _hash(_SEPARATOR.join(map(str, (id, plan, command, targets, origin))))


def check_run(digest: object, *columns: object) -> None:
    """Raise ValueError if a run was altered; ``columns`` are those of ``run_digest``."""
    if digest is not None and digest != run_digest(*columns):
        raise ValueError(f"run {columns[0]} is altered or damaged")


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
