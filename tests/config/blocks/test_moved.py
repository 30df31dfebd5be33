"""The section ``moved``: what is read, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs
from reconciler.config.yaml.source_map import Source
from tests.config.catalog import CATALOG
from tests.config.loading import HEAD, load, told

NEW = "resources: {siren: {new: {severity: Info, host: h}}}\n"


def _told(moved: str, resources: str = NEW) -> list[str]:
    return told(f"{HEAD}{resources}moved: {moved}\n")


def test_moves_of_resources_and_instances_are_read() -> None:
    text = f"{HEAD}{NEW}moved:\n  - {{from: siren.old, to: siren.new}}\n  - {{from: 'siren.a[\"x\"]', to: siren.b}}\n"
    moves = load(text).moves.entries
    assert [(str(move.source), str(move.destination)) for move in moves] == [
        ("siren.old", "siren.new"),
        ('siren.a["x"]', "siren.b"),
    ]
    assert moves[0].position is not None
    assert moves[0].position.line == 5


def test_the_moves_of_several_files_are_put_together() -> None:
    more = b"moved: [{from: siren.older, to: siren.old}]\n"
    first = Source("a.yaml", f"{HEAD}{NEW}moved: [{{from: siren.old, to: siren.new}}]\n".encode())
    stack = load_stack([first, Source("b.yaml", more)], Path("/stack"), CATALOG, Inputs({}, (), {}))
    assert [str(move.source) for move in stack.moves.entries] == ["siren.old", "siren.older"]


def test_a_moved_section_without_entries_is_no_problem() -> None:
    assert not load(f"{HEAD}moved:\n").moves


def test_a_move_is_part_of_what_a_configuration_means() -> None:
    assert load(HEAD + NEW).digest != load(f"{HEAD}{NEW}moved: [{{from: siren.old, to: siren.new}}]\n").digest


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ("{from: siren.a, to: siren.new}", ["4:8 moved must be a list, not a mapping"]),
        ("[siren.a]", ['4:9 this must be a mapping, not text ("siren.a")']),
        ("[{from: siren.a}]", ['4:9 "to" is missing in moved (add to: ...)']),
        ("[{from: siren.a, too: siren.new}]", None),
        ("[{from: siren, to: siren.new}]", None),
        (
            "[{from: sirn.a, to: siren.new}]",
            ['4:16 there is no resource type "sirn" (did you mean "siren"?)'],
        ),
        ("[{from: siren.new, to: siren.new}]", ["4:9 siren.new is moved to itself (remove this move)"]),
    ],
)
def test_a_move_that_cannot_be_read_is_told_at_its_place(moved: str, expected: list[str] | None) -> None:
    found = _told(moved)
    if expected is None:
        assert found
    else:
        assert found == expected


def test_a_move_keeps_the_type() -> None:
    (problem,) = _told("[{from: siren.a, to: note.b}]")
    assert problem.startswith("4:9 siren.a cannot become note.b: a siren is no note")


def test_two_moves_from_one_address_and_two_to_one_address_are_problems() -> None:
    both = _told("[{from: siren.a, to: siren.new}, {from: siren.a, to: siren.c}, {from: siren.b, to: siren.new}]")
    assert [problem.split(" (")[0] for problem in both] == [
        "4:41 siren.a is moved twice",
        "4:71 two objects are moved to siren.new: siren.a and siren.b",
    ]


@pytest.mark.parametrize(
    "moved",
    [
        "[{from: siren.a, to: siren.b}, {from: siren.b, to: siren.a}]",
        "[{from: siren.a, to: siren.b}, {from: siren.b, to: siren.c}, {from: siren.c, to: siren.a}]",
        "[{from: siren.a, to: siren.b}, {from: 'siren.b[\"k\"]', to: 'siren.a[\"k\"]'}]",
    ],
)
def test_moves_that_lead_back_are_one_problem(moved: str) -> None:
    (problem,) = _told(moved)
    assert "these moves form a cycle" in problem


def test_what_is_still_declared_cannot_have_moved() -> None:
    (problem,) = _told("[{from: siren.new, to: siren.other}]")
    assert problem.startswith("4:16 siren.new is moved to siren.other, and is still declared")
    each = 'resources: {siren: {new: {for_each: [a], severity: Info, host: "${each.key}"}}}\n'
    assert _told("[{from: 'siren.new[\"a\"]', to: siren.other}]", each)
    load(f"{HEAD}{each}moved: [{{from: 'siren.new[\"b\"]', to: 'siren.new[\"a\"]'}}]\n")


def test_removed_addresses_are_read_and_are_part_of_what_a_configuration_means() -> None:
    stack = load(f"{HEAD}{NEW}removed: [{{from: siren.gone}}, {{from: 'siren.new2[\"k\"]'}}]\n")
    assert [str(address) for address in stack.removed] == ["siren.gone", 'siren.new2["k"]']
    assert stack.digest != load(HEAD + NEW).digest


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        ("[{from: siren.new}]", "4:11 siren.new is removed, and is still declared"),
        ("[{from: siren.a}, {from: siren.a}]", "4:28 siren.a is removed twice"),
        ("[{from: sirn.a}]", '4:18 there is no resource type "sirn"'),
        ("[{}]", '4:11 "from" is missing in removed'),
    ],
)
def test_what_is_wrong_with_a_removed_block_is_told_at_its_place(removed: str, expected: str) -> None:
    (problem,) = told(f"{HEAD}{NEW}removed: {removed}\n")
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("hots", 'lifecycle.ignore_changes: there is no attribute "hots" (did you mean "host"?)'),
        ("labels", "lifecycle.ignore_changes: labels cannot be ignored as a whole (name one of its keys: labels.KEY)"),
    ],
)
def test_an_ignored_attribute_must_be_one(path: str, problem: str) -> None:
    resource = f"{{severity: Info, host: h, lifecycle: {{ignore_changes: [{path}]}}}}"
    (found,) = told(f"{HEAD}resources: {{siren: {{a: {resource}}}}}\n")
    assert found.split(" ", 1)[1] == problem
