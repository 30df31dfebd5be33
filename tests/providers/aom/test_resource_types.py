"""From fields to desired values, and from there to payloads, to the byte."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.address import Address
from reconciler.core.desired import Declaration, Kind, Lifecycle
from reconciler.core.duration import DAY, MINUTE
from reconciler.core.observed import State
from reconciler.providers.aom.parse import observed
from tests.providers.aom.objects import ALARM, EVENT, FIELDS, NOW, STACK, desired, marks


def test_importing_the_resource_types_loads_no_http_library() -> None:
    modules = "reconciler.providers.aom, reconciler.providers.ces"
    code = f"import sys, {modules}; print(sorted({{'requests', 'urllib3'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - a command of ours
    assert done.stdout.strip() == "[]"


def test_an_alarm_is_identified_by_its_metadata() -> None:
    alarm = desired("p99", event_name="slow", metadata={"team": "checkout"})
    assert alarm.kind is Kind.ALARM
    assert alarm.occurrence is None
    assert alarm.identity == {
        "event_name": "slow",
        "event_severity": "Major",
        "event_type": "alarm",
        "resource_provider": "ecs",
        "resource_type": "vm",
        "resource_id": "ecs-1",
        "team": "checkout",
    }
    assert alarm.attributes == {"annotations": {}, "attach_rule": {}, "timeout": 5 * DAY}


def test_the_name_of_the_resource_is_the_default_event_name() -> None:
    assert desired("p99").identity["event_name"] == "p99"


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    one = desired(metadata={"a": "1", "b": "2"}, annotations={"x": {"p": 1, "q": 2}})
    two = desired(metadata={"b": "2", "a": "1"}, annotations={"x": {"q": 2, "p": 1}})
    assert one.digest == two.digest
    assert ALARM.push(one, marks(one), NOW) == ALARM.push(two, marks(two), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"event_severity": "Minor"},
        {"metadata": {"team": "x"}},
        {"annotations": {"message": "x"}},
        {"attach_rule": {"x": 1}},
        {"timeout": "1h"},
        {"starts_at": NOW},
    ],
)
def test_every_change_of_meaning_changes_the_digest(change: dict[str, object]) -> None:
    assert desired(**change).digest != desired().digest


def test_an_alarm_and_an_event_of_equal_fields_differ() -> None:
    assert desired(type_=ALARM).digest != desired(type_=EVENT).digest


def test_an_event_occurs_once_per_content_unless_told_otherwise() -> None:
    event = desired(type_=EVENT)
    assert event.kind is Kind.EVENT
    assert event.occurrence == event.digest
    assert desired(type_=EVENT, occurrence="v1.2").occurrence == "v1.2"
    assert desired(type_=EVENT, occurrence="v1.2").digest == event.digest


def test_a_push_is_one_event_model_to_the_byte() -> None:
    alarm = desired("latency", "ecs-1", timeout="30m", annotations={"message": "p99 über 2 s"})
    text, send_by = ALARM.push(alarm, marks(alarm), NOW)
    assert text == (
        '{"annotations":{"message":"p99 über 2 s","reconciler_digest":"' + alarm.digest + '",'
        '"reconciler_key":"key-1","reconciler_run":"run-1"},"attach_rule":{},'
        '"metadata":{"event_name":"latency","event_severity":"Major","event_type":"alarm",'
        '"reconciler_address":"aom_alarm.latency[\\"ecs-1\\"]","reconciler_stack":"checkout",'
        '"resource_id":"ecs-1","resource_provider":"ecs","resource_type":"vm"},'
        f'"starts_at":{NOW},"timeout":1800000}}'
    )
    assert send_by == NOW + 30 * MINUTE


def test_an_event_carries_its_occurrence_and_has_no_timeout() -> None:
    event = desired(type_=EVENT, occurrence="v1.2")
    text, send_by = EVENT.push(event, marks(event), NOW)
    item = json.loads(text)
    assert item["metadata"]["reconciler_occurrence"] == "v1.2"
    assert item["metadata"]["event_type"] == "event"
    assert "timeout" not in item
    assert send_by is None


def test_the_beginning_a_user_wrote_is_kept() -> None:
    alarm = desired(starts_at=NOW - MINUTE, timeout="10m")
    text, send_by = ALARM.push(alarm, marks(alarm), NOW)
    assert json.loads(text)["starts_at"] == NOW - MINUTE
    assert send_by == NOW + 9 * MINUTE


def test_a_clear_names_the_alarm_by_id_and_by_all_its_metadata() -> None:
    alarm = desired(metadata={"team": "checkout"})
    text, _ = ALARM.push(alarm, marks(alarm), NOW)
    pushed = json.loads(text)
    found = observed({**pushed, "id": "77", "ends_at": 0}, "aom", STACK)
    assert found is not None
    assert json.loads(ALARM.clear(found, NOW + 5)) == {
        "id": "77",
        "starts_at": NOW,
        "ends_at": NOW + 5,
        "metadata": pushed["metadata"],
    }


def test_renewing_must_begin_before_it_expires() -> None:
    lifecycle = Lifecycle.model_validate({"renew_before": "30m"})
    with pytest.raises(ValueError, match=r"renew_before \(30m\) must be shorter than timeout \(30m\)"):
        desired(timeout="30m", lifecycle=lifecycle)
    assert desired(timeout="31m", lifecycle=lifecycle)


def test_an_event_is_not_renewed() -> None:
    with pytest.raises(ValueError, match="does not expire"):
        desired(type_=EVENT, lifecycle=Lifecycle.model_validate({"renew_before": "30m"}))


def test_an_address_too_long_for_the_service_is_refused() -> None:
    assert desired(key="k" * 2000)
    with pytest.raises(ValueError, match="its address has 2121 characters"):
        desired(key="k" * 2100)


def test_an_occurrence_too_long_for_the_service_is_refused() -> None:
    with pytest.raises(ValueError, match="occurrence has 2049 characters"):
        desired(type_=EVENT, occurrence="x" * 2049)
    with pytest.raises(ValueError, match="occurrence has 0 characters"):
        desired(type_=EVENT, occurrence="")


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
keys = words.filter(lambda key: not key.startswith(("reconciler_", "event_", "resource_")))


@settings(max_examples=60)
@given(
    key=st.none() | words,
    metadata=st.dictionaries(keys, words, max_size=4),
    annotations=st.dictionaries(keys, values, max_size=4),
    starts_at=st.none() | st.integers(0, 2**43),
    event=st.booleans(),
)
def test_what_is_pushed_is_observed_as_it_was_desired(key, metadata, annotations, starts_at, event) -> None:
    type_ = EVENT if event else ALARM
    wanted = desired("n", key, type_, metadata=metadata, annotations=annotations, starts_at=starts_at)
    text, _ = type_.push(wanted, marks(wanted), NOW)
    shown = {**json.loads(text), "id": "1", "ends_at": 0, "arrives_at": NOW, "event_sn": "9", "policy": {}}
    found = observed(shown, "aom", STACK)
    assert found is not None
    assert found.identity == wanted.identity
    assert found.attributes == wanted.attributes
    assert found.marks == marks(wanted)
    assert found.state is (State.RECORDED if event else State.ACTIVE)


def test_fields_of_another_type_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="expected EventFields"):
        EVENT.desired(
            Declaration(
                Address("aom_event", "n"),
                ALARM.model.model_validate(FIELDS),
                "aom",
                lifecycle=Lifecycle.model_validate({}),
            )
        )
