"""A ledger in which an earlier run, which lost its lease, still journals its answer."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.ledger.protocol import Ledger


class LateAnswer:
    """A ledger in which an earlier run journals its outcome just before a call of the run that took over."""

    def __init__(self, ledger: Ledger, call: int, answer: Callable[[], None]) -> None:
        self._ledger, self._left, self._answer = ledger, call, answer

    def __getattr__(self, name: str) -> object:
        self._left -= 1
        if self._left == 0:
            self._answer()
        return getattr(self._ledger, name)

    @property
    def is_answered(self) -> bool:
        return self._left <= 0
