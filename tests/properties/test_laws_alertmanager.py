"""The planner's laws, for alerts and silences at an emulated Alertmanager: each example is a stack of its own there."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.core.desired import Desired
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.plan.plan import Plan
from tests.apply.harness import FakeClock
from tests.emulator.handle import Emulator
from tests.memory_directory import MEMORY
from tests.properties.test_exactly_once_alertmanager import STACKS
from tests.providers.alertmanager.harness import AlertmanagerRig

NUMBERS = count(1)
law = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class World:
    """One emulator for all examples."""

    def __init__(self, emulator: Emulator, clock: FakeClock, directory: Path) -> None:
        self.emulator, self.clock, self.directory = emulator, clock, directory

    def rig(self, *history: list[Desired]) -> AlertmanagerRig:
        """A stack with a past: each earlier configuration was applied."""
        name = f"law-{next(NUMBERS)}"
        rig = AlertmanagerRig(self.emulator, self.clock, self.directory / f"{name}.db", stack=name)
        for desired in history:
            self.apply(rig, desired)
        return rig

    def apply(self, rig: AlertmanagerRig, desired: list[Desired]) -> None:
        self.clock.time += 1_000
        assert rig.apply(desired).remaining == ()

    def plan(self, rig: AlertmanagerRig, desired: list[Desired]) -> Plan:
        with closing(rig.ledger()) as ledger, closing(rig.provider()) as provider:
            return rig.plan(desired, ledger, provider)

    def active(self, rig: AlertmanagerRig) -> Counter[str]:
        """How often each address of the stack is active."""
        with closing(rig.provider()) as provider:
            return Counter(str(found.marks.address) for found in provider.observe(rig.stack, []))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    clock = FakeClock()
    with running(Settings(clock=clock.service)) as url, tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        yield World(Emulator(url), clock, Path(directory))


@law
@given(desired=STACKS, past=STACKS)
def test_after_an_apply_what_is_declared_is_there_once_and_a_plan_has_no_changes(
    world: World, desired: list[Desired], past: list[Desired]
) -> None:
    rig = world.rig(past, desired)
    assert world.active(rig) == Counter(str(item.address) for item in desired if item.firing)
    assert world.plan(rig, desired).pending == ()


@law
@given(desired=STACKS, past=STACKS)
def test_what_is_equal_is_in_no_operation(world: World, desired: list[Desired], past: list[Desired]) -> None:
    rig = world.rig(past)
    equal = {item.address for item in desired if item.firing and item in past}
    assert not {operation.address for operation in world.plan(rig, desired).operations} & equal


@law
@given(desired=STACKS, past=STACKS, rng=st.randoms(use_true_random=False))
def test_the_order_of_a_configuration_means_nothing(
    world: World, desired: list[Desired], past: list[Desired], rng: random.Random
) -> None:
    rig = world.rig(past)
    straight, mixed = (world.plan(rig, items) for items in (desired, rng.sample(desired, len(desired))))
    assert {change.address: change.action for change in straight.changes} == {
        change.address: change.action for change in mixed.changes
    }


@law
@given(desired=STACKS, past=STACKS, others=STACKS)
def test_what_another_stack_owns_is_never_touched(
    world: World, desired: list[Desired], past: list[Desired], others: list[Desired]
) -> None:
    other = world.rig(others)
    before = world.active(other)
    rig = world.rig(past, desired, [])
    assert world.active(rig) == Counter()
    assert world.active(other) == before
    assert world.plan(other, others).pending == ()
