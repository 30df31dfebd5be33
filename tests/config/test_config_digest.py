"""The digest of a configuration follows its meaning, not its writing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs
from reconciler.config.yaml.source_map import Source
from tests.config.catalog import CATALOG
from tests.config.loading import load

BASE = """\
stack: demo
variables: {v: {default: x}, unused: {default: 1}}
locals: {l: y}
providers: {horn: {endpoint: e, auth: {token: secret-one}}}
guards: {max_changes: 5}
resources:
  siren:
    one: {severity: Info, host: "${var.v}", labels: {a: b, c: d}}
    two: {severity: Info, host: "${local.l}"}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("stack: demo\n", "# a comment\nstack: 'demo'\n\n"),
        ("labels: {a: b, c: d}", "labels: {c: d, a: b}"),
        ('host: "${local.l}"', "host: y"),
        ("secret-one", "secret-two"),
        ("unused: {default: 1}", "unused: {default: 2}"),
        ("{max_changes: 5}", '{max_changes: "${2 + 3}"}'),
        ('{severity: Info, host: "${local.l}"}', "{severity: Info, host: y, state: firing, enabled: true}"),
    ],
)
def test_what_means_the_same_has_the_same_digest(old: str, new: str) -> None:
    assert old in BASE
    assert load(BASE.replace(old, new)).digest == load(BASE).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("stack: demo", "stack: other"),
        ("{default: x}", "{default: z}"),
        ("endpoint: e", "endpoint: f"),
        ("max_changes: 5", "max_changes: 6"),
        ("a: b", "a: bb"),
        ("two:", "three:"),
        ("labels: {a: b, c: d}", "labels: {a: b, c: d}, state: cleared"),
        ("labels: {a: b, c: d}", "labels: {a: b, c: d}, lifecycle: {prevent_clear: true}"),
        ("labels: {a: b, c: d}", "labels: {a: b, c: d}, depends_on: [siren.two]"),
    ],
)
def test_what_means_something_else_has_another_digest(old: str, new: str) -> None:
    assert old in BASE
    assert load(BASE.replace(old, new)).digest != load(BASE).digest


def test_sections_read_later_count_with_the_values_they_use() -> None:
    text = BASE + "checks: {one: {expect: '${var.v}'}}\n"

    def digest(text: str) -> str:
        return load(text, sections=["checks"]).digest

    assert digest(text) != load(BASE).digest
    swapped = text.replace('host: "${var.v}"', "host: x")
    assert digest(swapped) == digest(text)
    assert digest(swapped.replace("{default: x}", "{default: z}")) != digest(swapped)


@settings(max_examples=30, deadline=None)
@given(st.permutations(BASE.split("\n")[1:5]), st.booleans())
def test_neither_the_order_of_sections_nor_the_files_they_are_in_matter(lines: list[str], split: bool) -> None:
    rest = "\n".join(BASE.split("\n")[5:])
    texts = (
        [line + "\n" for line in ["stack: demo", *lines, rest]] if split else ["\n".join(["stack: demo", *lines, rest])]
    )
    sources = [Source(f"{number}.yaml", text.encode()) for number, text in enumerate(texts)]
    assert load_stack(sources, Path(), CATALOG, Inputs()).digest == load(BASE).digest
