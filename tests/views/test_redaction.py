"""Secrets are taken out of whatever is written."""

from __future__ import annotations

import json

import pytest

from reconciler.core.text import MASK, Redactor, escape_markdown, printable
from reconciler.views.json.document import encode


@pytest.mark.parametrize(
    "secret",
    [
        "hunter2",
        'with "quotes" and \\',
        "tab\tand bell\x07",
        "短い秘密です",
        "a.b*c(d",
        "-----BEGIN KEY-----\nMIIE\nabcd\n",
    ],
)
def test_no_form_of_a_secret_gets_through(secret: str) -> None:
    redact = Redactor([secret])
    for text in (
        secret,
        printable(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        repr(secret),
        escape_markdown(secret),
    ):
        shown = redact.redact(f"before {text} after")
        assert MASK in shown
        assert not any(part in shown for part in secret.split("\n") if len(part) > 5)
        assert shown.startswith("before ")
        assert shown.endswith(" after")


def test_a_document_keeps_its_shape() -> None:
    document = {"format_version": "1.0", "hunter2": ["x hunter2", 2, None, {"a": "hunter2"}]}
    shown = json.loads(encode(Redactor(["hunter2"]).redact_tree(document)))
    assert shown == {"format_version": "1.0", MASK: [f"x {MASK}", 2, None, {"a": MASK}]}


def test_a_secret_inside_a_longer_one_leaves_no_rest() -> None:
    assert Redactor(["abcdef", "abcdefghi"]).redact("abcdefghi") == MASK


def test_an_empty_secret_masks_nothing() -> None:
    assert Redactor(["", "a", "ban"]).redact("a banana") == "a banana"
