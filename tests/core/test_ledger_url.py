"""URLs of ledgers."""

from __future__ import annotations

import pytest

from reconciler.core.ledger_url import mask, scheme, secrets_of


@pytest.mark.parametrize(
    ("url", "masked", "secrets"),
    [
        ("postgresql://ci:hunter2@db/x?schema=a", "postgresql://ci:***@db/x?schema=a", {"hunter2"}),
        ("postgresql://ci@db/x?sslpassword=p4ss&a=b", "postgresql://ci@db/x?sslpassword=***&a=b", {"p4ss"}),
        ("postgresql://db/x", "postgresql://db/x", set()),
        (".reconciler", ".reconciler", set()),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, masked: str, secrets: set[str]) -> None:
    assert mask(url) == masked
    assert secrets_of(url) == secrets


def test_a_path_has_no_scheme() -> None:
    assert [scheme(text) for text in ("a/b", "/var/lib", "PostgreSQL://x", "C:/x")] == [None, None, "postgresql", None]
