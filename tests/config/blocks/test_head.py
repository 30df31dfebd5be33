from __future__ import annotations

import pytest

from tests.config.loading import load, problems, told

PROVIDERS = "providers: {horn: {endpoint: embedded, auth: {token: a-secret-token}}}\n"
STAGED = 'stack: "checkout-${var.environment}"\nvariables: {environment: {default: staging}}\n' + PROVIDERS


def test_the_name_of_a_stack_may_use_variables() -> None:
    assert load(STAGED).name == "checkout-staging"
    assert load(STAGED, var={"environment": "prod"}).name == "checkout-prod"


def test_locals_see_the_evaluated_name() -> None:
    stack = load(
        STAGED + 'locals: {x: "${stack.name}!"}\n'
        'resources: {siren: {a: {severity: Info, host: h, labels: {of: "${local.x}"}}}}'
    )
    assert stack.desired[0].attributes["labels"] == {"of": "checkout-staging!"}


def test_a_name_that_is_none_once_evaluated_is_told_with_its_value() -> None:
    assert told(STAGED, var={"environment": "Prod"}) == [
        '1:8 "checkout-Prod" is not a name for a stack (it has lower-case letters, digits and dashes between them, at '
        "most 63 in all)"
    ]


@pytest.mark.parametrize("name", ["local.x", "env.HOME", "stack.name", "each.key"])
def test_a_name_may_use_nothing_but_variables(name: str) -> None:
    text = f'stack: "a-${{{name}}}"\nlocals: {{x: y}}\n{PROVIDERS}'
    (message,) = told(text, environ={"HOME": "h"})
    assert message.startswith("1:")


def test_the_directory_of_a_ledger_may_use_the_environment() -> None:
    text = f'stack: demo\nledger: "${{env.STATE}}/${{stack.name}}"\n{PROVIDERS}'
    assert load(text, environ={"STATE": "/var/lib/ci"}).ledger == "/var/lib/ci/demo"


def test_without_a_ledger_there_is_none() -> None:
    assert load(f"stack: demo\n{PROVIDERS}").ledger is None


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("5", "must be text, not a number"),
        ('""', "is empty"),
        ('"here "', "has control characters, or white space at an end"),
        ("~/state", "begins with ~, which is not expanded"),
        ("mysql://ci@db/ledgers", "cannot be kept at mysql:"),
        ("postgresql:ci@db/ledgers", "cannot be kept at postgresql:"),
        ("file:/var/lib/ci", "cannot be kept at file:"),
    ],
)
def test_what_is_no_place_of_a_ledger_is_told_without_its_value(written: str, what: str) -> None:
    (message,) = told(f"stack: demo\nledger: {written}\n{PROVIDERS}")
    assert message.startswith(f"2:9 ledger {what} (write postgresql://")


def test_a_password_in_a_ledger_is_not_shown() -> None:
    text = f"stack: demo\nledger: mysql://ci:hunter2@db/ledgers\n{PROVIDERS}"
    (found,) = problems(text)
    assert found.source is None
    assert "hunter2" not in str(found)


def test_a_ledger_may_be_shared_and_its_password_is_a_secret() -> None:
    text = f'stack: demo\nledger: "${{env.LEDGER}}"\n{PROVIDERS}'
    url = "postgresql://ci:hunter2@db/ledgers?schema=sre&sslpassword=p4ss"
    stack = load(text, environ={"LEDGER": url})
    assert stack.ledger == url
    assert {"hunter2", "p4ss"} <= stack.secrets


def test_the_environment_names_the_ledger_whatever_the_stack_says() -> None:
    text = f'stack: demo\nledger: "${{env.UNSET}}"\n{PROVIDERS}'
    assert load(text, environ={"RECONCILER_LEDGER": "postgresql://db/ledgers"}).ledger == "postgresql://db/ledgers"
