"""Queries under ``data``: what is wrong with them is told, and only those that expressions need are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import BaseModel

from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs, ProviderConfig, StackConfig
from reconciler.config.yaml.source_map import Source, Value
from reconciler.core.data_source import DataConfig, DataSource, ItemField
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from tests.config.catalog import HORN, SIREN, Settings, Strict, Type


class Filters(Strict):
    color: str | None = None


@dataclass(frozen=True)
class Lamps:
    name: str = "lamps"
    summary: str = "lamps that are lit"
    model: type[BaseModel] = Filters
    fields: Mapping[str, ItemField] = field(default_factory=lambda: {"id": ItemField("Its id.")})


@dataclass(frozen=True)
class Watched:
    name: str = "horn"
    settings: type[BaseModel] = Settings
    resource_types: Mapping[str, Type] = field(default_factory=lambda: {"siren": SIREN})
    data_sources: Mapping[str, DataSource] = field(default_factory=lambda: {"lamps": Lamps()})


HEAD = """
stack: demo
variables: {shade: {default: red}}
providers: {horn: {endpoint: "http://x", auth: {token: secret}}}
data:
  lamps:
    lit: {color: "${var.shade}"}
    others: {}
"""


class Desk:
    """Answers every query with the same items, and remembers which were made."""

    def __init__(self, items: Value = None) -> None:
        self.items: Value = items if items is not None else []
        self.asked: list[str] = []
        self.filters: list[BaseModel] = []

    def __call__(self, config: DataConfig, provider: ProviderConfig) -> Value:
        assert provider.key == config.provider
        self.asked.append(config.label)
        self.filters.append(config.query)
        return self.items


def load(text: str, desk: Desk | None) -> StackConfig:
    source = Source("stack.yaml", (HEAD + text).encode())
    return load_stack([source], Path("/stack"), [Watched()], Inputs(), ask=desk)


def problems(text: str) -> list[Diagnostic]:
    with pytest.raises(DiagnosticError) as caught:
        load(text, Desk())
    return list(caught.value.diagnostics)


ONE_PER_LAMP = """
resources:
  siren:
    mirror: {for_each: "${data.lamps.lit}", severity: Major, host: "${each.value.host}"}
"""


def test_for_each_over_a_query_makes_an_instance_of_each_item_by_its_id() -> None:
    desk = Desk([{"id": "a1", "host": "h1"}, {"id": "b2", "host": "h2"}])
    stack = load(ONE_PER_LAMP, desk)
    assert [(str(each.address), each.attributes["host"]) for each in stack.desired] == [
        ('siren.mirror["a1"]', "h1"),
        ('siren.mirror["b2"]', "h2"),
    ]


def test_only_the_queries_that_expressions_use_are_made_and_each_once() -> None:
    desk = Desk([{"id": "a1", "host": "h"}])
    load(ONE_PER_LAMP + '    second: {severity: Major, host: "n${data.lamps.lit | length}"}\n', desk)
    assert desk.asked == ["lamps.lit"]


def test_a_query_may_use_variables() -> None:
    desk = Desk()
    load(ONE_PER_LAMP, desk)
    assert desk.filters == [Filters(color="red")]


def test_without_anybody_to_ask_what_needs_a_query_is_left_out_and_that_is_told() -> None:
    stack = load(ONE_PER_LAMP + "    plain: {severity: Major, host: h}\n", None)
    assert [str(each.address) for each in stack.desired] == ["siren.plain"]
    assert stack.unresolved == {"lamps.lit"}


def test_a_configuration_with_problems_asks_nobody() -> None:
    desk = Desk()
    with pytest.raises(DiagnosticError):
        load("resources:\n  siren:\n    bad: {severity: Loud, host: h}\n" + ONE_PER_LAMP.split("siren:\n")[1], desk)
    assert desk.asked == []


def test_a_query_that_fails_is_never_taken_for_an_empty_one() -> None:
    def ask(config: DataConfig, provider: ProviderConfig) -> Value:
        raise DiagnosticError(Diagnostic("the lamps cannot be seen", config.position))

    source = Source("stack.yaml", (HEAD + ONE_PER_LAMP).encode())
    with pytest.raises(DiagnosticError, match="the lamps cannot be seen"):
        load_stack([source], Path("/stack"), [Watched()], Inputs(), ask=ask)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("  lampz: {x: {}}", 'there is no data source "lampz"', 'did you mean "lamps"?'),
        ("  lamps: {bad: {colour: red}}", 'unknown key "colour"', 'did you mean "color"?'),
        ("  lamps: {bad: {color: 5}}", "color must be text, not a number (5)", 'quote it if text is meant: "5"'),
        ("  lamps: {bad: {provider: hron}}", "hron cannot be queried for lamps.bad", 'did you mean "horn"?'),
        ("  lamps: {bad: 5}", "lamps.bad must be a mapping of filters, not a number", None),
    ],
)
def test_what_is_wrong_with_a_query_is_told(text: str, said: str, hint: str | None) -> None:
    source = Source("more.yaml", b"data:\n" + text.encode())
    with pytest.raises(DiagnosticError) as caught:
        load_stack([Source("stack.yaml", HEAD.encode()), source], Path("/stack"), [Watched()], Inputs())
    [found] = caught.value.diagnostics
    assert (found.summary, found.hint) == (said, hint)
    assert found.position is not None
    assert found.position.file == "more.yaml"


@pytest.mark.parametrize(
    ("expression", "said", "hint"),
    [
        ("data.lamps.lot | length", 'there is no query "lamps.lot"', 'did you mean "lamps.lit"?'),
        ("data.lamps | length", "this names no query", "write data.TYPE.NAME"),
        ("data['lamps'][each.key]", "names in data must be literal", "write data.TYPE.NAME"),
    ],
)
def test_an_expression_names_a_query_by_type_and_name(expression: str, said: str, hint: str) -> None:
    text = f'resources: {{siren: {{a: {{for_each: [x], severity: Major, host: "h${{{expression}}}"}}}}}}'
    [found] = problems(text)
    assert (found.summary, found.hint) == (said, hint)


def test_an_item_without_an_id_can_not_be_an_instance() -> None:
    source = Source("stack.yaml", (HEAD + ONE_PER_LAMP).encode())
    with pytest.raises(DiagnosticError, match="mappings with an id, not a mapping without one"):
        load_stack([source], Path("/stack"), [Watched()], Inputs(), ask=Desk([{"host": "h"}]))


def test_a_query_nobody_can_be_asked_for_is_a_problem() -> None:
    text = "stack: demo\ndata: {lamps: {lit: {}}}"
    with pytest.raises(DiagnosticError, match=r"no provider for lamps\.lit is configured"):
        load_stack([Source("stack.yaml", text.encode())], Path("/stack"), [Watched(), HORN], Inputs())
