from __future__ import annotations

import pytest

from tests.config.loading import problems, told


@pytest.mark.parametrize("key", ["endpoint", "token"])
@pytest.mark.parametrize("written", ["secret-text\\n", " secret-text", "secret-text\\t"])
def test_white_space_at_an_end_is_told_at_its_field(key: str, written: str) -> None:
    fields = {"endpoint": "e", "token": "t", key: written}
    block = f'{{endpoint: "{fields["endpoint"]}", auth: {{token: "{fields["token"]}"}}}}'
    text = f"stack: demo\nproviders: {{horn: {block}}}\n"
    (found,) = problems(text)
    path = "horn.endpoint" if key == "endpoint" else "horn.auth.token"
    assert found.summary.startswith(f"{path} has white space at its ")
    assert found.source is None and "secret-text" not in str(found)


def test_white_space_that_a_variable_brings_is_told_where_it_is_used() -> None:
    text = (
        "stack: demo\nvariables: {token: {env: TOKEN}}\n"
        'providers: {horn: {endpoint: e, auth: {token: "${var.token}"}}}\n'
    )
    assert told(text, environ={"TOKEN": "abcdef\n"}) == [
        "3:47 horn.auth.token has white space at its end (remove it; a value read from a file or a command often ends "
        "with a line break)"
    ]
