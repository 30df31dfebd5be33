"""Every field of the report page, and every limit with its message."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from tests.providers.ces.objects import EVENT, FIELDS


def problem(**fields: object) -> tuple[tuple[object, ...], str]:
    with pytest.raises(ValidationError) as caught:
        EVENT.model.model_validate({**FIELDS, **fields})
    [error] = caught.value.errors()
    return error["loc"], error["msg"]


def test_every_field_of_the_page_is_accepted() -> None:
    assert EVENT.model.model_validate(
        {
            "event_name": "systemInvaded",
            "event_source": "financial.System",
            "time": 1742264993000,
            "content": "The financial system was invaded",
            "group_id": "rg15221211517051YWWkEnVd",
            "resource_id": "6a69bf28-ee62:49_f3",
            "resource_name": "ecs-0.0_1",
            "event_state": "incident",
            "event_level": "Major",
            "event_user": "xiao kong-1_x",
            "event_type": "EVENT.CUSTOM",
            "sub_event_type": "SUB_EVENT.CUSTOM",
            "dimensions": [{"name": f"n{n}", "value": "v" * 256} for n in range(4)],
        }
    )


def test_only_the_source_must_be_written() -> None:
    fields = EVENT.model.model_validate(FIELDS)
    assert (fields.event_type, fields.sub_event_type) == ("EVENT.CUSTOM", "SUB_EVENT.CUSTOM")
    with pytest.raises(ValidationError, match="event_source"):
        EVENT.model.model_validate({})


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"event_name": "1st"}, ("event_name",), "a letter, then up to 63"),
        ({"event_name": ""}, ("event_name",), "a letter, then up to 63"),
        ({"event_name": "a-b"}, ("event_name",), "a letter, then up to 63"),
        ({"event_name": "ä"}, ("event_name",), "a letter, then up to 63"),
        ({"event_name": "a\n"}, ("event_name",), "a letter, then up to 63"),
        ({"event_name": "a" * 65}, ("event_name",), "a letter, then up to 63"),
        ({"event_source": "checkout"}, ("event_source",), "service.item"),
        ({"event_source": "ab.deploy"}, ("event_source",), "service.item"),
        ({"event_source": "abc.1eploy"}, ("event_source",), "service.item"),
        ({"event_source": "abc.def.ghi"}, ("event_source",), "service.item"),
        ({"event_source": f"{'a' * 33}.deploy"}, ("event_source",), "service.item"),
        ({"content": "x" * 4097}, ("content",), "at most 4096 characters"),
        ({"content": "x\n" * 1500 + "x"}, ("content",), "6001 characters with its line breaks"),
        ({"content": "\ud800"}, ("content",), "unicode string"),
        ({"group_id": "rg1"}, ("group_id",), "at least 24 characters"),
        ({"group_id": "r" * 25}, ("group_id",), "at most 24 characters"),
        ({"resource_id": "a/b"}, ("resource_id",), "up to 128 letters, digits, _, - and :"),
        ({"resource_id": "a" * 129}, ("resource_id",), "up to 128"),
        ({"resource_name": "a:b"}, ("resource_name",), "up to 128 letters, digits, _, - and ."),
        ({"resource_name": "a" * 129}, ("resource_name",), "up to 128"),
        ({"event_state": "ok"}, ("event_state",), "'normal', 'warning' or 'incident'"),
        ({"event_level": "major"}, ("event_level",), "'Critical', 'Major', 'Minor' or 'Info'"),
        ({"event_user": "a" * 65}, ("event_user",), "up to 64"),
        ({"event_user": "a@b"}, ("event_user",), "up to 64 letters, digits, _, - and spaces"),
        ({"event_user": "reconciler-0123abcd-0123456789abcdef"}, ("event_user",), "the form of reconciler's own mark"),
        ({"event_type": "EVENT.SYS"}, ("event_type",), "'EVENT.CUSTOM'"),
        ({"sub_event_type": "SUB_EVENT.OPS"}, ("sub_event_type",), "'SUB_EVENT.CUSTOM'"),
        ({"dimensions": [{"name": "a", "value": "b"}] * 5}, ("dimensions",), "at most 4 items"),
        ({"dimensions": [{"name": "", "value": "b"}]}, ("dimensions", 0, "name"), "at least 1 character"),
        ({"dimensions": [{"name": "a" * 33, "value": "b"}]}, ("dimensions", 0, "name"), "at most 32"),
        ({"dimensions": [{"name": "a", "value": ""}]}, ("dimensions", 0, "value"), "at least 1 character"),
        ({"dimensions": [{"name": "a", "value": "b" * 257}]}, ("dimensions", 0, "value"), "at most 256"),
        ({"dimensions": [{"name": "a"}]}, ("dimensions", 0, "value"), "required"),
        ({"time": "today"}, ("time",), "is not an instant"),
        ({"level": "Major"}, ("level",), "not permitted"),
    ],
)
def test_each_limit_is_told_at_its_place(fields: dict[str, object], place: object, message: str) -> None:
    found, text = problem(**fields)
    assert found == place
    assert message in text


@pytest.mark.parametrize(
    "fields",
    [
        {"event_name": "a" * 64},
        {"event_source": f"{'a' * 32}.{'b' * 32}"},
        {"event_source": "abc.d_1"},
        {"content": ""},
        {"content": "x" * 4096},
        {"resource_id": "a" * 128},
        {"resource_name": "a" * 128},
        {"event_user": "a" * 64},
        {"event_user": ""},
        {"sub_event_type": None},
        {"dimensions": [{"name": "a" * 32, "value": "b"}]},
    ],
)
def test_each_limit_is_reached_and_not_passed(fields: dict[str, object]) -> None:
    assert EVENT.model.model_validate({**FIELDS, **fields})


def test_the_schema_has_the_patterns_and_a_word_on_every_field() -> None:
    schema = EVENT.model.model_json_schema()
    properties = schema["properties"]
    assert all(field.get("description") for field in properties.values())
    assert re.fullmatch(properties["event_source"]["pattern"], "checkout.deploy")
    assert not re.fullmatch(properties["event_source"]["pattern"], "checkout")
    assert list(properties)[:2] == ["event_name", "event_source"]
