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
from tests.providers.alertmanager.harness import AlertmanagerHarness

NUMBERS = count(1)
law = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Servers:
    """One emulator for all examples."""

    def __init__(self, emulator: Emulator, clock: FakeClock, directory: Path) -> None:
        self.emulator, self.clock, self.directory = emulator, clock, directory

    def harness(self, *history: list[Desired]) -> AlertmanagerHarness:
        """A stack with a past: each earlier configuration was applied."""
        name = f"law-{next(NUMBERS)}"
        harness = AlertmanagerHarness(self.emulator, self.clock, self.directory / f"{name}.db", stack=name)
        for desired in history:
            self.apply(harness, desired)
        return harness

    def apply(self, harness: AlertmanagerHarness, desired: list[Desired]) -> None:
        self.clock.time += 1_000
        assert harness.apply(desired).remaining == ()

    def plan(self, harness: AlertmanagerHarness, desired: list[Desired]) -> Plan:
        with closing(harness.ledger()) as ledger, closing(harness.provider()) as provider:
            return harness.plan(desired, ledger, provider)

    def active(self, harness: AlertmanagerHarness) -> Counter[str]:
        """How often each address of the stack is active."""
        with closing(harness.provider()) as provider:
            return Counter(str(found.marks.address) for found in provider.observe(harness.stack, []))


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    clock = FakeClock()
    with running(Settings(clock=clock.service)) as url, tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        yield Servers(Emulator(url), clock, Path(directory))


@law
@given(desired=STACKS, past=STACKS)
def test_after_an_apply_what_is_declared_is_there_once_and_a_plan_has_no_changes(
    servers: Servers, desired: list[Desired], past: list[Desired]
) -> None:
    harness = servers.harness(past, desired)
    assert servers.active(harness) == Counter(str(item.address) for item in desired if item.firing)
    assert servers.plan(harness, desired).pending == ()


@law
@given(desired=STACKS, past=STACKS)
def test_what_is_equal_is_in_no_operation(servers: Servers, desired: list[Desired], past: list[Desired]) -> None:
    harness = servers.harness(past)
    equal = {item.address for item in desired if item.firing and item in past}
    assert not {operation.address for operation in servers.plan(harness, desired).operations} & equal


@law
@given(desired=STACKS, past=STACKS, rng=st.randoms(use_true_random=False))
def test_the_order_of_a_configuration_means_nothing(
    servers: Servers, desired: list[Desired], past: list[Desired], rng: random.Random
) -> None:
    harness = servers.harness(past)
    straight, mixed = (servers.plan(harness, items) for items in (desired, rng.sample(desired, len(desired))))
    assert {change.address: change.action for change in straight.changes} == {
        change.address: change.action for change in mixed.changes
    }


@law
@given(desired=STACKS, past=STACKS, others=STACKS)
def test_what_another_stack_owns_is_never_touched(
    servers: Servers, desired: list[Desired], past: list[Desired], others: list[Desired]
) -> None:
    other = servers.harness(others)
    before = servers.active(other)
    harness = servers.harness(past, desired, [])
    assert servers.active(harness) == Counter()
    assert servers.active(other) == before
    assert servers.plan(other, others).pending == ()
