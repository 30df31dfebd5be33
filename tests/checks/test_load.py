"""What stands under ``checks`` is read whole, and everything that is wrong with it is told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.checks.load import read_checks, validate_checks
from reconciler.checks.spec import Check, UnresolvedCheck
from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs, StackConfig
from reconciler.config.yaml.source_map import Source, Value
from reconciler.core.data_source import DataConfig
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import SECOND
from reconciler.providers.registry import Registry

REGISTRY = Registry()
HEAD = """\
stack: demo
variables: {most: {default: 2}}
providers:
  aom: {endpoint: "http://127.0.0.1:1", project_id: p, auth: {token: t}}
  bcm: {endpoint: "http://127.0.0.1:1", user_id: u, auth: {ak: a, sk: s}}
  ces: {endpoint: "http://127.0.0.1:1", project_id: p, auth: {token: t}}
data:
  bcm_alarms: {firing: {alarm_type: ALARM_TYPE_CLOUD}}
  aom_alarms: {firing: {}}
  ces_events: {releases: {}}
checks:
"""
LINES = HEAD.count("\n")


def load(checks: str, resources: str = "") -> StackConfig:
    source = Source("stack.yaml", (HEAD + checks + resources).encode())
    return load_stack([source], Path("/stack"), list(REGISTRY), Inputs(), sections=["checks"])


def nobody(config: DataConfig) -> Value:
    raise DiagnosticError(Diagnostic(f"{config.label} cannot be queried"))


def read(checks: str, resources: str = "", *names: str) -> list[Check | UnresolvedCheck]:
    return read_checks(load(checks, resources), REGISTRY.resource_types(), nobody, names)


def told(checks: str, resources: str = "") -> list[str]:
    with pytest.raises(DiagnosticError) as caught:
        read(checks, resources)
    return [
        f"{found.position.line - LINES if found.position else ''}:{found.position.column if found.position else ''} "
        f"{found.summary}{f' ({found.hint})' if found.hint else ''}"
        for found in caught.value.diagnostics
    ]


def test_a_check_is_a_query_an_expectation_and_spans_of_time() -> None:
    [check] = read('  a: {data: bcm_alarms.firing, expect: {count: {at_most: "${var.most}"}}, within: 5s, for: 1m}\n')
    assert isinstance(check, Check)
    assert check.query is not None
    assert check.query.label == "bcm_alarms.firing"
    assert (check.within, check.spec.hold, check.about) == (
        5 * SECOND,
        60 * SECOND,
        "bcm_alarms.firing within 5s for 1m",
    )


def test_a_canary_is_an_alarm_ready_to_be_pushed() -> None:
    [check] = read("  path: {canary: {event_severity: Minor, metadata: {team: checkout}}}\n")
    assert isinstance(check, Check)
    assert check.canary is not None
    assert str(check.canary.address) == 'aom_alarm.reconciler_canary["path"]'
    assert check.canary.identity["team"] == "checkout"
    assert check.within == 60 * SECOND


RECEIVER = 'providers:\n  receiver: {endpoint: "http://127.0.0.1:1", auth: {token: a-token}}\n'


def test_a_canary_may_be_expected_to_be_delivered() -> None:
    head = HEAD.replace("providers:\n", RECEIVER)
    source = Source(
        "stack.yaml", (head + "  path: {canary: {}, expect: {delivered: {within: 30s, at_most: 1}}}\n").encode()
    )
    stack = load_stack([source], Path("/stack"), list(REGISTRY), Inputs(), sections=["checks"])
    [check] = read_checks(stack, REGISTRY.resource_types(), nobody)
    assert isinstance(check, Check)
    assert check.delivered is not None
    assert (check.receiver, check.delivered.within, check.within) == ("receiver", 30 * SECOND, 60 * SECOND)


def test_names_choose_the_checks_that_are_read() -> None:
    text = "  a: {data: aom_alarms.firing, expect: {count: 0}}\n  b: {nonsense: true}\n"
    [check] = read(text, "", "a")
    assert check.name == "a"


def test_a_name_that_is_none_is_an_error_with_the_nearest() -> None:
    with pytest.raises(DiagnosticError) as caught:
        read("  nothing_major: {data: aom_alarms.firing, expect: {count: 0}}\n", "", "nothing_maior")
    [found] = caught.value.diagnostics
    assert (found.summary, found.hint) == ('there is no check "nothing_maior"', 'did you mean "nothing_major"?')


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("{data: bcm_alarms.firin, expect: {count: 0}}", ['1:13 there is no query "bcm_alarms.firin" (did you mean'
                                                          ' "bcm_alarms.firing"?)']),
        ("{data: aom_alarms.firing}", ["1:3 give data and expect, or a canary"]),
        ("{canary: {}, for: 5s}", ["1:3 a check with a canary has no data or for"]),
        ("{data: aom_alarms.firing, expect: {}}", [
            "1:40 expect: specify what is expected: count, all, any, none, notification or delivered"]),
        ("{data: aom_alarms.firing, expect: {count: many}}", ["1:48 expect.count must be a whole number, not text"
                                                              ' ("many")']),
        ("{data: aom_alarms.firing, expect: {cuont: 0}}", ['1:41 unknown key "cuont" in expect']),
        ("{data: aom_alarms.firing, expect: {all: {severity: Major}}}", [
            '1:47 an item of aom_alarms.firing has no field "severity" (did you mean "event_severity"?)']),
        ("{data: aom_alarms.firing, expect: {all: {event_severity: {at_most: Majr}}}}", [
            '1:47 "Majr" is no event_severity (did you mean "Major"?)']),
        ("{data: aom_alarms.firing, expect: {all: {event_name: {at_least: b}}}}", [
            '1:47 event_name has no order in which "b" could be at_least or at_most']),
        ("{data: aom_alarms.firing, expect: {all: {event_name: {matches: '('}}}}", None),
        ("{data: ces_events.releases, expect: {notification: {}}}", [
            "1:43 ces_events.releases does not report who was notified"]),
        ("{data: aom_alarms.firing, expect: {delivered: {}}}", [
            "1:41 no receiver of notifications is configured (add one under providers: receiver)"]),
        ("{canary: {}, expect: {delivered: {provider: aom}}}", ["1:40 aom is not a receiver of notifications"]),
        ("{canary: {}, expect: {delivered: {firing: false}}}", [
            "1:39 expect.delivered: expect firing, resolved or both"]),
        ("{canary: {}, expect: {count: 0}}", ["1:3 a canary can be expected to be delivered, and nothing else"]),
        ("{data: aom_alarms.firing, expect: {count: 0}, within: soon}", None),
        ("{canary: {provider: bcm}}", ["1:26 bcm is no provider that a canary can go through (those are aom)"]),
        ("{canary: {metadata: {reconciler_stack: x}}}", None),
        ("{canary: {timeout: 20d}}", None),
        ("7", ["1:6 check a must be a mapping, not a number"]),
        ('{data: aom_alarms.firing, expect: {count: "${data.aom_alarms.firin | length}"}}', None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(check: str, expected: list[str] | None) -> None:
    found = told(f"  a: {check}\n")
    assert found
    if expected is not None:
        assert found == expected


def test_all_problems_of_all_checks_are_told_at_once() -> None:
    assert len(told("  a: {data: x.y, expect: {count: 0}}\n  b: {within: 5s}\n")) == 2


def test_the_address_of_canaries_is_theirs() -> None:
    resource = "{event_severity: Info, resource_provider: x, resource_type: y, resource_id: z}"
    clash = f"resources:\n  aom_alarm:\n    reconciler_canary: {resource}\n"
    [found] = told("  a: {canary: {}}\n", clash)
    assert "has the address that canaries use" in found


def test_a_check_whose_own_expressions_can_not_be_asked_is_told_apart() -> None:
    [check] = read('  a: {data: aom_alarms.firing, expect: {count: "${data.bcm_alarms.firing | length}"}}\n')
    assert isinstance(check, UnresolvedCheck)
    assert check.diagnostics[0].summary == "bcm_alarms.firing cannot be queried"


def test_checks_can_be_checked_without_asking_anybody() -> None:
    text = '  a: {data: aom_alarms.firing, expect: {count: "${data.bcm_alarms.firing | length}"}}\n'
    validate_checks(load(text), REGISTRY.resource_types())
    with pytest.raises(DiagnosticError):
        validate_checks(load("  a: {}\n"), REGISTRY.resource_types())
