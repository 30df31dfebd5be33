"""The JSON Schema says what the loader does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema_rs import Draft202012Validator, meta

from reconciler.checks.spec import CheckSpec
from reconciler.config.schema import schema_text, stack_schema
from reconciler.drill.spec import DrillSpec
from reconciler.providers.registry import Registry
from tests.config.catalog import CATALOG

STORED = Path(__file__).parents[2] / "schema" / "stack.schema.json"
VALIDATOR = Draft202012Validator(stack_schema(CATALOG))


def stack(**siren: object) -> dict[str, object]:
    return {"stack": "demo", "resources": {"siren": {"one": {"severity": "Major", "host": "h", **siren}}}}


def test_the_stored_schema_is_the_one_the_models_make() -> None:
    made = stack_schema(tuple(Registry()), {"checks": CheckSpec, "drills": DrillSpec})
    assert STORED.read_text(encoding="utf-8") == schema_text(made), "run make schema"


def test_it_is_a_schema_of_the_dialect_it_names() -> None:
    meta.validate(stack_schema(tuple(Registry())))


@pytest.mark.parametrize(
    "fields",
    [
        {"volume": 7},
        {"volume": "${var.volume}"},
        {"severity": "${each.value}"},
        {"muted": "${var.muted}"},
        {"labels": "${local.labels}"},
        {"for_each": "${local.hosts}"},
        {"for_each": ["a", 1]},
        {"timeout": "30m"},
        {"enabled": "${var.on}"},
        {"lifecycle": {"renew_before": "1h"}},
        {"state": "cleared"},
    ],
)
def test_it_takes_what_the_language_allows(fields: dict[str, object]) -> None:
    assert list(VALIDATOR.iter_errors(stack(**fields))) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"volume": "7"},
        {"volume": 11},
        {"severity": "Blocker"},
        {"labels": {"a": 1}},
        {"hots": "x"},
        {"occurrence": "r1"},
        {"timeout": "soon"},
        {"lifecycle": {"keep": True}},
    ],
)
def test_it_refuses_what_the_language_refuses(fields: dict[str, object]) -> None:
    assert list(VALIDATOR.iter_errors(stack(**fields))) != []


def test_a_provider_is_known_by_its_key_or_by_its_type() -> None:
    block = {"endpoint": "embedded", "auth": {"token": "${var.token}"}}
    for key in ("horn", "horn.eu"):
        assert VALIDATOR.is_valid({"providers": {key: block}})
        assert not VALIDATOR.is_valid({"providers": {key: {**block, "typo": 1}}})
    assert VALIDATOR.is_valid({"providers": {"eu": {**block, "type": "horn"}}})
    assert not VALIDATOR.is_valid({"providers": {"eu": block}})


def test_fields_are_described() -> None:
    text = json.dumps(stack_schema(CATALOG))
    assert "How loud it is." in text
    assert "Creates one instance per item" in text
