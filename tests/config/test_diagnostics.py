"""Bad input: every problem at once, each at its exact place, with the next step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.diagnostic import DiagnosticError
from tests.config.loading import HEAD, load, problems, told

GOOD = "    ok: {severity: Info, host: h}\n"


def siren(fields: str) -> str:
    """A stack with one siren whose fields stand on line 5, from column 11 on."""
    return HEAD + f"resources:\n  siren:\n    one: {{ {fields} }}\n"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            "severity: Blocker, host: h",
            ['5:22 severity: "Blocker" is not one of Critical, Major, Minor, Info'],
        ),
        (
            "severity: Majr, host: h",
            ['5:22 severity: "Majr" is not one of Critical, Major, Minor, Info (did you mean "Major"?)'],
        ),
        ("severity: Info", ['5:5 "host" is missing in siren.one (add host: ...)']),
        ("severity: Info, hots: h, host: h", ['5:28 unknown key "hots" (did you mean "host"?)']),
        ("severity: Info, host: 7", ['5:34 host must be text, not a number (7) (quote it if text is meant: "7")']),
        (
            "severity: Info, host: .inf",
            ['5:34 host must be text, not a number (.inf) (quote it if text is meant: ".inf")'],
        ),
        (
            "severity: Info, host: -.INF",
            ['5:34 host must be text, not a number (-.inf) (quote it if text is meant: "-.INF")'],
        ),
        ("severity: Info, host: h, volume: loud", ['5:45 volume must be a whole number, not text ("loud")']),
        (
            'severity: Info, host: h, volume: "7"',
            ['5:45 volume must be a whole number, not text ("7") (remove the quotes)'],
        ),
        ("severity: Info, host: h, volume: 1.5", ["5:45 volume must be a whole number, not a number (1.5)"]),
        ("severity: Info, host: h, volume: 11", ["5:45 volume: 11 must be at most 10"]),
        ("severity: Info, host: h, volume: -1", ["5:45 volume: -1 must be at least 0"]),
        (
            "severity: Info, host: aaaaaaaaaaaaaaaaaaaaaaaaa",
            ['5:34 host: "aaaaaaaaaaaaaaaaaaaaaaaaa" is too long: at most 20 characters'],
        ),
        ("severity: Info, host: h, labels: [a]", ["5:45 labels must be a mapping, not a list"]),
        (
            "severity: Info, host: h, labels: {a: 1}",
            ['5:49 labels.a must be text, not a number (1) (quote it if text is meant: "1")'],
        ),
        ("severity: Info, host: h, muted: yes", ['5:44 muted must be true or false, not text ("yes")']),
        (
            "severity: Info, host: h, timeout: soon",
            ["5:46 timeout: 'soon' is not a duration: write it like 90s, 30m, 12h or 15d"],
        ),
        ("severity: Info, host: h, muted: true", ["5:5 siren.one: what is muted has no volume"]),
        ("severity: Info, host: h, state: on", ['5:44 state: "on" is not one of firing, cleared']),
        (
            "severity: Info, host: h, occurrence: a",
            ["5:37 siren is raised and cleared, not recorded: it has no occurrence (leave occurrence out)"],
        ),
        (
            "severity: Info, host: h, lifecycle: {prevent_claer: true}",
            ['5:49 unknown key "prevent_claer" in lifecycle (did you mean "prevent_clear"?)'],
        ),
        ("severity: Info, host: h, enabled: 1", ["5:46 enabled must be true or false, not a number (1)"]),
        (
            "severity: Info, host: h, provider: hron",
            ['5:47 provider hron is not configured: no provider for siren (did you mean "horn"?)'],
        ),
        (
            "severity: Info, host: h, depends_on: [siren.two]",
            ['5:50 there is no resource siren.two to depend on (did you mean "siren.one"?)'],
        ),
        (
            "severity: Info, host: h, depends_on: [siren.one]",
            [
                "5:5 these resources depend on each other: siren.one -> siren.one (remove one of these references from "
                "depends_on)"
            ],
        ),
        (
            "severity: Info, host: h, depends_on: [two]",
            ["5:50 depends_on: 'two' is not an address: expected TYPE.NAME or TYPE.NAME[\"KEY\"]"],
        ),
        ("severity: Info, host: h, for_each: 3", ["5:47 for_each takes a list or a mapping, not a number"]),
        (
            "severity: Info, host: h, for_each: [a, a]",
            ['5:47 for_each names "a" twice; each instance needs an address of its own'],
        ),
        (
            "severity: Info, host: h, for_each: [1, '1']",
            ['5:47 for_each names "1" twice; each instance needs an address of its own'],
        ),
        (
            "severity: Info, host: h, for_each: ['']",
            [
                "5:47 the items of for_each must be texts, numbers, or mappings with an id, not an empty text; "
                "use a mapping to give each a name"
            ],
        ),
        (
            "severity: Info, host: h, for_each: [{a: 1}]",
            [
                "5:47 the items of for_each must be texts, numbers, or mappings with an id, not a mapping without one; "
                "use a mapping to give each a name"
            ],
        ),
        (
            'severity: "${var.sevrity}", host: h',
            ['5:23 there is no variable "sevrity" (declare it under variables)'],
        ),
        ('severity: Info, host: "${each.key}"', ["5:35 each can be used in a resource with for_each only"]),
        ('severity: Info, host: "a ${data.x.y}"', ['5:37 there is no query "x.y" (declare it under data)']),
        ('severity: Info, host: "${1 + }"', ["5:35 this is not an expression: unexpected end"]),
        ('severity: Info, host: "${stack.nam}"', ['5:35 stack has no "nam" (did you mean "name"?)']),
        (
            'severity: Info, host: h, "${stack.name}": 1',
            ["5:37 an expression cannot stand in a key (make the whole mapping one, in locals)"],
        ),
        (
            'for_each: [Info, Blocker], severity: "${each.value}", host: h',
            ['5:49 severity: "Blocker" is not one of Critical, Major, Minor, Info'],
        ),
        (
            'for_each: [3], severity: Info, host: "${each.value.port}"',
            ['5:50 a number has no "port"; methods are not available, filters are: ... | upper'],
        ),
    ],
)
def test_a_bad_resource_is_told_at_the_key_or_value_that_is_wrong(fields: str, expected: list[str]) -> None:
    assert told(siren(fields)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["stack.yaml does not name its stack (add a line: stack: NAME)"]),
        ("- a\n", ["1:1 a configuration is a mapping of sections, not a list (begin with: stack: NAME)"]),
        (
            "stack: Not_A_Name\n",
            [
                "1:8 this is not a name for a stack (it has lower-case letters, digits and dashes between them, "
                "at most 63 in all)"
            ],
        ),
        ("stack: 7\n", ["1:8 stack must be text, not a number (add a name: stack: NAME)"]),
        ("stack: a\nresorces: {}\n", ['2:1 unknown key "resorces" (did you mean "resources"?)']),
        (
            "stack: a\nchecks: {}\n",
            [
                '2:1 unknown key "checks" (the sections are stack, ledger, include, variables, locals, providers, '
                "defaults, data, resources, moved, removed, import, guards)"
            ],
        ),
        ("stack: a\nresources: [a]\n", ["2:12 resources must be a mapping, not a list"]),
        (
            "stack: a\nresources:\n  siern: {a: {}}\n",
            ['3:3 there is no resource type "siern" (did you mean "siren"?)'],
        ),
        (
            "stack: a\nresources:\n  siren:\n" + GOOD,
            [
                "3:3 no provider for siren is configured (add to the configuration: providers: "
                "{horn: {endpoint: ..., auth: ...}})"
            ],
        ),
        (
            HEAD + "resources:\n  siren:\n    1up: {severity: Info, host: h}\n",
            ['5:5 "1up" is not a name (a name has letters, digits, _ and -, and does not begin with a digit)'],
        ),
        (HEAD + "resources:\n  siren:\n    one:\n", ["5:5 siren.one must be a mapping of fields, not null"]),
        (
            "stack: a\nproviders: {hron: {endpoint: e, auth: {token: t}}}\n",
            ['2:13 there is no provider type "hron" (did you mean "horn"?)'],
        ),
        (
            "stack: a\nproviders: {horn: {endpoint: e, auth: {tokn: t}}}\n",
            [
                '2:33 "token" is missing in auth (add token: ...)',
                '2:40 unknown key in auth (did you mean "token"?)',
            ],
        ),
        (
            "stack: a\nproviders:\n  horn:\n    endpoint: e\n",
            ['3:3 "auth" is missing in provider horn (add auth: ...)'],
        ),
        (
            "stack: a\nproviders:\n  horn: {endpoint: e, auth: {token: t}}\n"
            "  horn.eu: {endpoint: e, auth: {token: t}}\nresources:\n  siren:\n" + GOOD,
            ["7:5 siren.ok matches several providers: horn, horn.eu (add to it: provider: horn)"],
        ),
        ("stack: a\nguards: {max_clears: -1}\n", ["2:22 max_clears: -1 must be at least 0"]),
        (
            "stack: a\nguards: {max_clears: 101%}\n",
            ["2:22 max_clears: expected a whole number, or a percentage of the stack's alarms such as 10%"],
        ),
        ("stack: a\nguards: {max_claers: 1}\n", ['2:10 unknown key "max_claers" (did you mean "max_clears"?)']),
        (
            "stack: a\nlocals:\n  a: ${local.b}\n  b: ${local.c}\n  c: ${local.a}\n  d: ${local.a}\n",
            ["3:6 these locals depend on each other: local.a -> local.b -> local.c -> local.a"],
        ),
        ("stack: a\nlocals: {a: '${local.a}'}\n", ["2:13 these locals depend on each other: local.a -> local.a"]),
        (
            "stack: a\nlocals: {host: x, a: '${local.hots}'}\n",
            ['2:23 there is no local "hots" (did you mean "host"?)'],
        ),
        (
            "stack: a\nlocals: {a: '${env.HOME}'}\n",
            [
                "2:14 env cannot be used here: only providers and variables may read the environment, so that a change "
                "of the configuration cannot copy a secret into an alarm (declare a variable with its value and use "
                "that: variables: {NAME: {}}, --var NAME=...)"
            ],
        ),
        (
            "stack: a\nproviders: {horn: {endpoint: '${env.WHERE}', auth: {token: t}}}\n",
            ["2:31 the environment variable WHERE is not set (set it: export WHERE=...)"],
        ),
    ],
)
def test_a_bad_configuration_is_told_at_its_place(text: str, expected: list[str]) -> None:
    assert told(text) == expected


def test_all_problems_are_told_at_once_in_the_order_of_the_text() -> None:
    text = """\
