"""Alarms of AOM that carry no stack's marks."""

from __future__ import annotations

import json

import pytest

from reconciler.core.operation import Operation, Verb
from reconciler.providers.aom.resource_types import ALARM as ALARM_TYPE
from tests.providers.aom.objects import STACK, desired, opened, push


@pytest.fixture
def provider(emulator):
    made = opened(emulator.url)
    yield made
    made.close()


def unmanaged(operation: Operation) -> Operation:
    """The same push as another tool would make it."""
    item = json.loads(operation.payload)
    item["metadata"] = {key: text for key, text in item["metadata"].items() if not key.startswith("reconciler_")}
    item["annotations"] = {"message": "from elsewhere"}
    return operation._replace(payload=json.dumps(item))


def clear(provider, now: int) -> Operation:
    [found] = provider.unmanaged({})
    payload = ALARM_TYPE.clear(found.observed, now)
    return Operation("k", found.observed.marks.address, "aom", Verb.CLEAR, payload, target=found.observed.id)


def test_an_alarm_of_nobody_is_told_as_it_would_be_declared(emulator, provider) -> None:
    wanted = desired("p99", metadata={"team": "checkout"}, timeout="30m")
    provider.send([unmanaged(push(wanted, starts_at=emulator.now())), push(desired("ours"), starts_at=emulator.now())])
    [found] = provider.unmanaged({"team": ["checkout"], "event_name": ["p99"]})
    assert found.fields["metadata"] == {"team": "checkout"}
    assert found.fields["annotations"] == {"message": "from elsewhere"}
    assert found.fields["timeout"] == "30m"
    assert found.observed.identity == wanted.identity
    assert [one.marks.address.name for one in provider.observe(STACK, [])] == ["ours"]


def test_the_target_of_a_clear_without_marks_shows_until_it_is_cleared(emulator, provider) -> None:
    provider.send([unmanaged(push(desired("p99"), starts_at=emulator.now()))])
    operation = clear(provider, emulator.now())
    assert [found.id for found in provider.read_back([operation])] == [operation.target]
    provider.send([operation])
    assert list(provider.read_back([operation])) == []


def test_operations_with_and_without_marks_are_looked_for_side_by_side(emulator, provider) -> None:
    ours = push(desired("ours"), starts_at=emulator.now())
    provider.send([unmanaged(push(desired("p99"), starts_at=emulator.now())), ours])
    operation = clear(provider, emulator.now())
    found = {(one.marks.stack, one.marks.address) for one in provider.read_back([operation, ours])}
    assert found == {("", operation.address), (STACK, ours.address)}
