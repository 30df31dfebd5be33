"""The instances of a cluster: they share silences but no alerts, so that what is written goes to each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from reconciler.providers.http import Client
from reconciler.providers.protocol import ErrorKind, ServiceError

_Answer = TypeVar("_Answer")

_WORST = (ErrorKind.AMBIGUOUS, ErrorKind.DENIED, ErrorKind.REJECTED, ErrorKind.BUSY, ErrorKind.UNSENT)
"""What an error at one of several instances means for the whole, the most serious first."""


class Instance(NamedTuple):
    """One Alertmanager; ``name`` is its endpoint, as reports show it."""

    name: str
    client: Client
    headers: Mapping[str, str]


class Cluster:
    """All instances of one provider block; ``quorum`` is how many must have accepted a write."""

    def __init__(self, instances: Sequence[Instance], quorum: int) -> None:
        self.instances = tuple(instances)
        self.quorum = quorum
        self._pool = ThreadPoolExecutor(len(instances), "alertmanager") if len(instances) > 1 else None

    def ask_all(self, request: Callable[[Instance], _Answer]) -> dict[str, _Answer | ServiceError]:
        """Make a request at each instance, side by side; what each answered, by its name."""

        def attempt(instance: Instance) -> _Answer | ServiceError:
            try:
                return request(instance)
            except ServiceError as error:
                return error

        if self._pool is None:
            return {instance.name: attempt(instance) for instance in self.instances}
        return dict(zip((item.name for item in self.instances), self._pool.map(attempt, self.instances), strict=True))

    def write(self, request: Callable[[Instance], object]) -> None:
        """Make a request at each instance; raises ServiceError if fewer than the quorum accepted it.

        An instance whose answer is in doubt makes the whole doubtful: it is read back, then sent again where missing.
        """
        answers = self.ask_all(request)
        failed = {name: error for name, error in answers.items() if isinstance(error, ServiceError)}
        if len(answers) - len(failed) >= self.quorum and not any(
            error.kind is ErrorKind.DENIED for error in failed.values()
        ):
            return
        name, error = min(failed.items(), key=lambda item: _WORST.index(item[1].kind))
        partly = len(failed) < len(answers)
        kind = ErrorKind.AMBIGUOUS if partly and error.kind is not ErrorKind.DENIED else error.kind
        told = (
            f"{error.detail.message} (at {name}; {len(answers) - len(failed)} of {len(answers)} instances accepted it)"
        )
        detail = error.detail._replace(message=told) if len(answers) > 1 else error.detail
        raise ServiceError(kind, detail, error.retry_after)

    def close(self) -> None:
        """Close every connection."""
        for instance in self.instances:
            instance.client.close()
        if self._pool is not None:
            self._pool.shutdown()
