"""Text of a service is made fit to be shown."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest

from reconciler.core.text import MAX_LENGTH, Redactor, sanitize


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("zwei  Zeilen\r\nhier", "zwei Zeilen hier"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("a\u202eb\u2028c\x9bd\ud800e", "a b c d e"),
        ("磁盘已满", "磁盘已满"),
    ],
)
def test_what_can_steer_a_terminal_is_taken_out(text: str, shown: str) -> None:
    assert sanitize(text) == shown


def test_a_long_text_is_cut() -> None:
    assert len(sanitize("x" * 10_000)) == MAX_LENGTH
    assert sanitize("x" * 10_000).endswith("…")


@pytest.mark.parametrize(
    "quoted", ['to"k/en', 'to\\"k/en', "to%22k%2Fen", "to%22k/en", "to&quot;k/en", "to&#34;k/en", "'to\"k/en'"]
)
def test_a_secret_is_hidden_however_it_is_quoted(quoted: str) -> None:
    assert Redactor(['to"k/en']).redact(f"bad token {quoted}!") == "bad token (sensitive)!"


def test_a_secret_within_another_leaves_nothing_of_the_longer_one() -> None:
    secrets = Redactor(["abcdef"])
    secrets.add("abcdefghi")
    assert secrets.redact("abcdefghi abcdef") == "(sensitive) (sensitive)"


@pytest.mark.parametrize("around", ["{}", "user:{}", "u:{}", "us:{}@host", "{} and more"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_secret_is_hidden_within_base64(around: str, encode) -> None:
    secret = "p4ss?word>>/with~sign"  # noqa: S105 - made up
    shown = Redactor([secret]).redact(encode(around.format(secret).encode()).decode())
    assert "(sensitive)" in shown
    assert encode(secret.encode()).decode()[4:12] not in shown


def test_a_short_secret_eats_no_words() -> None:
    assert (
        Redactor(["t", "ab", "token"]).redact("there is no host: check the token")
        == "there is no host: check the token"
    )
