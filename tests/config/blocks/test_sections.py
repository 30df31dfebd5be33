"""Several files of one stack: merged, included, and no name twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs, StackConfig
from reconciler.config.yaml.source_map import Source
from reconciler.core.diagnostic import DiagnosticError
from tests.config.catalog import CATALOG
from tests.config.loading import HEAD, rendered


def load_files(files: Mapping[str, str], read: Callable[[str], Source] | None = None) -> StackConfig:
    sources = [Source(name, text.encode()) for name, text in files.items()]
    return load_stack(sources, Path("/stack"), CATALOG, Inputs(), read)


def told(files: Mapping[str, str], read: Callable[[str], Source] | None = None) -> list[str]:
    with pytest.raises(DiagnosticError) as caught:
        load_files(files, read)
    return [rendered(found) for found in caught.value.diagnostics]


def addresses(stack: StackConfig) -> list[str]:
    return [str(item.address) for item in stack.desired]


ONE = "resources: {siren: {one: {severity: Info, host: '${local.h}'}}}\n"
TWO = "locals: {h: x}\nresources: {siren: {two: {severity: Info, host: h}}, note: {n: {text: t}}}\n"


def test_the_sections_of_all_files_are_merged() -> None:
    stack = load_files({"a.yaml": HEAD, "b.yaml": ONE, "c.yaml": TWO, "d.yaml": "", "e.yaml": "resources:\n"})
    assert addresses(stack) == ["siren.one", "siren.two", "note.n"]
    assert [str(item.position) for item in stack.desired] == ["b.yaml:1:21", "c.yaml:2:21", "c.yaml:2:61"]


def test_a_name_in_two_files_is_told_with_both_places() -> None:
    text = "locals: {h: y}\n" + ONE
    assert told({"a.yaml": HEAD, "b.yaml": ONE, "c.yaml": text, "d.yaml": "locals: {h: x}\nstack: demo\n"}) == [
        'c.yaml:2:21 "one" is declared twice (it is first given at b.yaml:1:21)',
        'd.yaml:1:10 "h" is declared twice (it is first given at c.yaml:1:10)',
        "d.yaml:2:1 stack is given twice (it is first given at a.yaml:1:1; give it in one file only)",
    ]


def test_an_unreadable_file_does_not_hide_the_problems_of_the_others() -> None:
    found = told({"a.yaml": HEAD, "b.yaml": "a: [", "c.yaml": "resurces: {}"})
    assert [line.split(" ")[0] for line in found] == ["b.yaml:1:5", "c.yaml:1:1"]


def test_an_included_file_is_part_of_the_stack() -> None:
    asked: list[str] = []

    def read(name: str) -> Source:
        asked.append(name)
        return Source(name, {"sub/one.yaml": "include: ./sub/two.yaml\n" + ONE, "sub/two.yaml": TWO}[name].encode())

    stack = load_files({"a.yaml": HEAD + "include: [sub/one.yaml]\n"}, read)
    assert addresses(stack) == ["siren.one", "siren.two", "note.n"]
    assert asked == ["sub/one.yaml", "sub/two.yaml"]


OUTSIDE = "it is outside the stack (share values in a var-file, or link to the file from the stack)"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("https://example.com/a.yaml", "it is a URL, and only files of the stack can be"),
        ("file:///etc/passwd", "it is a URL, and only files of the stack can be"),
        ("../a.yaml", OUTSIDE),
        ("sub/../../a.yaml", OUTSIDE),
        ("/etc/passwd", "a name is relative to the stack, with / between its parts"),
        ("C:/a.yaml", "a name is relative to the stack, with / between its parts"),
        ("..\\\\a.yaml", "a name is relative to the stack, with / between its parts"),
        ("", "it is not the name of a file"),
    ],
)
def test_an_include_stays_in_the_stack(name: str, reason: str) -> None:
    def read(_: str) -> Source:
        raise AssertionError("it must not be read")

    (found,) = told({"a.yaml": f'{HEAD}include: "{name}"\n'}, read)
    assert found == f'a.yaml:3:10 "{name.replace(chr(92) * 2, chr(92))}" cannot be included: {reason}'


def test_an_include_that_can_not_be_read_or_comes_twice_is_told() -> None:
    def read(name: str) -> Source:
        raise FileNotFoundError(2, "No such file or directory", name)

    assert told({"a.yaml": HEAD + "include: [b.yaml, a.yaml, 7]\n"}, read) == [
        'a.yaml:3:11 "b.yaml" cannot be read: No such file or directory',
        'a.yaml:3:19 "a.yaml" is part of the stack already (remove this include)',
        "a.yaml:3:27 include names a file, not a number",
    ]
