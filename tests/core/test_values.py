"""Plain values of the core: addresses, digests, durations, severities, unmanaged alarms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.address import Address
from reconciler.core.desired import severity_of
from reconciler.core.digest import digest, digest_listed
from reconciler.core.duration import format_duration, parse_duration
from reconciler.core.observed import Marks, is_unmanaged, unmanaged_marks

LATENCY = Address("aom_alarm", "latency")


@given(st.one_of(st.none(), st.text()))
def test_an_address_is_read_back_from_its_text(key: str | None) -> None:
    address = LATENCY._replace(key=key)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize("text", ["latency", "aom_alarm.", 'aom_alarm.latency["a"', "aom_alarm.latency[a]"])
def test_a_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        Address.parse(text)


def test_an_address_without_a_key_covers_every_instance() -> None:
    assert LATENCY.covers(LATENCY._replace(key="ecs-1"))
    assert not LATENCY._replace(key="ecs-1").covers(LATENCY)


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})


@pytest.mark.parametrize("length", [0, 1, 1_000, 2_001])
@pytest.mark.parametrize("first", [(), ("demo", {"b": "\ud83d", "a": 1})])
def test_a_long_list_has_the_digest_of_its_whole_text(first: tuple[object, ...], length: int) -> None:
    assert digest_listed(first, iter(["\udd14"] * length)) == digest([*first, ["\udd14"] * length])


@given(st.integers(min_value=0, max_value=10**12))
def test_a_duration_is_read_back_from_its_text(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


def test_the_severity_of_an_object_is_that_of_its_identity() -> None:
    assert severity_of({"event_severity": "Major"}) == "Major"
    assert severity_of({"event_level": "Info"}) == "Info"
    assert severity_of({"resource_id": "r1"}) is None


def test_only_an_alarm_without_marks_is_unmanaged() -> None:
    assert is_unmanaged(unmanaged_marks(LATENCY))
    assert not is_unmanaged(Marks("demo", LATENCY, "d", "k", "r"))
