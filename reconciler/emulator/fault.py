"""Faults: which requests fail and how, as a value and as the text of ``--fault``."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

MOST_PEERS = 9
"""The maximum number of Alertmanager peers; operations of all but the first end in ``@`` and the peer's number."""

OPERATIONS: dict[str, frozenset[str]] = {
    "aom": frozenset({"push", "clear", "query", "statistic", "notified"}),
    "iam": frozenset({"token", "projects"}),
    "ces": frozenset({"ces-report", "ces-list", "ces-details"}),
    "bcm": frozenset({"bcm-list", "bcm-detail"}),
    "alertmanager": frozenset(
        f"{name}{peer}"
        for name in (
            *("am-push", "am-query", "am-groups", "am-receivers", "am-status"),
            *("am-silence-put", "am-silence-list", "am-silence-get", "am-silence-expire"),
        )
        for peer in ("", *(f"@{number}" for number in range(2, MOST_PEERS + 1)))
    ),
}
"""The operations of each service; the service's name selects all of them."""

NAMES = {
    base: frozenset(name for name in group if name.partition("@")[0] == base)
    for group in OPERATIONS.values()
    for base in {name.partition("@")[0] for name in group}
} | OPERATIONS
EVERY = frozenset(name for group in OPERATIONS.values() for name in group)

Effect = Literal["pass", "answer", "store-then-answer", "cut", "store-then-cut", "html", "cut-body"]

