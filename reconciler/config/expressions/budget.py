"""The budget of an expression: how much it may make, and how long it may take, before it is stopped.

Every filter, test, function and operator charges it. An operation of C code that cannot be interrupted is charged
before it runs, by the most work it can do, so that none takes long by itself; the time is read between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from time import thread_time

MAX_MADE = 10_000_000
"""Characters and items that one evaluation may make, all steps together."""
MAX_TEXT = 1_000_000
"""Characters one text may have."""
MAX_BITS = 8192
"""Bits a whole number may have."""
MAX_SECONDS = 1.0
"""Processor time of one evaluation."""
MAX_STACK_SECONDS = 10.0
"""Processor time of all evaluations of one load that are long enough to be measured."""
MAX_STEP = 20_000_000
"""The most comparisons of items or characters that one operation may make."""

_MEASURED = 2_000
"""After so much work the clock is read: a light evaluation never does."""
_WORK_OF_CALL = 20


class TooMuchError(ValueError):
    """An expression makes more than it may, or takes too long."""


class _Used(local):
    made = 0
    work = 0
    clock: float | None = None
    stack_seconds: float | None = None
    """Time of the load so far; None outside of a load."""
    started = 0.0


_used = _Used()


@contextmanager
def stack_budget() -> Iterator[None]:
    """Bound what all evaluations take together while this lasts."""
    before = _used.stack_seconds
    _used.stack_seconds = 0.0
    try:
        yield
    finally:
        _used.stack_seconds = before


def reset() -> None:
    """Begin a new evaluation."""
    _used.made = 0
    _used.work = 0
    _used.clock = None


def charge(amount: int) -> None:
    """Account for characters or items about to be made; raises TooMuchError when they are too many."""
    _used.made += amount
    if _used.made > MAX_MADE:
        raise TooMuchError(f"it would make more than {MAX_MADE:,} characters or items")
    charge_work(amount)


def charge_text(length: int) -> None:
    """Account for one text about to be made."""
    if length > MAX_TEXT:
        raise TooMuchError(f"it would make a text of more than {MAX_TEXT:,} characters")
    charge(length)


def charge_work(amount: int = _WORK_OF_CALL) -> None:
    """Account for work about to be done, in items or characters; raises TooMuchError when time is up."""
    if amount > MAX_STEP:
        raise TooMuchError(f"one step of it would compare more than {MAX_STEP:,} items or characters")
    _used.work += amount
    if _used.work > _MEASURED:
        _used.work = 0
        _check_time()


def _check_time() -> None:
    now = thread_time()
    if _used.clock is None:
        _used.started = now
    elif _used.stack_seconds is not None:
        _used.stack_seconds += now - _used.clock
    _used.clock = now
    if now - _used.started > MAX_SECONDS:
        raise TooMuchError(f"it takes more than {MAX_SECONDS:g} s of processor time")
    if _used.stack_seconds is not None and _used.stack_seconds > MAX_STACK_SECONDS:
        raise TooMuchError(f"the expressions of this stack take more than {MAX_STACK_SECONDS:g} s of processor time")
