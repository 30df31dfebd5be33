"""The remainder: which operations of a run are not done, and what became of each."""

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.apply.result import Result
from reconciler.core.operation import Operation, ServiceErrorDetail, Status
from reconciler.plan.plan import Change


class Remaining(NamedTuple):
    """An operation that is not done; ``status`` is ``failed``, ``unknown`` or ``not started``."""

    change: Change
    operation: Operation
    status: str
    error: ServiceErrorDetail | None


def remaining(result: Result) -> Iterator[Remaining]:
    """Every operation that is not done, in the order of the plan."""
    for change in result.remaining:
        for operation in change.operations:
            outcome = result.outcomes.get(operation.key)
            if outcome is None:
                if not operation.only_if_duplicate:
                    yield Remaining(change, operation, "not started", None)
            elif outcome.status is not Status.DONE:
                yield Remaining(change, operation, outcome.status.value, outcome.error)


def possible_duplicates(result: Result) -> list[str]:
    """The addresses that may fire twice, in the order of the plan: nobody could tell whether a push was merged."""
    found = (str(operation.address) for operation in result.plan.operations if operation.key in result.undecided)
    return list(dict.fromkeys(found))


def unconfirmed(result: Result) -> Iterator[Operation]:
    """The operations that are done and that no query has shown yet, in the order of the plan."""
    return (operation for operation in result.plan.operations if operation.key in result.unconfirmed)
