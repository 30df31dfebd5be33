"""Settling: queries the service for the outcome of every open intent, before anything new is planned (rule 7)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from threading import Event
from types import MappingProxyType
from typing import NamedTuple

from reconciler.apply.begin import MAX_DEPARTURE
from reconciler.apply.options import Progress
from reconciler.apply.verify import observe_effects, read_back, shown_contents, verify, visible_operations
from reconciler.core.address import Address
from reconciler.core.clock import Clock
from reconciler.core.duration import format_instant
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status, Verb
from reconciler.core.retry import poll_intervals
from reconciler.ledger.protocol import AS_SENT, Entry, Holder, InFlight, LeaseLostError, Ledger, is_at
from reconciler.providers.protocol import Limits, Provider, longest_visible_within

NEVER_ARRIVED = ServiceErrorDetail("the service does not show it: planned again if still declared")


class Doubt(NamedTuple):
    """An event to record that earlier attempts may have recorded; it may become visible until ``until`` (monotonic)."""

    operation: Operation
    earlier: tuple[str, ...]
    until: int


def settling_window(attempt: InFlight, limits: Limits) -> int:
    """How long (ms) from now an attempt that is not visible may still become visible.

    If the sender may be alive, the duration of its request is added.
    """
    request = 0 if attempt.sender_is_dead else MAX_DEPARTURE + limits.request_timeout
    window = limits.visible_within + request
    return max(0, window - attempt.age)


def find_doubts(
    operations: Sequence[Operation],
    ledger: Ledger,
    providers: Mapping[str, Provider],
    targets: Mapping[str, str],
    clock: Clock,
) -> list[Doubt]:
    """The events among these operations that an open attempt of an earlier run may still record.

    They are looked for before ``find_done``: an earlier run that lost its lease may journal an outcome at any moment,
    and what is not open any more is done then.
    """
    due = {_event_of(item): item for item in operations if item.occurrence is not None and not item.is_recorded}
    if not due:
        return []
    attempts = ledger.in_flight(clock.now())
    now = clock.monotonic()
    earlier: dict[tuple[str, Address, str | None], list[tuple[str, int]]] = {}
    for entry in ledger.open_intents() if attempts else ():
        fact = _event_of(entry.operation)
        if fact in due and entry.operation.key in attempts and is_at(entry, targets):
            limits = providers[entry.operation.provider].limits
            left = settling_window(attempts[entry.operation.key], limits)
            earlier.setdefault(fact, []).append((entry.operation.key, now + left))
    return [
        Doubt(due[fact], tuple(key for key, _ in found), max(until for _, until in found))
        for fact, found in earlier.items()
    ]


def find_done(
    operations: Sequence[Operation], ledger: Ledger, targets: Mapping[str, str], clock: Clock
) -> frozenset[str]:
    """The keys of the operations that are done, or whose event an earlier run has recorded under another key."""
    known = ledger.statuses([operation.key for operation in operations])
    done = {key for key, status in known.items() if status is Status.DONE}
    events = [item for item in operations if item.occurrence is not None and item.key not in done]
    if events:
        recorded = ledger.view(clock.now(), 0, targets).recorded
        done.update(item.key for item in events if (item.address, item.occurrence) in recorded)
    return frozenset(done)


def poll_events(
    doubts: Sequence[Doubt], provider: Provider, clock: Clock, stop: Event, progress: Progress
) -> frozenset[str] | None:
    """Poll until all events are visible, or their window has passed; returns the visible keys.

    None if they cannot be queried.
    """
    operations = [doubt.operation for doubt in doubts]
    until = max(doubt.until for doubt in doubts)
    if until > clock.monotonic():
        progress.report(waiting_note(len(doubts), provider.key, clock.now() + until - clock.monotonic()))
    for pause in poll_intervals():
        now = clock.monotonic()
        shown = read_back(provider, operations)
        if shown is not None and (now >= until or len(shown) == len(operations)):
            return shown
        if now >= until + provider.limits.visible_within:
            return None
        if clock.pause(pause, stop):
            return frozenset()
    return None


def journal_outcomes(ledger: Ledger, holder: Holder, outcomes: Sequence[Outcome], now: int) -> None:
    """Journal outcomes of a run, but without its lease only those that are done.

    The next run may have begun the others again since: what is failed would not be open any more, while it is sent.
    """
    others = [outcome for outcome in outcomes if outcome.status is not Status.DONE]
    done = [outcome for outcome in outcomes if outcome.status is Status.DONE] if others else outcomes
    if done:
        ledger.record_outcomes(done, now)
    if others:
        with suppress(LeaseLostError), ledger.batch():
            ledger.begin_attempts(holder, (), now)  # checks the lease
            ledger.record_outcomes(others, now)


def decide(doubts: Sequence[Doubt], shown: frozenset[str]) -> list[Outcome]:
    """The outcomes of the earlier attempts."""
    outcomes = []
    for doubt in doubts:
        if doubt.operation.key in shown:
            outcomes += [Outcome(key, Status.DONE) for key in doubt.earlier]
        else:
            outcomes += [Outcome(key, Status.FAILED, NEVER_ARRIVED) for key in doubt.earlier]
    return outcomes


def _event_of(operation: Operation) -> tuple[str, Address, str | None]:
    return operation.provider, operation.address, operation.occurrence


def open_elsewhere(entries: Sequence[Entry], targets: Mapping[str, str] | None) -> list[Entry]:
    """The entries that were sent to another target than their provider has now (rule 14)."""
    return [entry for entry in entries if not is_at(entry, targets)]


def waiting_note(events: int, provider: str, until: int, alarms: int = 0, clears: int = 0) -> str:
    """The message for a wait, until an instant (epoch ms)."""
    parts = [
        f"{verb} {count:,} {noun}{'' if count == 1 else 's'}"
        for verb, count, noun in (
            ("have recorded", events, "event"),
            ("still raise", alarms, "alarm"),
            ("still clear", clears, "alarm"),
        )
        if count
    ]
    what = "it" if events + alarms + clears == 1 else "them"
    return f"{provider} may {' and '.join(parts)} of an earlier run: waiting for {what} until {format_instant(until)}"


_NEVER_SENT = ServiceErrorDetail("never sent: its turn had not come when the run ended")


class Settlement(NamedTuple):
    """The outcome of the open intents of earlier runs.

    ``arrived`` are done, ``lost`` never reached the service as far as it shows, ``open`` could not be queried or were
    sent to another target. ``waiting`` are events that may still become visible.
    """

    arrived: tuple[Entry, ...] = ()
    lost: tuple[Entry, ...] = ()
    open: tuple[Entry, ...] = ()
    waiting: tuple[Entry, ...] = ()


def resolve_open_intents(
    ledger: Ledger,
    holder: Holder,
    providers: Mapping[str, Provider],
    clock: Clock,
    stop: Event,
    progress: Progress,
    *,
    targets: Mapping[str, str] | None = None,
    wait_for_events: bool = True,
    wanted: Mapping[Address, str | None] = MappingProxyType({}),
) -> Settlement:
    """Give every open intent its outcome, and wait for the effects of earlier runs, at most for each service's window.

    What was never begun is closed at once. So is what the plan sends again: alarms that are not visible and that are
    ``wanted``, which maps the addresses declared firing to the declared digests. Others would change what fires after
    the plan has looked: they are waited for like events, for the rest of the service's window since they were begun.
    Without ``wait_for_events`` events stay open, and the executor waits for those that are due while it sends the rest.
    Operations sent to other ``targets`` stay open. Raises DeniedError, and LeaseLostError if the lease is lost
    meanwhile.
    """
    entries = ledger.open_intents()
    attempts = ledger.in_flight(clock.now()) if entries else {}
    if len(attempts) < len(entries):  # an earlier run that lost its lease may have journalled an outcome meanwhile
        entries = ledger.open_intents()
    unsent = [entry for entry in entries if entry.operation.key not in attempts]
    elsewhere = open_elsewhere(entries, targets)
    begun = [entry for entry in entries if entry.operation.key in attempts and is_at(entry, targets)]
    arrived: list[Entry] = []
    lost: list[Entry] = []
    waiting: list[Entry] = []
    contents: dict[str, str] = {}
    unasked: list[Entry] = [entry for entry in elsewhere if entry.operation.key in attempts]
    for key in sorted({entry.operation.provider for entry in begun}):
        mine = [entry for entry in begun if entry.operation.provider == key]
        provider = providers.get(key)
        found = _look(provider, mine, attempts, clock, stop, progress, wait_for_events, wanted) if provider else None
        if found is None:
            unasked.extend(mine)
            continue
        contents |= found.contents
        arrived += [entry for entry in mine if entry.operation.key in found.shown]
        waiting += [entry for entry in mine if entry.operation.key in found.waiting]
        known = found.shown | found.waiting
        lost += [entry for entry in mine if entry.operation.key not in known]
    outcomes = [Outcome(entry.operation.key, Status.DONE) for entry in arrived]
    outcomes += [Outcome(entry.operation.key, Status.FAILED, NEVER_ARRIVED) for entry in lost]
    outcomes += [Outcome(entry.operation.key, Status.FAILED, _NEVER_SENT) for entry in unsent]
    if outcomes:
        with ledger.batch():
            ledger.begin_attempts(holder, (), clock.now())  # checks the lease: the next run may have begun them again
            ledger.record_outcomes(outcomes, clock.now())
            ledger.confirm([entry.operation.key for entry in arrived], clock.now(), _unchanged(contents))
    _await_recent(ledger, providers, clock, stop, progress, targets)
    return Settlement(tuple(arrived), (*unsent, *lost), tuple(unasked), tuple(waiting))


def _await_recent(
    ledger: Ledger,
    providers: Mapping[str, Provider],
    clock: Clock,
    stop: Event,
    progress: Progress,
    targets: Mapping[str, str] | None,
) -> None:
    """Wait until the last write at each address is visible, or its window has passed; journal the visible ones.

    A done write that is not visible yet could not be changed, since its id is not known. Earlier writes at an address
    are not waited for, but one that is visible is journalled too: it would look invisible once it is cleared. What was
    only noted, and never sent, is not looked for.
    """
    window = longest_visible_within(providers.values())
    now = clock.now()
    view = ledger.view(now, window, None if targets is None else dict(targets))
    recent = [entry for entry in view.recent if not entry.operation.is_recorded]
    last = {entry.operation.address: entry for entry in recent if entry.operation.provider in providers}
    if not last:
        return
    operations = [entry.operation for entry in last.values()]
    left = max((entry.ended_at or 0) + window - now for entry in last.values())
    within = min(window, max(0, left))  # a wall clock that was set back does not extend it
    unseen, shown, _ = verify(operations, providers, clock, stop, progress, within=within)
    ledger.confirm([item.key for item in operations if item.key not in unseen], clock.now(), _unchanged(shown))
    awaited = {item.key for item in operations}
    for key in sorted(providers):
        mine = [entry.operation for entry in recent if entry.operation.provider == key]
        if earlier := [item for item in mine if item.key not in awaited]:
            seen = observe_effects(providers[key], earlier) or ()
            visible = visible_operations(earlier, seen)
            found = _unchanged(shown_contents(earlier, seen))
            ledger.confirm([item.key for item in earlier if item.key in visible], clock.now(), found)


def _unchanged(shown: Mapping[str, str]) -> Mapping[str, str]:
    """The pushes whose visible content is what was sent.

    The others may have been edited since the run that pushed them.
    """
    return {key: content for key, content in shown.items() if content == AS_SENT}


class _Found(NamedTuple):
    """The keys of visible operations, those of events that may still become visible, and the visible content of pushed
    alarms, as the ledger stores it.
    """

    shown: frozenset[str]
    waiting: frozenset[str]
    contents: Mapping[str, str]


def _look(
    provider: Provider,
    entries: Sequence[Entry],
    attempts: Mapping[str, InFlight],
    clock: Clock,
    stop: Event,
    progress: Progress,
    wait_for_events: bool,
    wanted: Mapping[Address, str | None],
) -> _Found | None:
    """Query the effect of open attempts until all are settled; None if the service cannot be queried."""
    operations = [entry.operation for entry in entries]
    began = clock.monotonic()
    until = {item.key: began + settling_window(attempts[item.key], provider.limits) for item in operations}
    events = {item.key for item in operations if item.occurrence is not None}
    clears = {item.key for item in operations if item.verb is Verb.CLEAR}
    visible_by = began + provider.limits.visible_within
    told = False
    for pause in poll_intervals():
        now = clock.monotonic()
        seen = observe_effects(provider, operations)
        shown = None if seen is None else visible_operations(operations, seen)
        kept = {found.id for found in seen or () if wanted.get(found.marks.address) == found.marks.digest}
        awaited = {item.key for item in operations if _matters(item, kept, wanted)} - (shown or frozenset())
        left = {key: until[key] for key in awaited if until[key] > now}
        if seen is not None and shown is not None and (left.keys() <= (set() if wait_for_events else events)):
            return _Found(shown, frozenset(left), shown_contents(operations, seen))
        if shown is None and now >= visible_by:
            return None
        if left and not told:
            end = max(left.values())
            cleared = len(left.keys() & clears)
            recorded, raised = len(left.keys() & events), len(left.keys() - events - clears)
            progress.report(waiting_note(recorded, provider.key, clock.now() + end - now, raised, cleared))
            told = True
        progress.verifying(len(left), clock.now() + max(left.values(), default=now) - now)
        if clock.pause(pause, stop):
            return None
    return None


def _matters(operation: Operation, kept: Container[str], wanted: Mapping[Address, str | None]) -> bool:
    """Whether an operation in doubt must be waited for: a late effect of it would not be what the plan sends.

    So it is for an event, for an alarm that is not declared so, and for the clear of an alarm that the plan keeps;
    ``kept`` are the ids of these.
    """
    if operation.verb is Verb.CLEAR:
        return operation.target in kept
    return operation.occurrence is not None or wanted.get(operation.address) != operation.digest
