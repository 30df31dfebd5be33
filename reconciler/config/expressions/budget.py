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


class _Spent(local):
    made = 0


_spent = _Spent()


def renew() -> None:
    """Begin a new evaluation."""
    _spent.made = 0


def spend(amount: int) -> None:
    """Account for characters or items about to be made; raises TooMuchError when they are too many."""
    _spent.made += amount
    if _spent.made > MAX_MADE:
        raise TooMuchError(f"it would make more than {MAX_MADE:,} characters or items")


def spend_text(length: int) -> None:
    """Account for one text about to be made."""
    if length > MAX_TEXT:
        raise TooMuchError(f"it would make a text of more than {MAX_TEXT:,} characters")
    spend(length)
