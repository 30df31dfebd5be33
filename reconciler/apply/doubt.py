"""Events that an earlier run may have recorded: they wait for the service's window while everything else is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event
from typing import NamedTuple

from reconciler.apply.progress import Progress
from reconciler.apply.sender import read_back
from reconciler.core.address import Address
from reconciler.core.clock import Clock
from reconciler.core.duration import format_instant
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status, Verb
from reconciler.core.retry import poll_intervals
from reconciler.ledger.protocol import Entry, InFlight, Ledger, is_at
from reconciler.providers.protocol import Limits, Provider

NEVER_ARRIVED = ServiceErrorDetail("the service does not show it: planned anew if it is still due")


class Doubt(NamedTuple):
    """An event to record that earlier attempts may have recorded; ``until`` (by the monotonic clock) they may show."""

    operation: Operation
    earlier: tuple[str, ...]
    until: int


def settling_window(attempt: InFlight, limits: Limits, operation: Operation) -> int:
    """How long (ms) from now on an attempt that does not show may still come to show.

    Only an event is waited for: an alarm can be pushed again, and a second one beside it is cleared; so can a clear.
    The request itself may take its time as long as its sender may be alive.
    """
    if operation.verb is Verb.CLEAR or operation.occurrence is None:
        return 0
    window = limits.visible_within + (0 if attempt.sender_is_dead else limits.request_timeout)
    return max(0, window - attempt.age)


def find_doubts(
    operations: Sequence[Operation],
    ledger: Ledger,
    providers: Mapping[str, Provider],
    targets: Mapping[str, str],
    clock: Clock,
) -> list[Doubt]:
    """The events among these operations that an open attempt of an earlier run may still record."""
    due = {_fact(operation): operation for operation in operations if operation.occurrence is not None}
    if not due:
        return []
    attempts = ledger.in_flight(clock.now())
    now = clock.monotonic()
    earlier: dict[tuple[str, Address, str | None], list[tuple[str, int]]] = {}
    for entry in ledger.open_intents() if attempts else ():
        fact = _fact(entry.operation)
        if fact in due and entry.operation.key in attempts and is_at(entry, targets):
            limits = providers[entry.operation.provider].limits
            left = settling_window(attempts[entry.operation.key], limits, entry.operation)
            earlier.setdefault(fact, []).append((entry.operation.key, now + left))
    return [
        Doubt(due[fact], tuple(key for key, _ in found), max(until for _, until in found))
        for fact, found in earlier.items()
    ]


def poll_events(
    doubts: Sequence[Doubt], provider: Provider, clock: Clock, stop: Event, progress: Progress
) -> frozenset[str] | None:
    """The keys of the events that are visible once all are, or their window has passed.

    None if they cannot be queried.
    """
    operations = [doubt.operation for doubt in doubts]
    until = max(doubt.until for doubt in doubts)
    if until > clock.monotonic():
        progress.note(waiting_note(len(doubts), provider.key, clock.now() + until - clock.monotonic()))
    for pause in poll_intervals():
        now = clock.monotonic()
        shown = read_back(provider, operations)
        if shown is not None and (now >= until or len(shown) == len(operations)):
            return shown
        if now >= until + provider.limits.visible_within:
            return None
        if clock.wait(pause, stop):
            return frozenset()
    return None


def decide(doubts: Sequence[Doubt], shown: frozenset[str]) -> list[Outcome]:
    """The outcomes of the earlier attempts."""
    outcomes = []
    for doubt in doubts:
        if doubt.operation.key in shown:
            outcomes += [Outcome(key, Status.DONE) for key in doubt.earlier]
        else:
            outcomes += [Outcome(key, Status.FAILED, NEVER_ARRIVED) for key in doubt.earlier]
    return outcomes


def _fact(operation: Operation) -> tuple[str, Address, str | None]:
    return operation.provider, operation.address, operation.occurrence


def open_elsewhere(entries: Sequence[Entry], targets: Mapping[str, str] | None) -> list[Entry]:
    """The entries that were begun at another target than their provider has now (rule 14)."""
    return [entry for entry in entries if not is_at(entry, targets)]


def waiting_note(count: int, provider: str, until: int) -> str:
    """What is waited for, and until when (epoch ms)."""
    events = "1 event" if count == 1 else f"{count:,} events"
    return f"{provider} may have recorded {events} of an earlier run: waiting for it until {format_instant(until)}"
