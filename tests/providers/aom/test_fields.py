"""Every field of the push page, and every limit with its message."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reconciler.core.duration import DAY, MINUTE
from tests.providers.aom.objects import ALARM, EVENT, FIELDS


def problem(type_, **fields: object) -> tuple[tuple[object, ...], str]:
    with pytest.raises(ValidationError) as caught:
        type_.model.model_validate({**FIELDS, **fields})
    [error] = caught.value.errors()
    return error["loc"], error["msg"]


def test_every_field_of_the_page_is_accepted() -> None:
    fields = ALARM.model.model_validate(
        {
            "event_name": "p99",
            **FIELDS,
            "metadata": {"team": "checkout"},
            "annotations": {"message": "slow", "runbook": {"url": "https://example.com", "steps": [1, 2.5, None]}},
            "attach_rule": {"a": [True]},
            "timeout": "30m",
            "starts_at": "2026-05-01T12:00:00Z",
        }
    )
    assert fields.timeout == 30 * MINUTE
    assert fields.starts_at == 1_777_636_800_000


def test_the_timeout_has_a_default_of_our_own() -> None:
    assert ALARM.model.model_validate(FIELDS).timeout == 5 * DAY


@pytest.mark.parametrize("severity", ["Critical", "Major", "Minor", "Info"])
def test_each_severity_of_the_page_is_accepted(severity: str) -> None:
    assert ALARM.model.model_validate({**FIELDS, "event_severity": severity}).event_severity == severity


@pytest.mark.parametrize("missing", sorted(FIELDS))
def test_a_missing_mandatory_field_is_named(missing: str) -> None:
    fields = {name: value for name, value in FIELDS.items() if name != missing}
    with pytest.raises(ValidationError) as caught:
        ALARM.model.model_validate(fields)
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [((missing,), "missing")]


@pytest.mark.parametrize("field", ["event_name", "resource_provider", "resource_type", "resource_id"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "at least 1 character"),
        ("x" * 2049, "at most 2048 characters"),
        (12, "valid string"),
        ("\ud800", "unicode string"),
    ],
)
def test_a_field_has_1_to_2048_characters(field: str, value: object, message: str) -> None:
    place, text = problem(ALARM, **{field: value})
    assert place == (field,)
    assert message in text


def test_2048_characters_are_allowed() -> None:
    assert ALARM.model.model_validate({**FIELDS, "metadata": {"k": "é" * 2048}})


@pytest.mark.parametrize(
    ("metadata", "place", "message"),
    [
        ({"k": ""}, ("metadata", "k"), "at least 1 character"),
        ({"k": "x" * 2049}, ("metadata", "k"), "at most 2048 characters"),
        ({"k": 1}, ("metadata", "k"), "valid string"),
        ({"k": None}, ("metadata", "k"), "valid string"),
        ({"": "x"}, ("metadata", "", "[key]"), "at least 1 character"),
        ({"event_name": "x"}, ("metadata", "event_name", "[key]"), "event_name is a separate field"),
        ({"resource_id": "x"}, ("metadata", "resource_id", "[key]"), "write it beside metadata"),
        ({"event_type": "alarm"}, ("metadata", "event_type", "[key]"), "set by the resource type"),
        ({"reconciler_stack": "x"}, ("metadata", "reconciler_stack", "[key]"), "are reserved for reconciler's marks"),
    ],
)
def test_metadata_is_checked_key_by_key(metadata: dict[str, object], place: object, message: str) -> None:
    found, text = problem(ALARM, metadata=metadata)
    assert found == place
    assert message in text


@pytest.mark.parametrize(("type_", "free"), [(ALARM, 22), (EVENT, 21)])
def test_metadata_has_30_keys_at_most_with_fields_and_marks(type_, free: int) -> None:
    assert type_.model.model_validate({**FIELDS, "metadata": {f"k{n}": "v" for n in range(free)}})
    place, text = problem(type_, metadata={f"k{n}": "v" for n in range(free + 1)})
    assert place == ("metadata",)
    assert f"at most {free}, since the service takes 30" in text


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"reconciler_key": "x"}, "are reserved for reconciler's marks"),
        ({"n": float("nan")}, "finite number"),
        ({"n": float("inf")}, "finite number"),
        ({"n": {1: 2}}, "valid string"),
        ({"n": "\udc00"}, "half of a surrogate pair"),
        ("text", "valid dictionary"),
    ],
)
def test_annotations_are_json_without_our_marks(annotations: object, message: str) -> None:
    place, text = problem(ALARM, annotations=annotations)
    assert place[0] == "annotations"
    assert message in text


@pytest.mark.parametrize(
    ("timeout", "message"),
    [
        ("0s", "longer than zero"),
        ("15d1ms", "at most 15d"),
        ("16d", "16d is not allowed"),
        (1800, "write 1800s, 1800m"),
        ("soon", "is not a duration"),
    ],
)
def test_a_timeout_is_longer_than_zero_and_at_most_15_days(timeout: object, message: str) -> None:
    place, text = problem(ALARM, timeout=timeout)
    assert place == ("timeout",)
    assert message in text


def test_a_timeout_of_15_days_is_allowed() -> None:
    assert ALARM.model.model_validate({**FIELDS, "timeout": "15d"}).timeout == 15 * DAY


def test_an_event_has_no_timeout() -> None:
    place, text = problem(EVENT, timeout="1h")
    assert place == ("timeout",)
    assert "not permitted" in text


@pytest.mark.parametrize(
    ("starts_at", "message"),
    [(-1, "before 1970"), ("yesterday", "is not an instant"), (1_790_000_000_000_000, "more than 13 digits")],
)
def test_a_beginning_is_an_instant_of_our_era(starts_at: object, message: str) -> None:
    place, text = problem(ALARM, starts_at=starts_at)
    assert place == ("starts_at",)
    assert message in text


def test_an_unknown_field_is_refused() -> None:
    place, text = problem(ALARM, severity="Major")
    assert place == ("severity",)
    assert "not permitted" in text


@pytest.mark.parametrize("type_", [ALARM, EVENT])
def test_every_field_tells_a_reader_what_it_is(type_) -> None:
    properties = type_.model.model_json_schema()["properties"]
    assert all(field.get("description") for field in properties.values())
    assert list(properties)[:5] == [
        "event_name",
        "event_severity",
        "resource_provider",
        "resource_type",
        "resource_id",
    ]
