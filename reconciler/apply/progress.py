"""Progress: what an applier tells while it works, for whoever watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reconciler.core.operation import Outcome


class Progress(Protocol):
    """A watcher of one apply; its methods are called from one thread at a time."""

    def started(self, total: int) -> None:
        """The run begins, with this many operations to send."""

    def advanced(self, outcomes: Sequence[Outcome]) -> None:
        """These operations have ended."""

    def verifying(self, waiting: int) -> None:
        """Everything is sent; the effect of this many operations is not visible yet."""

    def note(self, text: str) -> None:
        """Something worth a line: a wait the service asked for, a batch being narrowed."""


class NullProgress:
    """The watcher for when nobody watches."""

    def started(self, total: int) -> None: ...

    def advanced(self, outcomes: Sequence[Outcome]) -> None: ...

    def verifying(self, waiting: int) -> None: ...

    def note(self, text: str) -> None: ...
