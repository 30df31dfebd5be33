"""No secret of a configuration is in a diagnostic, whatever is wrong with the text around it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.diagnostic import DiagnosticError
from tests.config.loading import load, problems

SECRET = "hunter22-xyzzy"  # noqa: S105 - made up


@pytest.mark.parametrize(
    "text",
    [
        f"stack: a\nproviders: {{horn: {{endpoint: e, auth: {{tokn: {SECRET}}}}}}}\n",
        f"stack: a\nproviders: {{horn: {{endpoint: e, auth: {SECRET}}}}}\n",
        f"stack: a\nproviders: {{horn: {{endpoint: e, token: {SECRET}}}}}\n",
        f"stack: a\nproviders:\n  horn:\n    endpoint: e\n    atuh: {{token: {SECRET}}}\n",
        f"stack: a\nproviders:\n  horn: {{auth: {{token: {SECRET}}}}}\n  horn: {{auth: {{token: {SECRET}}}}}\n",
        f"stack: a\nproviders:\n  horn:\n    endpoint: e\n    auth: {{token: a}}\n    auth: {{token: {SECRET}}}\n",
        f"stack: a\nproviders:\n  horn:\n    endpoint: e\n    auth: {{token: {SECRET}\nresources: {{}}\n",
        f"stack: a\nproviders:\n  horn: {{endpoint: e, batch_size: no, auth: {{token: {SECRET}}}}}\n",
        f"stack: a\nproviders:\n  horn: {{endpoint: e, batch_size: no, auth: {{token: |\n    {SECRET}}}}}\n",
        f"stack: a\nproviders: {{horn: [{SECRET}]}}\n",
        f"stack: a\nproviders: {{horn: {SECRET}}}\n",
        f"stack: a\nproviders: {SECRET}\n",
        f"stack: a\nprovider: {{horn: {{auth: {{token: {SECRET}}}}}}}\n",
        f"stack: a\nproviders: {{horn: {{endpoint: e, <<: {{auth: {{token: {SECRET}}}}}}}}}\n",
        f"stack: a\nvariables: {{x: {{sensitive: true, type: number, default: {SECRET}}}}}\n",
        f"stack: a\nvariables: {{x: {{sensitive: yes, default: {SECRET}}}}}\n",
        f"stack: a\nvariables: {{x: {{sensitive: true, defualt: {SECRET}}}}}\n",
        f"stack: a\nvariables: {{x: {{env: T, type: number, default: {SECRET}}}}}\n",
        f"stack: a\nvariables: {{x: {SECRET}}}\n",
        f"stack: a\nvariables: {{x: {{sensitive: true, default: [{SECRET}], type: map}}}}\n",
        f"stack: a\nvariables:\n  x: {{sensitive: true}}\n  x: {{default: {SECRET}, sensitive: true}}\n",
        f'stack: a\nvariables:\n  x: {{sensitive: true, default: "{SECRET}\n',
        f"stack: a\nvariables: {{x: {{sensitive: true, default: {SECRET}, "
        "validation: {condition: '${var.x + 1}', message: m}}}\n",
        f"variables: {{x: {{sensitive: true, default: {SECRET}}}}}\nstack: B\n\tx: 1\n",
        f"{{stack: a, providers: {{horn: {{auth: {{token: {SECRET}}}}}}}, x: 1}}\n",
        f"- {SECRET}\n",
        f"stack: a\nvariables: {{x: {{sensitve: true, default: {SECRET}}}}}\n",
        f"stack: a\nproviders: {{horn: {{endpoint: e, auth: {{token: !{SECRET}}}}}}}\n",
        f"stack: a\nproviders: {{horn: {{endpoint: e, auth: {{token: *{SECRET}}}}}}}\n",
        f"stack: a\nproviders: {{horn: {{endpoint: e, auth: {{token{SECRET}: a}}}}}}\n",
    ],
)
def test_a_secret_is_not_told(text: str) -> None:
    found = problems(text)
    assert found
    assert SECRET not in repr(found)


def test_a_secret_from_outside_is_not_told() -> None:
    text = "stack: a\nvariables: {x: {sensitive: true, type: number}}\n"
    for given_by in (
        {"var": {"x": SECRET}},
        {"environ": {"RECONCILER_VAR_x": SECRET}},
        {"files": {"v.yaml": f"x: {SECRET}"}},
        {"files": {"v.yaml": f"x: {SECRET}\n\ty: 1"}},
        {"files": {"v.yaml": f"[{SECRET}]"}},
    ):
        assert SECRET not in repr(problems(text, **given_by))


def test_other_lines_are_shown() -> None:
    text = f"stack: a\nproviders:\n  horn: {{endpoint: e, auth: {{token: {SECRET}}}}}\nresources:\n  sirn: {{}}\n"
    (found,) = problems(text)
    assert found.source == "  sirn: {}"
    (broken,) = problems(text + "\tx: 1\n")
    assert broken.source == "\tx: 1"


WHOLE = f"""\
stack: a
variables:
  x: {{sensitive: true, default: {SECRET}}}
  y: {{default: "1"}}
providers:
  horn:
    endpoint: e
    auth:
      token: {SECRET}
  horn.eu: {{endpoint: e, auth: {{token: "{SECRET}"}}}}
resources:
  siren:
    one: {{severity: Info, host: "${{var.y}}", provider: horn}}
"""
PARTS = WHOLE.split(SECRET)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(PARTS) - 1),
    st.integers(0, 200),
    st.integers(0, 12),
    st.text("{}[]:,\"'|&*!#-\n\t ax<", max_size=4),
)
def test_no_accident_around_a_secret_brings_it_to_light(part: int, at: int, cut: int, put: str) -> None:
    parts = list(PARTS)
    at %= len(parts[part]) + 1
    parts[part] = parts[part][:at] + put + parts[part][at + cut :]
    try:
        load(SECRET.join(parts))
    except DiagnosticError as error:
        assert SECRET not in repr(error.diagnostics)
