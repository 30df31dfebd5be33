"""Laws of cutting a plan: its shards are the plan, and what belongs together is in one of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind
from reconciler.core.operation import Operation, Verb
from reconciler.plan.plan import Change, Plan
from reconciler.plan.shards import cut_plan

addresses = st.builds(Address, st.just("aom_alarm"), st.sampled_from("ab"), st.none() | st.sampled_from("123456"))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Replaces, pushes and moves at different addresses, some of which wait for others."""
    changes = []
    for number, address in enumerate(draw(st.lists(addresses, min_size=1, max_size=12, unique=True))):
        moved = draw(st.none() | addresses.filter(lambda other, here=address: other != here))
        clear = Operation(f"c{number}", moved or address, "aom", Verb.CLEAR, "{}", target=str(number))
        push = Operation(f"p{number}", address, "aom", Verb.PUSH, "{}")
        operations = draw(st.sampled_from([(), (push,), (clear, push._replace(depends_on=clear.key))]))
        needed = tuple(draw(st.lists(addresses, max_size=1)))
        desired = Desired(address, "aom", Kind.ALARM, True, {}, {}, "d", depends_on=needed)
        changes.append(Change(address, Action.CREATE, "", "aom", operations, desired, moved_from=moved))
    return Plan("plan", "shop", 0, "", tuple(changes), {})


@given(plans(), st.integers(1, 5), st.sets(st.sampled_from([f"c{n}" for n in range(12)])))
def test_the_shards_of_a_plan_have_each_operation_once(plan: Plan, size: int, done: set[str]) -> None:
    due = [operation for operation in plan.operations if operation.key not in done]
    shards = cut_plan(plan, size, done)
    assert sorted(item.key for shard in shards for item in shard.operations) == sorted(item.key for item in due)
    for shard in shards:
        for item in shard.operations:
            if item.depends_on is not None:
                assert item.depends_on in shard.done | {each.key for each in shard.operations}


@given(plans(), st.integers(1, 5))
def test_an_address_and_all_it_waits_for_or_was_moved_from_are_in_one_shard(plan: Plan, size: int) -> None:
    where: dict[Address, set[int]] = {}
    for number, shard in enumerate(cut_plan(plan, size)):
        for item in shard.operations:
            where.setdefault(item.address, set()).add(number)
    touched = [change for change in plan.changes if change.operations]
    for change in touched:
        needed = change.desired.depends_on if change.desired is not None else ()
        for other in touched:
            together = other.address in change.addresses or any(item.covers(other.address) for item in needed)
            if together:
                found = {
                    number for each in (change, other) for item in each.operations for number in where[item.address]
                }
                assert len(found) == 1


def test_independent_addresses_are_cut_in_their_order() -> None:
    operations = [Operation(str(n), Address("aom_alarm", "a", str(n)), "aom", Verb.PUSH, "{}") for n in range(7)]
    changes = tuple(Change(item.address, Action.CREATE, "", "aom", (item,)) for item in operations)
    shards = cut_plan(Plan("plan", "shop", 0, "", changes, {}), 3)
    assert ["".join(item.key for item in shard.operations) for shard in shards] == ["012", "345", "6"]
