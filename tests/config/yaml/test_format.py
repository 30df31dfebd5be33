"""How a configuration is laid out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from ruamel.yaml import YAML

from reconciler.config.yaml.format import format_text
from reconciler.config.yaml.source_map import Source
from reconciler.core.diagnostic import DiagnosticError
from tests.config.yaml.yaml_texts import yaml_texts


def formatted(text: str) -> str:
    return format_text(Source("stack.yaml", text.encode()))


def read_by_another(text: str) -> object:
    return YAML(typ="safe", pure=True).load(text)


@settings(max_examples=100, deadline=None)
@given(yaml_texts())
def test_laying_out_twice_is_laying_out_once(text: str) -> None:
    once = formatted(text)
    assert formatted(once) == once


@settings(max_examples=100, deadline=None)
@given(yaml_texts())
def test_no_meaning_is_changed_and_every_comment_stays_in_its_order(text: str) -> None:
    once = formatted(text)
    assert read_by_another(once) == read_by_another(text)
    assert re.findall(r"#.*\S|#", once) == re.findall(r"#.*\S|#", text)
    assert "".join(once.split()) == "".join(text.split())


WRITTEN = """\
# head


stack:   shop
resources:
    aom_alarm:
        # what it is about
        disk_full :   {resource_provider: ecs,resource_type:  vm}   # in one line
        latency:
            for_each: [ecs-1,
              ecs-2]  # both
            depends_on:
            - aom_alarm.disk_full
            # after it
            annotations:
                message: |
                    first
                      second
                wiki:   "one
                         two"



# tail
"""
LAID_OUT = """\
# head

stack: shop
resources:
  aom_alarm:
    # what it is about
    disk_full: {resource_provider: ecs, resource_type: vm}   # in one line
    latency:
      for_each: [ecs-1,
        ecs-2]  # both
      depends_on:
        - aom_alarm.disk_full
      # after it
      annotations:
        message: |
          first
            second
        wiki: "one
          two"

# tail
"""


def test_a_text_is_laid_out_in_the_one_way_there_is() -> None:
    assert formatted(WRITTEN) == LAID_OUT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment\n",
        "a: 1\n",
        "a: |\n  no newline at the end",
        "a: |+\n  kept\n\n\n",
        "a: |2\n    indented\n",
        'a: "one\\\n  two\\ \n  three"\n',
        "a: &anchor {b: 1}\nc: *anchor\n? d\n: e\n",
        "--- # a document\na: 1\n...\n",
        "a: [\n  {b: 1},\n]\n",
    ],
)
def test_what_is_laid_out_well_stays_as_it_is(text: str) -> None:
    assert formatted(text) == text


def test_line_ends_of_another_system_and_a_byte_order_mark_go() -> None:
    assert format_text(Source("x", b"\xef\xbb\xbfa:  1\r\nb: 2\r\n")) == "a: 1\nb: 2\n"


@pytest.mark.parametrize("text", ["a: [1", "a: 1\na: 2", "a: !tag 1", "a: \x01"])
def test_what_can_not_be_read_is_told_with_its_place_and_without_its_text(text: str) -> None:
    with pytest.raises(DiagnosticError) as raised:
        formatted(text)
    (problem,) = raised.value.diagnostics
    assert problem.position is not None
    assert problem.source is None
