"""The sender: sends batches to one provider, and turns every response into outcomes (rule 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Event
from typing import NamedTuple

from reconciler.apply.begin import BeginStep
from reconciler.apply.behaviour import LearnedBehaviour
from reconciler.apply.verify import DeniedError, read_back
from reconciler.core.clock import Clock
from reconciler.core.duration import format_instant, rough_duration
from reconciler.core.operation import Operation, Outcome, ServiceErrorDetail, Status, Verb
from reconciler.core.retry import RETRY, poll_intervals
from reconciler.providers.protocol import ErrorKind, Limits, Provider, ServiceError, called_before_requests


def batches(operations: Sequence[Operation], limits: Limits) -> Iterator[list[Operation]]:
    """Batches of one verb, with at most ``batch_size`` items and ``batch_bytes`` of payload; a larger item is sent
    alone.
    """
    by_verb: dict[str, list[Operation]] = {}
    for operation in operations:
        by_verb.setdefault(operation.verb, []).append(operation)
    for group in by_verb.values():
        yield from _split(group, limits.batch_size, limits.batch_bytes)


def halves(group: Sequence[Operation]) -> tuple[Sequence[Operation], Sequence[Operation]]:
    """Both halves of a batch of two or more, to find the rejected item."""
    middle = len(group) // 2
    return group[:middle], group[middle:]


def _split(group: list[Operation], size: int, room: int) -> Iterator[list[Operation]]:
    batch: list[Operation] = []
    used = 0
    for operation in group:
        weight = len(operation.payload) if operation.payload.isascii() else len(operation.payload.encode())
        if batch and (len(batch) >= size or used + weight > room):
            yield batch
            batch, used = [], 0
        batch.append(operation)
        used += weight
    if batch:
        yield batch


class Attempt(NamedTuple):
    """Operations that are sent in one request; ``number`` counts their attempts.

    ``rejection`` is the response to a rejected batch they were in, if they may have been stored all the same; with
    ``is_whole`` they are all of that batch, so that at least one of them is invalid. ``doubt`` is the response that
    left open whether they were stored. ``begun_at`` is when they were journalled as being sent (monotonic ms), if that
    was done in advance.
    """

    operations: Sequence[Operation]
    number: int = 1
    rejection: ServiceErrorDetail | None = None
    is_whole: bool = True
    doubt: ServiceErrorDetail | None = None
    begun_at: int | None = None


class SendContext(NamedTuple):
    """What a sender shares with the run: outcomes, the journal step before each request, the stop event, and learned
    behaviour.

    ``deadline`` is by the monotonic clock.
    """

    clock: Clock
    stop: Event
    deadline: int
    draw: Callable[[], float]
    emit: Callable[[Sequence[Outcome]], None]
    begin: Callable[[Sequence[Operation]], None]
    report: Callable[[str], None]
    behaviour: LearnedBehaviour


class Sender:
    """Sends the batches of one provider; ``deliver`` may be called from several threads at once.

    ``rejects_whole`` is what this run has observed: a rejected batch leaves its valid items unstored. The API page does
    not say, and sending a stored event again would duplicate it: for events only this run's own observation counts.
    """

    def __init__(self, provider: Provider, context: SendContext) -> None:
        self.provider = provider
        self.context = context
        self.rejects_whole = False

    def deliver(self, batch: Sequence[Operation], begun_at: int | None = None) -> None:
        """Send a batch until each of its operations has an outcome, or the run stops.

        ``begun_at`` is when the ledger was told that it is being sent (monotonic ms), if it was. An operation that was
        never sent gets no outcome. Raises DeniedError on 401 and 403.
        """
        waiting = [Attempt(batch, begun_at=begun_at)]
        while waiting and not self.context.stop.is_set():
            waiting.extend(reversed(self._attempt(waiting.pop())))

    def _attempt(self, attempt: Attempt) -> list[Attempt]:
        """Send one attempt once; returns the attempts to make next."""
        if attempt.rejection is not None:
            return self._await_rejected(attempt, attempt.rejection)
        if attempt.doubt is not None:
            return self._await_doubtful(attempt, attempt.doubt)
        operations = self._in_time(attempt.operations)
        if not operations:
            return []
        step = BeginStep(self.context.begin, self.context.clock, operations, attempt.begun_at)
        try:
            with called_before_requests(step.renew_if_late):
                ids = self.provider.send(operations)
        except ServiceError as error:
            return self._answer(Attempt(operations, attempt.number), error)
        self.context.emit(
            [Outcome(operation.key, Status.DONE, None, id_) for operation, id_ in zip(operations, ids, strict=True)]
        )
        return []

    def _answer(self, attempt: Attempt, error: ServiceError) -> list[Attempt]:
        match error.kind:
            case ErrorKind.REJECTED:
                return self._rejected(attempt, error)
            case ErrorKind.DENIED:
                self._end(attempt.operations, Status.UNKNOWN if error.partly else Status.FAILED, error.detail)
                raise DeniedError(error.detail)
            case ErrorKind.BUSY | ErrorKind.UNSENT:
                return self._again_later(attempt, error)
            case ErrorKind.AMBIGUOUS:
                return self._ambiguous(attempt, error)

    def _rejected(self, attempt: Attempt, error: ServiceError) -> list[Attempt]:
        """Split a rejected batch until the invalid item is alone, without sending what is already stored."""
        operations = attempt.operations
        if len(operations) == 1:
            self._end(operations, Status.FAILED, error.detail)
            return []
        self.context.report(f"{self.provider.key} rejected a batch of {len(operations)}: searching for the bad item")
        if self.rejects_whole:
            return _narrowed(operations)
        events = [item for item in operations if item.occurrence is not None]
        others = [item for item in operations if item.occurrence is None]
        narrowed = _narrowed(self._unstored(others)) if others else []
        return [*narrowed, Attempt(events, 1, error.detail, not others)] if events else narrowed

    def _unstored(self, operations: Sequence[Operation]) -> Sequence[Operation]:
        """The alarms and clears of a rejected batch to send again at once: those not visible, or all of them if the
        service is known to store nothing of such a batch.
        """
        if not self.context.behaviour.known.rejects_whole:
            shown = read_back(self.provider, operations) or frozenset()
            if any(item.verb is Verb.PUSH and item.key in shown for item in operations):
                self.context.behaviour.learn(rejects_whole=False)
            operations = self._mark_visible(operations, shown)
        self.context.behaviour.repeat(operations, rejected=True)
        return operations

    def _await_rejected(self, attempt: Attempt, answer: ServiceErrorDetail) -> list[Attempt]:
        """Find out which events of a rejected batch were recorded all the same; the others are sent again.

        An alarm is sent again at once, since a duplicate can be cleared; an event cannot be taken back.
        """
        events = attempt.operations
        if self.rejects_whole:
            return _narrowed(events)
        shown = self._await(events, enough=len(events) - attempt.is_whole)
        if shown is None:
            self._end(events, Status.UNKNOWN, answer)
            return []
        self.rejects_whole = not shown
        self.context.behaviour.learn(rejects_whole=not shown)
        return _narrowed(self._mark_visible(events, shown))

    def _again_later(self, attempt: Attempt, error: ServiceError) -> list[Attempt]:
        """Nothing was stored: wait as the service asks, or with backoff, and send the same again."""
        pause = RETRY.pause(attempt.number, error.retry_after, self.context.draw)
        left = self.context.deadline - self.context.clock.monotonic()
        if RETRY.is_last(attempt.number) or pause > left:
            self._end(attempt.operations, Status.FAILED, error.detail)
            return []
        self.context.report(f"{self.provider.key}: {error.detail}; retrying in {rough_duration(pause)}")
        if self.context.clock.pause(pause, self.context.stop):
            self._end(attempt.operations, Status.FAILED, error.detail)
            return []
        return [Attempt(attempt.operations, attempt.number + 1)]

    def _ambiguous(self, attempt: Attempt, error: ServiceError) -> list[Attempt]:
        """It may have been stored: query, and send again only what is missing.

        Operations that may be sent twice are retried after a short wait; the others wait for the service's visibility
        window.
        """
        self.context.report(f"{self.provider.key}: {error.detail}; querying what was stored")
        doubtful = attempt._replace(doubt=error.detail)
        if RETRY.is_last(attempt.number) or self._late():
            return self._await_doubtful(doubtful, error.detail)
        repeatable = [item for item in attempt.operations if self._may_repeat(item)]
        if not repeatable:
            return self._await_doubtful(doubtful, error.detail)
        others = [item for item in attempt.operations if not self._may_repeat(item)]
        again = [doubtful._replace(operations=others)] if others else []
        if self.context.clock.pause(RETRY.backoff(attempt.number, self.context.draw), self.context.stop):
            self._end(attempt.operations, Status.UNKNOWN, error.detail)
            return []
        missing = self._mark_visible(repeatable, read_back(self.provider, repeatable) or frozenset())
        self.context.behaviour.repeat(missing)
        return [Attempt(missing, attempt.number + 1), *again] if missing else again

    def _may_repeat(self, operation: Operation) -> bool:
        """Whether a second request is harmless: for a clear, or for an alarm if pushes are merged.

        Not if a late push would raise a cleared alarm again.
        """
        if self.provider.limits.revives or operation.occurrence is not None:
            return False
        return operation.verb is Verb.CLEAR or bool(self.context.behaviour.known.merges)

    def _await_doubtful(self, attempt: Attempt, answer: ServiceErrorDetail) -> list[Attempt]:
        """Wait until the operations are visible or their window has passed; those that are not visible are sent
        again.
        """
        shown = self._await(attempt.operations)
        if shown is None:
            self._end(attempt.operations, Status.UNKNOWN, answer)
            return []
        missing = self._mark_visible(attempt.operations, shown)
        if not missing:
            return []
        if RETRY.is_last(attempt.number) or self.context.stop.is_set() or self._late():
            self._end(missing, Status.UNKNOWN, answer)
            return []
        return [Attempt(missing, attempt.number + 1)]

    def _await(self, operations: Sequence[Operation], enough: int | None = None) -> frozenset[str] | None:
        """Poll until all operations (or ``enough``) are visible or the service's visibility window has passed.

        Returns the visible keys, or None if the service could not be queried until the end of the window.
        """
        context = self.context
        enough = len(operations) if enough is None else enough
        until = context.clock.monotonic() + self.provider.limits.visible_within
        told = False
        for pause in poll_intervals():
            last = context.clock.monotonic() >= until
            shown = read_back(self.provider, operations)
            if shown is not None and (last or len(shown) >= enough):
                return shown
            if not told:
                end = context.clock.now() + max(0, until - context.clock.monotonic())
                context.report(waiting_note(self.provider.key, operations, end))
                told = True
            if (last and self._late()) or context.clock.monotonic() >= until + self.provider.limits.visible_within:
                return None
            left = max(1, until - context.clock.monotonic())
            if context.clock.pause(pause if last else min(pause, left), context.stop):
                return None
        return None

    def _mark_visible(self, operations: Sequence[Operation], shown: frozenset[str]) -> list[Operation]:
        """Record visible operations as done; returns the others."""
        self.context.emit([Outcome(item.key, Status.DONE) for item in operations if item.key in shown])
        return [item for item in operations if item.key not in shown]

    def _in_time(self, operations: Sequence[Operation]) -> Sequence[Operation]:
        """The operations that the service still accepts; the others fail here, before any of them is sent."""
        now = self.context.clock.now()
        late = [item for item in operations if item.send_by is not None and item.send_by <= now]
        for item in late:
            closed = rough_duration(now - (item.send_by or now))
            self._end(
                [item], Status.FAILED, ServiceErrorDetail(f"not sent: its window at the service closed {closed} ago")
            )
        return [item for item in operations if item not in late] if late else operations

    def _late(self) -> bool:
        return self.context.clock.monotonic() >= self.context.deadline

    def _end(self, operations: Iterable[Operation], status: Status, answer: ServiceErrorDetail) -> None:
        self.context.emit([Outcome(item.key, status, answer) for item in operations])


def waiting_note(provider: str, operations: Sequence[Operation], until: int) -> str:
    """The message for a wait after an ambiguous response, until an instant (epoch ms)."""
    events = sum(item.occurrence is not None for item in operations)
    clears = sum(item.verb is Verb.CLEAR for item in operations)
    counted = (("event", events), ("clear", clears), ("alarm", len(operations) - events - clears))
    what = " and ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for noun, count in counted if count)
    return f"{provider} may have taken {what}: waiting for the effect until {format_instant(until)}"


def _narrowed(operations: Sequence[Operation]) -> list[Attempt]:
    """The next attempts for a rejected batch: its halves."""
    if len(operations) < 2:
        return [Attempt(operations)] if operations else []
    return [Attempt(half) for half in halves(operations)]
