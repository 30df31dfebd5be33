"""The section ``import``: what is read, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs
from reconciler.config.yaml.source_map import Source
from tests.config.catalog import CATALOG
from tests.config.loading import HEAD, load, told

RESOURCES = (
    "resources: {siren: {one: {severity: Info, host: h}, quiet: {severity: Info, host: h, state: cleared}, "
    "each: {for_each: [a, b], severity: Info, host: h}}, note: {said: {text: t}}}\n"
)


def _told(blocks: str) -> list[str]:
    return told(f"{HEAD}{RESOURCES}import: {blocks}\n")


def test_imports_of_resources_and_instances_are_read_with_their_places() -> None:
    text = f"{HEAD}{RESOURCES}import:\n  - {{to: siren.one, id: '17'}}\n  - {{to: 'siren.each[\"b\"]', id: x}}\n"
    imports = load(text).imports
    assert [(str(item.destination), item.id) for item in imports] == [("siren.one", "17"), ('siren.each["b"]', "x")]
    assert imports[0].position is not None
    assert imports[0].position.line == 5


def test_an_id_may_come_from_a_variable() -> None:
    text = f"{HEAD}{RESOURCES}variables: {{id: {{}}}}\nimport: [{{to: siren.one, id: '${{var.id}}'}}]\n"
    assert [item.id for item in load(text, var={"id": "17"}).imports] == ["17"]


def test_the_imports_of_several_files_are_put_together() -> None:
    first = Source("a.yaml", f"{HEAD}{RESOURCES}import: [{{to: siren.one, id: a}}]\n".encode())
    more = Source("b.yaml", b"import: [{to: 'siren.each[\"a\"]', id: b}]\n")
    stack = load_stack([first, more], Path("/stack"), CATALOG, Inputs({}, (), {}))
    assert [item.id for item in stack.imports] == ["a", "b"]


def test_an_import_is_part_of_what_a_configuration_means() -> None:
    assert load(HEAD + RESOURCES).digest != load(f"{HEAD}{RESOURCES}import: [{{to: siren.one, id: a}}]\n").digest


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ("{to: siren.one, id: a}", "4:9 import must be a list, not a mapping"),
        ("[{to: siren.one}]", '4:10 "id" is missing in import (add id: ...)'),
        ("[{to: siren.one, id: 17}]", '4:30 id must be text, not a number (17) (quote it if text is meant: "17")'),
        ("[{to: siren, id: a}]", "4:15 to: "),
        ("[{to: sirn.one, id: a}]", '4:15 there is no resource type "sirn" (did you mean "siren"?)'),
        ("[{to: note.said, id: a}]", "4:15 note.said is an event, which cannot be imported (omit this block"),
        ("[{to: siren.on, id: a}]", '4:15 siren.on is imported, and is not declared (did you mean "siren.one"?)'),
        ("[{to: siren.quiet, id: a}]", "4:15 siren.quiet is imported, and is declared cleared (declare it firing"),
        (
            "[{to: siren.each, id: a}]",
            '4:15 siren.each has for_each: an import names one instance (siren.each["a"], siren.each["b"])',
        ),
        (
            "[{to: 'siren.each[\"c\"]', id: a}]",
            '4:15 siren.each["c"] is imported, and is not declared (its instances are siren.each["a"], ',
        ),
        (
            "[{to: 'siren.one[\"a\"]', id: a}]",
            '4:15 siren.one["a"] is imported, and is not declared (it has no for_each: write siren.one)',
        ),
        (
            "[{to: siren.one, id: a}, {to: siren.one, id: b}]",
            "4:34 two objects are imported to siren.one (the other block is at stack.yaml:4:10; an address has one",
        ),
        (
            "[{to: siren.one, id: a}, {to: 'siren.each[\"a\"]', id: a}]",
            "4:62 the object a is imported twice (stack.yaml:4:10 imports it to siren.one; omit one of them)",
        ),
    ],
)
def test_an_import_that_cannot_be_is_told_at_its_place(blocks: str, expected: str) -> None:
    (problem,) = _told(blocks)
    assert problem.startswith(expected)
