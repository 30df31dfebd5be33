"""Random requests made from the emulator's own description never end in a fault of the emulator.

``python -m tests.emulator.test_openapi 10000`` makes ten thousand of them, or as many as it is told.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reconciler.emulator.server import create_app
from reconciler.emulator.settings import Settings

IN_SUITE = 300
HEADERS = {"Host": "localhost", "X-Auth-Token": "any", "Content-Type": "application/json"}

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def check(examples: int) -> int:
    """Make so many requests; how many were answered. AssertionError on a status of 500 or more."""
    import schemathesis  # takes a second, in every process that collects tests

    app = create_app(Settings())
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "localhost"})
    cases = [found.ok().as_strategy() for found in schema.get_all_operations()]
    answered = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples <= IN_SUITE,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.one_of(cases),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            _nest,
        ),
    )
    def send_case(case: Any, body: Any) -> None:
        nonlocal answered
        if case.method.upper() in ("POST", "PUT") and not isinstance(case.body, dict | list):
            case.body, case.media_type = body, "application/json"
        response = case.call(headers=HEADERS)
        assert response.status_code < 500, (case.method, case.formatted_path, response.status_code, response.text)
        answered += 1

    send_case()
    return answered


def _nest(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(["events", "metadata", "fault", "name", "now", "alerts", "labels"]) | st.text()
    return st.lists(children, max_size=4) | st.dictionaries(keys, children, max_size=4)


@pytest.mark.slow
def test_no_request_of_its_description_is_a_fault_of_the_emulator() -> None:
    assert check(IN_SUITE) >= IN_SUITE


if __name__ == "__main__":
    print(check(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000), "requests answered, none with 500")
