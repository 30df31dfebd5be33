"""Settings: what a block may say, and the place it means."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reconciler.core.diagnostic import DiagnosticError
from reconciler.providers.alertmanager.settings import AlertmanagerSettings
from tests.providers.alertmanager.objects import opened

URL = "https://am-1.example.com:9093"
OTHER = "https://am-2.example.com:9093"


def read(**settings: object) -> AlertmanagerSettings:
    return AlertmanagerSettings.model_validate({"endpoints": [URL, OTHER], **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoints": []},
        {"endpoints": [URL, URL]},
        {"endpoints": ["am-1"]},
        {"quorum": 3},
        {"quorum": 0},
        {"path_prefix": "alertmanager"},
        {"path_prefix": "/alertmanager/"},
        {"auth": {}},
        {"auth": {"bearer": "x", "basic": {"username": "u", "password": "p"}}},
        {"headers": {"Authorization": "x"}},
        {"headers": {"X-A": "line\nbreak"}},
        {"client_certificate": {"cert_file": "c.pem"}},
    ],
)
def test_a_block_that_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        read(**settings)


def test_the_place_does_not_depend_on_the_order_of_the_endpoints() -> None:
    assert read().place == read(endpoints=[OTHER, URL]).place
    assert read().place != read(path_prefix="/alertmanager").place


def test_a_tenant_is_told_from_another() -> None:
    assert read(headers={"x-scope-orgid": "team-a"}).project == "team-a"
    assert read().project == ""


def test_secrets_are_not_shown() -> None:
    settings = read(auth={"bearer": "very-secret"}, headers={"X-Key": "very-secret"})
    assert "very-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"client_certificate": {"cert_file": "none.pem", "key_file": "none.pem"}}, "client_certificate.cert_file"),
        ({"ca_file": "none.pem"}, "ca_file"),
    ],
)
def test_a_file_that_is_not_there_is_named(settings: dict[str, object], told: str) -> None:
    with pytest.raises(DiagnosticError, match=told):
        opened([URL], **settings)
