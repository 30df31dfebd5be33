"""Operations and runs to journal in tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.core.address import Address
from reconciler.core.operation import Operation, Verb
from reconciler.ledger.protocol import Holder, Ledger, Run, RunState
from reconciler.ledger.sqlite import open_ledger

NOW = 1_767_225_600_000
LIFETIME = 60_000
HOST = "runner-1"
GONE = 2**22 + 1  # above the largest process id Linux gives


def operation(key: str, **fields: object) -> Operation:
    """A push of one alarm; ``fields`` replace what is given here."""
    base = Operation(key, Address("aom_alarm", "cpu", key), "aom", Verb.PUSH, f'{{"event":"{key}"}}', f"digest-{key}")
    return base._replace(**fields)


def operations(*keys: str) -> list[Operation]:
    return [operation(key) for key in keys]


def event(key: str, occurrence: str, name: str = "release") -> Operation:
    return operation(key, address=Address("ces_event", name), provider="ces", occurrence=occurrence)


def clear(key: str, target: str) -> Operation:
    return operation(key, verb=Verb.CLEAR, target=target, digest=None)


def run(id: str = "run-1") -> Run:
    return Run(id, f"plan-of-{id}", "apply", NOW, None, RunState.RUNNING)


def acquire_lease(ledger: Ledger, owner: str = "ci", pid: int = GONE, now: int = NOW) -> Holder:
    return ledger.acquire(owner, HOST, pid, now, LIFETIME)


@contextmanager
def begun(path: Path, id: str = "run-1") -> Iterator[tuple[Ledger, Holder]]:
    """A ledger whose lease is taken and where a run has begun."""
    ledger = open_ledger(path)
    try:
        holder = acquire_lease(ledger)
        ledger.begin(holder, run(id))
        yield ledger, holder
    finally:
        ledger.close()
