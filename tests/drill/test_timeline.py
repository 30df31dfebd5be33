"""The timeline: one order, kept whatever is slow."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from reconciler.drill.spec import StepAction
from reconciler.drill.timeline import Step, TimelineError, arrange, next_due

SECOND = 1000


def step(name: str, at: int = 0, after: str | None = None, wait: int = 0) -> Step:
    return Step(name, StepAction.NOTE, at, after, wait)


def order(*steps: Step) -> list[tuple[str, int]]:
    return [(one.name, one.offset) for one in arrange([*steps]).steps]


def test_steps_are_taken_by_their_offsets_and_then_as_written() -> None:
    assert order(step("c", 2), step("a", 1), step("d", 2), step("b", 1)) == [("a", 1), ("b", 1), ("c", 2), ("d", 2)]


def test_a_step_comes_after_the_one_it_names_even_if_it_is_written_before_it() -> None:
    assert order(step("b", after="a"), step("a", 5)) == [("a", 5), ("b", 5)]


def test_a_step_after_another_is_planned_with_its_wait() -> None:
    assert order(step("a", 5), step("c", 9), step("b", after="a", wait=3)) == [("a", 5), ("b", 8), ("c", 9)]


@pytest.mark.parametrize(
    ("steps", "index", "said"),
    [
        ([step("a"), step("b", after="x")], 1, 'there is no step "x" to come after'),
        ([step("a", after="b"), step("b", after="a")], 0, "these steps wait for each other: a -> b -> a"),
        ([step("a"), step("a")], 1, "two steps are called a"),
    ],
)
def test_a_place_in_time_that_can_not_be_told_is_named(steps: list[Step], index: int, said: str) -> None:
    with pytest.raises(TimelineError) as raised:
        arrange(steps)
    assert (raised.value.index, str(raised.value)) == (index, said)


def test_a_pause_moves_what_is_due_from_the_beginning_and_not_what_follows_a_step() -> None:
    timeline = arrange([step("a", 0), step("b", after="a", wait=4), step("c", 10)])
    due = next_due(timeline, {"a": 100}, paused_for=90)
    assert due is not None
    assert (due.step.name, due.offset) == ("b", 104)
    due = next_due(timeline, {"a": 100, "b": 105}, paused_for=90)
    assert due is not None
    assert (due.step.name, due.offset) == ("c", 100)


def test_nothing_is_due_when_all_have_ended() -> None:
    assert next_due(arrange([step("a")]), {"a": 1}, 0) is None


@settings(max_examples=100, deadline=None)
@given(
    some.lists(some.tuples(some.integers(0, 50), some.integers(0, 5), some.integers(0, 9)), min_size=1, max_size=12),
    some.lists(some.integers(0, 100), min_size=12, max_size=12),
)
def test_slowness_delays_and_never_reorders(plan: list[tuple[int, int, int]], slowness: list[int]) -> None:
    steps = []
    for number, (at, back, wait) in enumerate(plan):
        after = f"s{number - back}" if 0 < back <= number else None
        steps.append(step(f"s{number}", 0 if after else at, after, wait if after else 0))
    timeline = arrange(steps)

    now, ended, taken = 0, dict[str, int](), []
    while due := next_due(timeline, ended, 0):
        now = max(now, due.offset)
        taken.append((due.step.name, now))
        now += slowness[len(ended)]
        ended[due.step.name] = now

    assert [name for name, _ in taken] == [one.name for one in timeline.steps]
    planned = {one.name: one.offset for one in timeline.steps}
    assert all(began >= planned[name] for name, began in taken)
    assert [began for _, began in taken] == sorted(began for _, began in taken)
