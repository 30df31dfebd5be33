"""Text stays text: numbers where text belongs keep the way they are written, or are refused with it."""

from __future__ import annotations

import pytest

from tests.config.loading import HEAD, load, told

WRITTEN = [
    "1.10",
    "0012",
    "72225e2",
    "0x1F",
    "+1",
    "1_000",
    "1e3",
    "0o17",
    "-0",
    ".5",
    "1.",
    "007",
    "1.0",
    "2024-01-01",
]
RELEASE = (
    f"{HEAD}variables: {{release: {{}}}}\n"
    'resources: {note: {a: {occurrence: "${var.release}", text: "release ${var.release} started"}}}\n'
)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_value_in_a_file_keeps_its_spelling_in_text(written: str) -> None:
    (note,) = load(RELEASE, files={"a.yml": f"release: {written}\n"}).desired
    assert note.occurrence == written
    assert note.attributes["text"] == f"release {written} started"


@pytest.mark.parametrize("written", WRITTEN)
def test_a_value_from_the_command_line_does_too(written: str) -> None:
    (note,) = load(RELEASE, var={"release": written}).desired
    assert note.attributes["text"] == f"release {written} started"
    typed = RELEASE.replace("{release: {}}", "{release: {type: number}}")
    if written not in ("1_000", "2024-01-01"):
        (note,) = load(typed, var={"release": written}).desired
        assert note.occurrence == written


@pytest.mark.parametrize("written", WRITTEN)
def test_an_occurrence_keeps_its_spelling(written: str) -> None:
    (note,) = load(f"{HEAD}resources: {{note: {{a: {{text: x, occurrence: {written}}}}}}}").desired
    assert note.occurrence == written


def test_keys_of_instances_keep_their_spelling() -> None:
    stack = load(
        f"{HEAD}resources: {{siren: {{a: {{for_each: [0012, 1.10, 12], severity: Info, "
        'host: "host-${each.key}", labels: {y: "${each.value | string}"}}}}'
    )
    assert [item.address.key for item in stack.desired] == ["0012", "1.10", "12"]
    assert [item.attributes["host"] for item in stack.desired] == ["host-0012", "host-1.10", "host-12"]
    assert stack.desired[1].attributes["labels"] == {"y": "1.10"}


@pytest.mark.parametrize("written", ["1.10", "0012", "72225e2", "0x1F", "+1", "5", "True", "TRUE", "false"])
def test_a_text_field_refuses_it_with_a_hint_that_quotes_it_as_written(written: str) -> None:
    (message,) = told(f"{HEAD}resources: {{siren: {{a: {{severity: Info, host: h, labels: {{v: {written}}}}}}}}}")
    assert message.endswith(f'(quote it if text is meant: "{written}")')


@pytest.mark.parametrize("written", ["True", "FALSE"])
def test_booleans_as_keys_of_instances_are_refused_as_written(written: str) -> None:
    (message,) = told(f"{HEAD}resources: {{siren: {{a: {{for_each: [{written}], severity: Info, host: h}}}}}}")
    assert message.endswith(f'(quote it if text is meant: "{written}")')


def test_a_boolean_whose_spelling_text_would_change_is_refused() -> None:
    (message,) = told(RELEASE, files={"a.yml": "release: True\n"})
    assert message.startswith("a.yml:1:10 variable release may be text or a boolean here")
    assert 'quote it if text is meant: "True"' in message


def test_a_number_for_a_variable_of_text_is_quoted_as_written() -> None:
    typed = RELEASE.replace("{release: {}}", "{release: {type: string}}")
    (message,) = told(typed, files={"a.yml": "release: 1.10\n"})
    assert message.endswith('(quote it: "1.10")')


def test_a_key_that_is_a_number_is_quoted_as_written() -> None:
    (message,) = told(f"{HEAD}resources: {{siren: {{a: {{severity: Info, host: h, labels: {{0012: x}}}}}}}}")
    assert message.endswith('(put it in quotes: "0012")')


def test_numbers_stay_numbers() -> None:
    fields = 'severity: Info, host: h, volume: "${local.x}", notes: 1.50'
    stack = load(f"{HEAD}locals: {{x: 010}}\nresources: {{siren: {{a: {{{fields}}}}}}}")
    assert (stack.desired[0].attributes["volume"], stack.desired[0].attributes["notes"]) == (10, 1.5)


def test_a_missing_space_after_a_colon_is_told() -> None:
    (message,) = told(f"{HEAD}resources: {{siren: {{a: {{severity: Info, host: h, volume:3}}}}}}")
    assert message.endswith('unknown key "volume:3" (write a space after the colon)')


def test_braces_of_another_language_hint_at_the_literal_form() -> None:
    (message,) = told(f'{HEAD}resources: {{siren: {{a: {{severity: Info, host: "${{metadata.x}}"}}}}}}')
    assert "write a literal ${ as $${" in message
