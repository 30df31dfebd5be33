from __future__ import annotations

import pytest

from tests.config.loading import HEAD, load

SIREN = "resources: {siren: {a: {severity: Info, host: h, labels: {x: 'TEXT'}}, b: {severity: Info, host: 'TEXT'}}}\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [("{{ x }}", "{{ }}"), ("{{x}} up", "{{ }}"), ("$x", "$NAME"), ("on $HOST", "$NAME"), ("$labels.a", "$NAME")],
)
def test_a_template_of_another_language_is_warned_of(text: str, what: str) -> None:
    (warning,) = load(HEAD + SIREN.replace("TEXT", text)).warnings
    assert warning.summary == f"{what} is sent unchanged (and 1 more)"
    assert warning.position is not None and warning.position.line == 3
    assert "$${" in str(warning.hint)


@pytest.mark.parametrize("text", ["costs $5", "a$", "$${x}", "${stack.name}", "$$x", "{x}"])
def test_other_texts_are_not(text: str) -> None:
    assert load(HEAD + SIREN.replace("TEXT", text)).warnings == ()
