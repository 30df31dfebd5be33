"""The budget of an expression: limits on the size of its results and on its processor time.

Every filter, test, function and operator charges it. An operation in C code cannot be interrupted, so it is charged
before it runs, by the most work it can do; no single one takes long. The time is checked between operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from time import thread_time

MAX_MADE = 10_000_000
"""Characters and items that one evaluation may produce, in all steps together."""
MAX_TEXT = 1_000_000
"""The maximum length of a text."""
MAX_BITS = 8192
"""The maximum number of bits of an integer."""
MAX_SECONDS = 1.0
"""Processor time (seconds) of one evaluation."""
MAX_STACK_SECONDS = 10.0
"""Processor time (seconds) of all evaluations of one load that are long enough to be measured."""
MAX_STEP = 20_000_000
"""The most comparisons of items or characters that one operation may make."""

_MEASURED = 2_000
"""The work (items or characters) after which the clock is read; a light evaluation never reads it."""
_WORK_OF_CALL = 20


class TooMuchError(ValueError):
    """An expression exceeds its budget of size or time."""


class _Used(local):
    size = 0
    work = 0
    clock: float | None = None
    stack_seconds: float | None = None
    """Time of the load so far; None outside of a load."""
    started = 0.0


_used = _Used()


@contextmanager
def stack_budget() -> Iterator[None]:
    """Limit the processor time of all evaluations inside the block together."""
    before = _used.stack_seconds
    _used.stack_seconds = 0.0
    try:
        yield
    finally:
        _used.stack_seconds = before


def reset() -> None:
    """Start a new evaluation with a full budget."""
    _used.size = 0
    _used.work = 0
    _used.clock = None


def charge(amount: int) -> None:
    """Charge characters or items about to be made. Raises TooMuchError if there are too many."""
    _used.size += amount
    if _used.size > MAX_MADE:
        raise TooMuchError(f"it would create more than {MAX_MADE:,} characters or items")
    charge_work(amount)


def charge_text(length: int) -> None:
    """Charge the characters of one text about to be made. Raises TooMuchError if it is too long."""
    if length > MAX_TEXT:
        raise TooMuchError(f"it would create a text of more than {MAX_TEXT:,} characters")
    charge(length)


def charge_work(amount: int = _WORK_OF_CALL) -> None:
    """Charge work about to be done, in items or characters. Raises TooMuchError if time has run out."""
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
