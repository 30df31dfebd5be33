"""The budget of an expression: how much it may make before it is stopped."""

from __future__ import annotations

from threading import local

MAX_MADE = 10_000_000
"""Characters and items that one evaluation may make, all steps together."""
MAX_TEXT = 1_000_000
"""Characters one text may have."""
MAX_BITS = 8192
"""Bits a whole number may have."""


class TooMuchError(ValueError):
    """An expression makes more than it may."""


class _Used(local):
    made = 0


_used = _Used()


def reset() -> None:
    """Begin a new evaluation."""
    _used.made = 0


def charge(amount: int) -> None:
    """Account for characters or items about to be made; raises TooMuchError when they are too many."""
    _used.made += amount
    if _used.made > MAX_MADE:
        raise TooMuchError(f"it would make more than {MAX_MADE:,} characters or items")


def charge_text(length: int) -> None:
    """Account for one text about to be made."""
    if length > MAX_TEXT:
        raise TooMuchError(f"it would make a text of more than {MAX_TEXT:,} characters")
    charge(length)
