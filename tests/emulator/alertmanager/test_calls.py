"""Single calls: the emulator and the real server answer alike, entry by entry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.emulator.alertmanager.calls import ANYTHING, CALLS, NOTHING, OBJECT, Call
from tests.emulator.alertmanager.target import KINDS, Target, target


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(request.param, tmp_path_factory.mktemp("calls")) as one:
        yield one


def observed(answer: requests.Response, call: Call) -> object:
    """The body, as the entry names it."""
    if call.answer == ANYTHING:
        return ANYTHING
    if not answer.content:
        return NOTHING
    try:
        value: Any = json.loads(answer.content)
    except ValueError:
        return answer.text
    if call.answer == OBJECT and isinstance(value, dict) and value.keys() == {"code", "message"}:
        return OBJECT
    return value


def test_every_call_is_answered_as_the_table_says(server: Target) -> None:
    with requests.Session() as session:
        answers = {}
        for index, call in enumerate(CALLS):
            body = None if call.body is None else call.body.encode()
            url = f"{server.urls[0]}{call.path}"
            answer = session.request(call.method, url, data=body, headers=call.headers, timeout=30)
            answers[f"{index} {call.name}"] = answer.status_code, observed(answer, call)
    assert answers == {f"{index} {call.name}": (call.status, call.answer) for index, call in enumerate(CALLS)}
