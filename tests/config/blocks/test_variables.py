"""Variables: where their values come from, their types, and that the sensitive ones stay where they belong."""

from __future__ import annotations

import pytest

from reconciler.config.stack import StackConfig
from tests.config.loading import HEAD, load, problems, told

USE = "\nresources: {siren: {one: {severity: Info, host: h, notes: '${var.x}'}}}\n"


def declared(block: str) -> str:
    return f"{HEAD}variables: {{x: {block}}}{USE}"


def value(stack: StackConfig) -> object:
    return stack.desired[0].attributes["notes"]


def test_the_strongest_source_wins() -> None:
    text = declared("{default: default, env: HOST_X, type: string}").replace("notes: '${var.x}'", "notes: ok")
    text = text.replace("token: a-secret-token", 'token: "${var.x}"')
    sources: list[tuple[str, dict[str, object]]] = [
        ("from-var", {"var": {"x": "from-var"}}),
        ("later-file", {"files": {"a.yaml": "x: earlier-file", "b.yaml": "x: later-file"}}),
        ("from-prefix", {"environ": {"RECONCILER_VAR_x": "from-prefix", "HOST_X": "from-env"}}),
        ("from-env", {"environ": {"HOST_X": "from-env"}}),
        ("default", {}),
    ]
    given: dict[str, object] = {}
    for expected, more in reversed(sources):
        given = {**given, **more}
        settings = load(text, **given).providers["horn"].settings  # type: ignore[arg-type]  # handed through
        assert settings.model_dump()["auth"]["token"] == expected


@pytest.mark.parametrize(
    ("block", "given", "expected"),
    [
        ("{type: number}", "7", 7),
        ("{type: number}", "0x10", 16),
        ("{type: number}", "1.5", 1.5),
        ("{type: bool}", "true", True),
        ("{type: string}", "7", "7"),
        ("{}", "7", "7"),
        ("{type: list}", "[a, 1]", ["a", 1]),
        ("{type: map}", "{a: 1}", {"a": 1}),
        ("{default: 3}", "7", 7),
        ("{default: false}", "true", True),
        ("{default: [a]}", "[b]", ["b"]),
        ("{default: a}", "7", "7"),
    ],
)
def test_a_text_from_outside_becomes_the_type_of_the_variable(block: str, given: str, expected: object) -> None:
    for stack in (
        load(declared(block), var={"x": given}),
        load(declared(block), environ={"RECONCILER_VAR_x": given}),
    ):
        assert value(stack) == expected
        assert type(value(stack)) is type(expected)


@pytest.mark.parametrize(
    ("block", "given", "expected"),
    [
        ("{type: number}", "many", 'variable x must be a number; what is given by --var is text "many"'),
        ("{type: bool}", "yes", 'variable x must be a bool; what is given by --var is text "yes"'),
        ("{type: list}", "{a: 1}", "variable x must be a list; what is given by --var is a mapping"),
        ("{type: map}", "[", 'variable x must be a map; what is given by --var is text "["'),
        ("{type: number, sensitive: true}", "hunter22", "variable x must be a number; what is given by --var is text"),
    ],
)
def test_a_text_that_is_not_of_the_type_is_refused(block: str, given: str, expected: str) -> None:
    assert problems(declared(block), var={"x": given})[0].summary == expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{defualt: 1}", '3:17 unknown key (did you mean "default"?)'),
        ("{type: text}", '3:23 type: "text" is not one of string, number, bool, list, map'),
        ("{type: number, default: a}", '3:40 variable x must be a number; what is given by its default is text "a"'),
        ("7", "3:16 a variable is declared by a mapping, not by a number (write x: {default: ...})"),
        ("", "3:13 variable x has no block (write x: {} if it must be given)"),
        (
            "{env: X, sensitive: false}",
            "3:36 variable x is read from the environment, and that makes it sensitive (remove sensitive; or set the "
            "value with RECONCILER_VAR_x or --var, without env)",
        ),
        (
            "{default: 5, validation: {condition: '${var.x < 3}', message: use less}}",
            "3:13 variable x is not valid: use less",
        ),
        (
            "{default: 5, validation: {condition: '${var.x}', message: m}}",
            "3:53 a condition must be true or false; this one is a number",
        ),
        ("{default: 5, validation: {condition: '${var.y}', message: m}}", '3:54 there is no variable "y"'),
        ("{default: '${var.y}'}", "3:27 var cannot be used in variables"),
    ],
)
def test_a_bad_declaration_is_told(block: str, expected: str) -> None:
    assert told(declared(block))[0].startswith(expected)