stack: demo
variables: {region: {}, release: {}}
locals: {a: "${var.nothing}"}
providers: {horn: {endpoint: e, auth: {token: t}, batch_size: 0}}
resources:
  siren:
    one: {severity: Bad, hots: x}
    two: {severity: Info, host: "${local.a}"}
  sirne: {}
"""
    assert told(text) == [
        "2:13 variable region has no value (set it with --var region=..., a --var-file or "
        "the environment variable RECONCILER_VAR_region)",
        "2:25 variable release has no value (set it with --var release=..., a --var-file or "
        "the environment variable RECONCILER_VAR_release)",
        '3:14 there is no variable "nothing" (declare it under variables)',
        "4:63 batch_size: 0 must be at least 1",
        '7:5 "host" is missing in siren.one (add host: ...)',
        '7:21 severity: "Bad" is not one of Critical, Major, Minor, Info',
        '7:26 unknown key "hots" (did you mean "host"?)',
        '9:3 there is no resource type "sirne" (did you mean "siren"?)',
    ]


def test_a_problem_carries_its_line_of_text_and_the_address_of_its_instance() -> None:
    (found,) = problems(siren('for_each: [a], severity: Bad, host: "${each.key}"'))
    assert found.source == '    one: { for_each: [a], severity: Bad, host: "${each.key}" }'
    assert found.address == 'siren.one["a"]'


def test_instances_that_fail_alike_are_told_once() -> None:
    text = siren('for_each: "${range(100000)}", severity: Info, host: "${each.nothing}"')
    assert len(problems(text)) == 1


def test_instances_that_break_one_rule_are_told_once_with_the_first_and_how_many_more() -> None:
    text = siren('for_each: "${range(1000)}", severity: Info, host: "${each.value}"')
    (found,) = problems(text)
    assert (found.summary, found.address, found.repeated) == (
        "host must be text, not a number (0)",
        'siren.one["0"]',
        999,
    )


def test_instances_that_break_different_rules_are_told_apart() -> None:
    text = siren(f'for_each: [7, {"h" * 30}, 8], severity: Info, host: "${{each.value}}"')
    number, long = problems(text)
    assert (number.address, number.repeated) == ('siren.one["7"]', 1)
    assert "is too long" in long.summary
    assert long.repeated == 0


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ('severity: Info, host: "${3 + 4}"', 'convert it to text in the expression: "${... | string}"'),
        (
            'severity: Info, host: h, labels: {a: "${3 > 4}"}',
            'convert it to text in the expression: "${... | string}"',
        ),
        (
            'severity: Info, host: h, volume: "${stack.name | length | string}"',
            'convert it to a number in the expression: "${... | int}"',
        ),
        ('severity: Info, host: h, volume: "${stack.name}"', None),
    ],
)
def test_a_result_of_the_wrong_type_is_mended_in_its_expression(fields: str, hint: str | None) -> None:
    (found,) = problems(siren(fields))
    assert "must be" in found.summary
    assert found.hint == hint


@settings(max_examples=150, deadline=None)
@given(st.text("ab:-?[]{},&*!|'\"${}. \n", max_size=60))
def test_no_text_makes_a_load_fail_otherwise_than_by_diagnostics(text: str) -> None:
    for whole in (text, HEAD + "resources:\n  siren:\n    one: {host: " + text, HEAD + "locals:\n  a: " + text):
        try:
            load(whole)
        except DiagnosticError as error:
            assert error.diagnostics


def test_a_wrong_expression_does_not_hide_what_is_wrong_beside_it() -> None:
    text = """\
stack: demo
providers: {horn: {endpoint: e, auth: {token: some-token}}}
resources:
  siren:
    one: {severity: Bad, hots: x, host: "${nothing}", volume: 99}
"""
    assert [summary.split(" ", 1)[1].split(" (")[0] for summary in told(text)] == [
        'severity: "Bad" is not one of Critical, Major, Minor, Info',
        'unknown key "hots"',
        '"nothing" is not known here',
        "volume: 99 must be at most 10",
    ]
