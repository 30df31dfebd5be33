"""What planning takes of memory: little more than the plan itself, of which a large stack has gigabytes."""

from __future__ import annotations

import tracemalloc

from tests.plan.fake_service import Service, alarm, plan_of


def test_planning_takes_no_more_memory_than_the_plan_has() -> None:
    desired = [alarm(key=f"ecs-{number}") for number in range(2_000)]
    plan_of(desired, Service())  # what is imported late is imported now
    tracemalloc.start()
    try:
        plan = plan_of(desired, Service())
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(plan.changes) == len(desired)
    assert peak < 1.05 * held
