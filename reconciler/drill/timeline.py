"""The timeline: the steps of a drill in execution order, and when each is due. No clock is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.diagnostic import Position
from reconciler.drill.spec import StepAction


class Step(NamedTuple):
    """One step; ``offset`` is its planned time, in ms from the beginning of the drill.

    ``targets`` are addresses as written in the configuration, each instance of a for_each separately. ``after`` names
    the step it follows, after ``wait`` ms.
    """

    name: str
    action: StepAction
    offset: int
    after: str | None = None
    wait: int = 0
    targets: tuple[Address, ...] = ()
    checks: tuple[str, ...] = ()
    text: str = ""
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The steps in execution order: by planned offset, then as written; none before its ``after``."""

    steps: tuple[Step, ...] = ()

    @property
    def length(self) -> int:
        """The planned offset (ms) of the last step."""
        return max((step.offset for step in self.steps), default=0)


class Due(NamedTuple):
    """The next step, and the offset (ms from the beginning) at which it is due after delays."""

    step: Step
    offset: int


class TimelineError(ValueError):
    """A step whose time is undefined; ``index`` counts from 0, as written."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def arrange(steps: list[Step]) -> Timeline:
    """Sort steps; those with ``after`` get their offset here. Raises TimelineError."""
    by_name: dict[str, int] = {}
    for index, step in enumerate(steps):
        if step.name in by_name:
            raise TimelineError(index, f"two steps are called {step.name}")
        by_name[step.name] = index
    places: dict[int, tuple[int, int]] = {}

    def planned(index: int, seen: tuple[int, ...]) -> tuple[int, int]:
        """Its planned offset, and how many steps precede it in its chain."""
        if index not in places:
            step = steps[index]
            if index in seen:
                chain = " -> ".join(steps[each].name for each in (*seen[seen.index(index) :], index))
                raise TimelineError(index, f"these steps wait for each other: {chain}")
            if step.after is None:
                places[index] = step.offset, 0
            else:
                offset, depth = planned(by_name[step.after], (*seen, index))
                places[index] = offset + step.wait, depth + 1
        return places[index]

    for index, step in enumerate(steps):
        if step.after is not None and step.after not in by_name:
            raise TimelineError(index, f'there is no step "{step.after}" to come after')
    order = sorted(range(len(steps)), key=lambda index: (*planned(index, ()), index))
    return Timeline(tuple(steps[index]._replace(offset=places[index][0]) for index in order))


def next_due(timeline: Timeline, ended: Mapping[str, int], paused_for: int) -> Due | None:
    """The step to execute next: always the first that has not ended, so that delays never reorder steps.

    ``ended`` maps steps to the offset they ended at, ``paused_for`` is how long (ms) pauses have delayed the drill.
    """
    step = next((step for step in timeline.steps if step.name not in ended), None)
    if step is None:
        return None
    return Due(step, step.offset + paused_for if step.after is None else ended[step.after] + step.wait)