def test_every_variable_without_a_value_is_told_with_the_ways_to_give_it() -> None:
    text = f"{HEAD}variables: {{a: {{}}, b: {{env: B_FROM}}}}\n"
    assert told(text) == [
        "3:13 variable a has no value (set it with --var a=..., a --var-file or the environment variable "
        "RECONCILER_VAR_a)",
        "3:20 variable b has no value (set it with --var b=..., a --var-file, the environment variable "
        "RECONCILER_VAR_b or the environment variable B_FROM)",
    ]


def test_a_variable_that_is_not_declared_is_an_error_from_var_and_a_warning_from_a_file() -> None:
    text = declared("{default: 1}")
    assert told(text, var={"xx": "1"}) == ['there is no variable "xx" (given by --var) (did you mean "x"?)']
    stack = load(text, files={"vars/a.yaml": "xx: 1\n"})
    (warning,) = stack.warnings
    assert str(warning.position) == "vars/a.yaml:1:1"
    assert warning.summary == 'there is no variable "xx"'


def test_a_file_of_variables_is_taken_as_it_is() -> None:
    assert value(load(declared("{}"), files={"a.yaml": "x: '${var.y}'"})) == "${var.y}"
    assert told(declared("{default: 1}"), files={"a.yaml": "- x"})[0] == (
        "a.yaml:1:1 a file of variables is a mapping of names to values, not a list"
    )


def test_a_default_may_come_from_the_environment() -> None:
    text = HEAD.replace("a-secret-token", '"${var.x}"') + "variables: {x: {default: '${env.T}-1'}}\n"
    stack = load(text, environ={"T": "from-env"})
    assert stack.secrets == {"from-env-1"}


SENSITIVE = [
    "{default: hunter22, sensitive: true}",
    "{env: T}",
    "{default: '${env.T}'}",
]


@pytest.mark.parametrize("block", SENSITIVE)
def test_a_sensitive_variable_can_be_used_under_providers_only(block: str) -> None:
    (found,) = problems(declared(block), environ={"T": "hunter22"})
    assert found.summary == (
        "var.x is sensitive: it can be used under providers only, so that no secret gets into an alarm"
    )
    provider = HEAD.replace("a-secret-token", '"${var.x}"') + f"variables: {{x: {block}}}\n"
    assert load(provider, environ={"T": "hunter22"}).secrets == {"hunter22"}


def test_what_is_made_from_a_sensitive_value_is_sensitive_too() -> None:
    text = f"""{HEAD}variables: {{x: {{default: hunter22, sensitive: true}}}}
locals:
  b: "${{local.a | upper}}"
  a: "Bearer ${{var.x}}"
resources: {{siren: {{one: {{severity: Info, host: h, notes: ["${{local.b}}"]}}}}}}
"""
    assert told(text) == [
        "7:61 local.b is sensitive: it can be used under providers only, so that no secret gets into an alarm"
    ]


def test_guards_and_later_sections_take_no_secret_either() -> None:
    text = f"""{HEAD}variables: {{x: {{default: hunter22, sensitive: true}}}}
guards: {{severities: ["${{var.x}}"]}}
checks: {{one: {{expect: "${{var.x}}"}}}}
"""
    assert [line.split(" ")[0] for line in told(text, sections=["checks"])] == ["4:24", "5:25"]
