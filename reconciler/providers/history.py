"""History: how alarms ended at a service that does not keep that, as a provider may infer it from their last pushes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from reconciler.core.observed import Observed
from reconciler.core.operation import Operation


class LastPush(NamedTuple):
    """The last push of an alarm, and when it was done (epoch ms)."""

    operation: Operation
    done_at: int


@runtime_checkable
class InfersHistory(Protocol):
    """A provider whose service keeps no history of alarms, and which infers from the last push how one ended."""

    def infer_history(self, pushes: Sequence[LastPush]) -> Iterator[Observed]:
        """How these alarms, which are not active, ended: expired, lost in a restart, or cleared by another user.

        Raises ServiceError.
        """