_DURATION = re.compile(r"(\d+)(ms|s|m|h)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_KEYS = "status, retry_after, delay, hide, nth, first, every, rate, seed"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; durations are milliseconds.

    At most one of ``nth``, ``first``, ``every`` and ``rate`` selects which of the matching requests it affects, counted
    from when the fault was added; without one it affects all of them.
    """

    operations: frozenset[str] = EVERY
    effect: Effect = "pass"
    status: int | None = None
    retry_after: int | None = None
    """Seconds in the response's Retry-After header."""
    retry_as_date: bool = False
    delay: int = 0
    hide: int = 0
    nth: int | None = None
    first: int | None = None
    every: int | None = None
    rate: float | None = None
    seed: int = 0
    text: str = ""


def parse_fault(text: str) -> Fault:
    """Parse ``[operation[|operation]:]term[,term]``, for example ``push:status=503,retry_after=2,nth=3``.

    Raises ValueError, with a message for the user, if it is invalid.
    """
    target, colon, rest = text.partition(":")
    if not colon or "=" in target or "," in target:
        target, rest = "", text
    operations = _operations(target, text)
    terms = [term.strip() for term in rest.split(",") if term.strip()]
    if not terms:
        raise ValueError(f"fault {text!r} has no effect: add one such as status=503, cut or delay=500ms")
    effect: Effect = "pass"
    named: str | None = None
    status: int | None = None
    values: dict[str, str] = {}
    for term in terms:
        key, equals, value = term.partition("=")
        if equals:
            if key not in _KEYS.split(", "):
                raise ValueError(f"fault {text!r}: unknown setting {key!r}; there are {_KEYS}")
            if key in values:
                raise ValueError(f"fault {text!r} gives {key} twice")
            values[key] = value
            continue
        if named:
            raise ValueError(f"fault {text!r} asks for both {named} and {term}: give one fault for each")
        effect, status, named = *_effect(term, text), term
    if "status" in values:
        if named:
            raise ValueError(f"fault {text!r} asks for both {named} and a status: give one fault for each")
        effect, status = "answer", _status(values["status"], text)
    if effect == "pass" and not values.keys() & {"delay", "hide"}:
        raise ValueError(f"fault {text!r} has no effect: add one such as status=503, cut or delay=500ms")
    selectors = sorted(values.keys() & {"nth", "first", "every", "rate"})
    if len(selectors) > 1:
        raise ValueError(f"fault {text!r} selects requests in two ways ({' and '.join(selectors)}): keep one")
    if "seed" in values and "rate" not in values:
        raise ValueError(f"fault {text!r}: a seed goes with a rate")
    if "retry_after" in values and status is None:
        raise ValueError(f"fault {text!r}: retry_after goes with a status")
    retry_after, as_date = _retry_after(values["retry_after"], text) if "retry_after" in values else (None, False)
    return Fault(
        operations=operations,
        effect=effect,
        status=status,
        retry_after=retry_after,
        retry_as_date=as_date,
        delay=_duration("delay", values, text),
        hide=_duration("hide", values, text),
        nth=_positive("nth", values, text),
        first=_positive("first", values, text),
        every=_positive("every", values, text),
        rate=_rate(values["rate"], text) if "rate" in values else None,
        seed=_integer("seed", values["seed"], text) if "seed" in values else 0,
        text=text,
    )


@dataclass(frozen=True, slots=True)
class FaultDecision:
    """What happens to one request: the first fault with an effect wins, delays add up, the longest hiding counts."""

    effect: Effect = "pass"
    status: int = 500
    retry_after: int | None = None
    retry_as_date: bool = False
    delay: int = 0
    hide: int = 0


NOTHING = FaultDecision()


@dataclass(slots=True)
class _ActiveFault:
    fault: Fault
    dice: random.Random
    seen: int = 0
    met: int = 0

    def meets(self) -> bool:
        """Whether the fault affects the next matching request; each call counts as one request."""
        self.seen += 1
        fault = self.fault
        if fault.nth is not None:
            hit = self.seen == fault.nth
        elif fault.first is not None:
            hit = self.seen <= fault.first
        elif fault.every is not None:
            hit = self.seen % fault.every == 0
        elif fault.rate is not None:
            hit = self.dice.random() < fault.rate
        else:
            hit = True
        self.met += hit
        return hit


@dataclass(slots=True)
class FaultInjector:
    """The faults in force, each with its own count of matching requests."""

    lasting: tuple[Fault, ...] = ()
    """Faults in force from the start, and again after a reset."""
    _armed: dict[int, _ActiveFault] = field(default_factory=dict)
    _ids: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Keep only the lasting faults, with their counts at zero."""
        self._armed.clear()
        for fault in self.lasting:
            self.add(fault)

    def add(self, fault: Fault) -> int:
        number = next(self._ids)
        self._armed[number] = _ActiveFault(fault, random.Random(fault.seed))  # noqa: S311 - repeatable on purpose
        return number

    def remove(self, number: int) -> bool:
        return self._armed.pop(number, None) is not None

    def clear(self) -> None:
        self._armed.clear()

    def decide(self, operation: str) -> FaultDecision:
        """Decide about one request of an operation; it counts as a matching request of each fault."""
        if not self._armed:
            return NOTHING
        met = [each.fault for each in self._armed.values() if operation in each.fault.operations and each.meets()]
        if not met:
            return NOTHING
        chosen = next((fault for fault in met if fault.effect != "pass"), Fault())
        return FaultDecision(
            effect=chosen.effect,
            status=chosen.status or 500,
            retry_after=chosen.retry_after,
            retry_as_date=chosen.retry_as_date,
            delay=sum(fault.delay for fault in met),
            hide=max(fault.hide for fault in met),
        )

    def listing(self) -> list[dict[str, object]]:
        """Each fault with the numbers of requests that it matched and affected, oldest first."""
        return [
            {"id": number, "fault": each.fault.text, "seen": each.seen, "met": each.met}
            for number, each in self._armed.items()
        ]


def _operations(target: str, text: str) -> frozenset[str]:
    if not target:
        return EVERY
    chosen: frozenset[str] = frozenset()
    for name in target.split("|"):
        base, _, peer = name.strip().partition("@")
        if base not in NAMES:
            raise ValueError(f"fault {text!r}: there is no operation {base!r}; there are {', '.join(NAMES)}")
        found = NAMES[base]
        if peer:
            found = frozenset(each for each in found if (each.partition("@")[2] or "1") == peer)
            if not found or base not in OPERATIONS["alertmanager"] | {"alertmanager"}:
                raise ValueError(f"fault {text!r}: {name.strip()!r} is not an operation of an Alertmanager's peer")
        chosen |= found
    return chosen


def _effect(term: str, text: str) -> tuple[Effect, int | None]:
    if term == "cut":
        return "cut", None
    if term == "store-then-cut":
        return "store-then-cut", None
    if term == "html":
        return "html", None
    if term == "cut-body":
        return "cut-body", None
    if term.startswith("store-then-"):
        return "store-then-answer", _status(term.removeprefix("store-then-"), text)
    raise ValueError(
        f"fault {text!r}: {term!r} is not an effect; there are status=NNN, store-then-NNN, cut, store-then-cut, "
        "html, cut-body, delay=TIME and hide=TIME"
    )


def _status(value: str, text: str) -> int:
    if not re.fullmatch(r"[2-5]\d\d", value):
        raise ValueError(f"fault {text!r}: {value!r} is not an HTTP status like 503")
    return int(value)


def _integer(key: str, value: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,12}", value):
        raise ValueError(f"fault {text!r}: {key} is a whole number, not {value!r}")
    return int(value)


def _positive(key: str, values: dict[str, str], text: str) -> int | None:
    if key not in values:
        return None
    number = _integer(key, values[key], text)
    if number < 1:
        raise ValueError(f"fault {text!r}: {key} counts from 1")
    return number


def _rate(value: str, text: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ValueError(f"fault {text!r}: rate is a share between 0 and 1, not {value!r}")
    return rate


def _duration(key: str, values: dict[str, str], text: str) -> int:
    if key not in values:
        return 0
    match = _DURATION.fullmatch(values[key])
    if not match:
        raise ValueError(f"fault {text!r}: {key} is a time like 500ms or 5s, not {values[key]!r}")
    return int(match[1]) * _UNITS[match[2]]


def _retry_after(value: str, text: str) -> tuple[int, bool]:
    match = re.fullmatch(r"(date\+)?(\d{1,6})s?", value)
    if not match:
        raise ValueError(f"fault {text!r}: retry_after is seconds (2), or a date in that many seconds (date+2)")
    return int(match[2]), match[1] is not None
