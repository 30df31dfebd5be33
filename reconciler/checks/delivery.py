"""Proof of delivery: whether notifications of alarms arrived at a receiver, in time and not too often."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Event
from typing import Literal, NamedTuple

from reconciler.checks.expectation import Delivered
from reconciler.checks.poll import CheckStatus, ProbeResult, poll_until, probe_failure
from reconciler.core.clock import Clock
from reconciler.core.data_source import Item
from reconciler.core.delivery import Arrival, DeliveryLog, DeliveryQuery
from reconciler.core.duration import SECOND, format_instant, rough_duration
from reconciler.core.observed import KEY
from reconciler.providers.protocol import ServiceError

AskReceiver = Callable[[str, DeliveryQuery], DeliveryLog]
"""Queries the receiver with this provider key. Raises ServiceError, or DiagnosticError if it cannot be opened."""

TOLERANCE = SECOND
"""How much (ms) two clocks may differ before a notification counts as sent before its cause."""


class DeliveryStatus(StrEnum):
    """The result for a notification."""

    DELIVERED = "delivered"
    LATE = "late"
    MISSING = "missing"
    DOUBLED = "doubled"
    NOT_PROVABLE = "not provable"
    """It did not arrive, or not as expected, possibly by design: silenced, inhibited, truncated, or the receiver was
    not running.
    """

    @property
    def check_status(self) -> CheckStatus:
        """The status of a check that expects a delivery."""
        if self is DeliveryStatus.NOT_PROVABLE:
            return CheckStatus.UNKNOWN
        return CheckStatus.PASSED if self is DeliveryStatus.DELIVERED else CheckStatus.FAILED


@dataclass(frozen=True, slots=True)
class Awaited:
    """An expected notification: that an alarm fires, or that it has ended.

    ``since`` (epoch ms) is the time of its cause, None if unknown. ``suppressed`` says why the alarm is not notified.
    """

    status: Literal["firing", "resolved"]
    keys: frozenset[str]
    since: int | None
    fingerprint: str | None = None
    suppressed: str | None = None

    @property
    def words(self) -> str:
        return "notification" if self.status == "firing" else "notification of its end"

    def matches(self, arrival: Arrival) -> bool:
        """Whether an arrival is this notification."""
        if arrival.key is not None or self.fingerprint is None:
            known = arrival.key in self.keys
        else:
            known = arrival.fingerprint == self.fingerprint
        early = self.since is not None and arrival.received_at < self.since - TOLERANCE
        return known and not early and (arrival.status or "firing") == self.status


class DeliveryOutcome(NamedTuple):
    """The result for a notification, and the reason; ``after`` is how long (ms) it took to arrive."""

    status: DeliveryStatus
    reason: str
    after: int | None = None
    times: int = 0


def evaluate_delivery(
    awaited: Awaited, expected: Delivered, log: DeliveryLog, *, over: bool = False
) -> DeliveryOutcome | None:
    """The result for a notification; None while it may still arrive, unless the wait is ``over``."""
    arrivals = [arrival for arrival in log.arrivals if awaited.matches(arrival)]
    wanted = [each for each in arrivals if expected.receiver in (None, each.receiver)]
    since = log.asked_at if awaited.since is None else awaited.since
    deadline = since + expected.within
    if not wanted and not over and log.asked_at < deadline:
        return None
    times = sum(each.times for each in wanted)
    first = min(wanted, key=lambda each: each.received_at, default=None)
    after = None if first is None or awaited.since is None else max(0, first.received_at - since)
    found = DeliveryOutcome(DeliveryStatus.DELIVERED, "", after, times)
    if first is None:
        elsewhere = sorted({each.receiver or "a receiver without a name" for each in arrivals})
        where = f" at {expected.receiver}" if expected.receiver else ""
        instead = f" (but at {', '.join(elsewhere)})" if elsewhere else ""
        reason = f"no {awaited.words} arrived{where} within {rough_duration(expected.within)}{instead}"
        why = awaited.suppressed or _truncated(log) or _gap(log, since, deadline)
        found = found._replace(status=DeliveryStatus.MISSING, reason=reason)
    elif expected.at_most is not None and times > expected.at_most:
        reason = f"its {awaited.words} arrived {times} times, at most {expected.at_most} expected"
        why = _gap(log, since, log.asked_at)
        found = found._replace(status=DeliveryStatus.DOUBLED, reason=reason)
    elif first.received_at > deadline and awaited.since is not None:
        reason = f"its {awaited.words} arrived after {rough_duration(first.received_at - since)}, not within "
        why = _gap(log, since, first.received_at)
        found = found._replace(status=DeliveryStatus.LATE, reason=reason + rough_duration(expected.within))
    else:
        at = f" at {first.receiver}" if first.receiver else ""
        took = "" if after is None else f" after {rough_duration(after)}"
        return found._replace(reason=f"{awaited.words} arrived{at}{took}")
    if why is None:
        return found
    return found._replace(status=DeliveryStatus.NOT_PROVABLE, reason=f"{found.reason}; not provable: {why}")


def worst(outcomes: Iterable[DeliveryOutcome]) -> DeliveryStatus:
    """The status of several notifications: a proven failure outweighs an unknown one."""
    order = [
        DeliveryStatus.MISSING,
        DeliveryStatus.LATE,
        DeliveryStatus.DOUBLED,
        DeliveryStatus.NOT_PROVABLE,
        DeliveryStatus.DELIVERED,
    ]
    return min((each.status for each in outcomes), key=order.index, default=DeliveryStatus.DELIVERED)


class DeliveryProof:
    """The notifications of one alarm, awaited one after another, and queried once more at the end."""

    def __init__(self, expected: Delivered, ask: Callable[[DeliveryQuery], DeliveryLog], clock: Clock) -> None:
        self.expected = expected
        self._ask = ask
        self._clock = clock
        self._awaited: list[Awaited] = []

    def wait(self, awaited: Awaited, stop: Event) -> DeliveryOutcome | None:
        """Wait until a notification arrives, or its time is over; None if interrupted."""
        self._awaited.append(awaited)
        last: DeliveryOutcome | None = None

        def probe() -> ProbeResult:
            nonlocal last
            try:
                last = evaluate_delivery(awaited, self.expected, self._log([awaited]))
            except ServiceError as error:
                last = _out_of_reach(error)
                return probe_failure(error)
            return ProbeResult(None if last is None else True, permanent=last is not None)

        since = self._clock.now() if awaited.since is None else awaited.since
        left = max(0, since + self.expected.within - self._clock.now())
        result = poll_until(probe, self._clock, stop, within=left)
        if result.status is CheckStatus.INTERRUPTED:
            return None
        return last or self._final([awaited])[0]

    def suppressed(self, why: str) -> None:
        """Record why the alarm whose notification was awaited last is not notified."""
        self._awaited[-1] = replace(self._awaited[-1], suppressed=why)

    def conclude(self) -> list[DeliveryOutcome]:
        """The result of all awaited notifications, after one more query: one may have come late, or twice."""
        return self._final(self._awaited)

    def _final(self, awaited: Sequence[Awaited]) -> list[DeliveryOutcome]:
        try:
            log = self._log(awaited)
        except ServiceError as error:
            return [_out_of_reach(error)] * len(awaited)
        outcomes = [evaluate_delivery(each, self.expected, log, over=True) for each in awaited]
        return [each for each in outcomes if each is not None]

    def _log(self, awaited: Sequence[Awaited]) -> DeliveryLog:
        keys = sorted({key for each in awaited for key in each.keys})
        since = min((each.since for each in awaited if each.since is not None), default=0)
        return _asked(self._ask, DeliveryQuery(tuple(keys), since=since), self.expected)


class ItemsVerdict(NamedTuple):
    """Whether the alarms that a query found were delivered: None if that cannot be proved. ``final`` says that waiting
    will not change it.
    """

    holds: bool | None
    reason: str
    failing_items: tuple[Item, ...] = ()
    final: bool = False


def evaluate_items(
    items: Sequence[Item], expected: Delivered, ask: Callable[[DeliveryQuery], DeliveryLog]
) -> ItemsVerdict:
    """Whether a notification arrived for each alarm that a query found. Raises ServiceError."""
    if not items:
        return ItemsVerdict(False, "found none, so nothing was delivered")
    awaited = [(item, each) for item in items for each in _awaited_of(item, expected)]
    query = DeliveryQuery(
        tuple(sorted({key for _, each in awaited for key in each.keys})),
        tuple(sorted({each.fingerprint for _, each in awaited if each.fingerprint and not each.keys})),
        since=min((each.since or 0 for _, each in awaited), default=0),
    )
    log = _asked(ask, query, expected)
    evaluated: list[tuple[Item, DeliveryOutcome | None]] = []
    for item, each in awaited:
        if not each.keys and each.fingerprint is None:
            reason = f"not provable: the alarm carries no {KEY}, so that its {each.words} cannot be identified"
            evaluated.append((item, DeliveryOutcome(DeliveryStatus.NOT_PROVABLE, reason)))
        elif each.status == "resolved" and each.since is None:
            evaluated.append((item, None))
        else:
            evaluated.append((item, evaluate_delivery(each, expected, log)))
    wrong = [(item, each) for item, each in evaluated if each is None or each.status is not DeliveryStatus.DELIVERED]
    if not wrong:
        longest = max((each.after or 0 for _, each in evaluated if each is not None), default=0)
        return ItemsVerdict(True, f"{len(items)} delivered, the last after {rough_duration(longest)}")
    told = [each for _, each in wrong if each is not None]
    status = worst(told)
    failing = tuple({id(item): item for item, _ in wrong}.values())
    reason = next((each.reason for each in told if each.status is status), "its time is not over")
    reason = f"{len(failing)} of {len(items)} not delivered as expected: {reason}"
    if status is DeliveryStatus.DELIVERED:
        return ItemsVerdict(False, f"{len(failing)} of {len(items)} not delivered yet", failing)
    holds = None if status is DeliveryStatus.NOT_PROVABLE else False
    return ItemsVerdict(holds, reason, failing, final=status in (DeliveryStatus.LATE, DeliveryStatus.DOUBLED))


def _asked(ask: Callable[[DeliveryQuery], DeliveryLog], query: DeliveryQuery, expected: Delivered) -> DeliveryLog:
    """What arrived at any receiver; only notifications to the expected receiver count as truncated."""
    log = ask(query)
    if not log.truncated or expected.receiver is None:
        return log
    return log._replace(truncated=ask(query._replace(receiver=expected.receiver)).truncated)


def _awaited_of(item: Item, expected: Delivered) -> Iterable[Awaited]:
    keys = frozenset(
        key for part in item.values() if isinstance(part, Mapping) and isinstance(key := part.get(KEY), str) and key
    )
    fingerprint = item.get("fingerprint")
    suppressed = "the alarm is suppressed: silenced or inhibited" if item.get("state") == "suppressed" else None
    awaited = Awaited(
        "firing",
        keys,
        _instant(item.get("starts_at")),
        fingerprint if isinstance(fingerprint, str) else None,
        suppressed,
    )
    if expected.firing:
        yield awaited
    if expected.resolved:
        yield replace(awaited, status="resolved", since=_instant(item.get("ends_at")))


def _instant(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _truncated(log: DeliveryLog) -> str | None:
    if not log.truncated:
        return None
    return f"senders left alerts out of {log.truncated} deliveries since then, and it may be among them"


def _gap(log: DeliveryLog, since: int, until: int) -> str | None:
    gap = log.gap(since, min(until, log.asked_at))
    if gap is None:
        return None
    return f"the receiver was not running between {format_instant(gap.since)} and {format_instant(gap.until)}"


def _out_of_reach(error: ServiceError) -> DeliveryOutcome:
    return DeliveryOutcome(
        DeliveryStatus.NOT_PROVABLE, f"not provable: the receiver could not be queried: {error.detail}"
    )
