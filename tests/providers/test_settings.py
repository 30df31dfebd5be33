"""How a provider is configured, and what is wrong told in words."""

from __future__ import annotations

import json
import traceback

import pytest
from pydantic import ValidationError

from reconciler.core.duration import DAY, SECOND
from reconciler.providers.aom import PROVIDER

IAM = {"user": "u", "password": "p4ssw0rd", "domain": "d", "project": "cn-north-4"}
AGENCY = {"name": "alarms", "domain": "other"}
BLOCK = {"region": "cn-north-4", "project_id": "demo", "auth": {"token": "t0ken"}}


def settings(**changes: object):
    block = {**BLOCK, **changes}
    return PROVIDER.settings.model_validate({key: value for key, value in block.items() if value is not None})


def problem(**changes: object) -> tuple[tuple[object, ...], str]:
    with pytest.raises(ValidationError) as caught:
        settings(**changes)
    [error] = caught.value.errors()
    return error["loc"], error["msg"]


def test_the_defaults_are_careful() -> None:
    made = settings()
    assert (made.batch_size, made.parallelism, made.rate_limit, made.page_size) == (100, 4, None, 1000)
    assert (made.request_timeout, made.lookback, made.visible_within) == (30 * SECOND, 30 * DAY, 60 * SECOND)


@pytest.mark.parametrize("service", ["aom", "ces", "iam"])
def test_a_region_has_its_endpoints(service: str) -> None:
    assert settings().base_url(service, None) == f"https://{service}.cn-north-4.myhuaweicloud.com"


def test_an_endpoint_is_used_as_it_is_given() -> None:
    assert settings(region=None, endpoint="https://proxy.example/aom/").base_url("aom", None) == (
        "https://proxy.example/aom"
    )


def test_iam_of_an_embedded_service_is_embedded() -> None:
    made = settings(region=None, endpoint="embedded", auth={"iam": IAM})
    assert made.base_url("aom", "http://127.0.0.1:9/") == "http://127.0.0.1:9"
    assert made.base_url("iam", "http://127.0.0.1:9/") == "http://127.0.0.1:9"


def test_iam_may_be_elsewhere() -> None:
    made = settings(auth={"iam": {**IAM, "endpoint": "https://iam.example"}})
    assert made.base_url("iam", None) == "https://iam.example"


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"endpoint": "https://a"}, (), "give exactly one of: endpoint; region"),
        ({"region": None}, (), "give exactly one of: endpoint; region"),
        ({"region": "CN North"}, ("region",), "should match pattern"),
        ({"project_id": "a/b"}, ("project_id",), "should match pattern"),
        ({"auth": {}}, ("auth",), "give exactly one of: token; ak and sk; iam"),
        ({"auth": {"token": "t", "iam": IAM}}, ("auth",), "give exactly one of"),
        ({"auth": {"ak": "a"}}, ("auth",), "give exactly one of"),
        ({"auth": {"token": ""}}, ("auth", "token"), "must not be empty"),
        ({"auth": {"token": "a\n"}}, ("auth", "token"), "white space"),
        ({"auth": {"token": " a"}}, ("auth", "token"), "white space"),
        ({"auth": {"ak": "a ", "sk": "b"}}, ("auth", "ak"), "white space"),
        ({"auth": {"ak": "a", "sk": "b\n"}}, ("auth", "sk"), "white space"),
        ({"auth": {"iam": {**IAM, "password": "b\n"}}}, ("auth", "iam", "password"), "white space"),
        ({"auth": {"iam": {**IAM, "user": "b\t"}}}, ("auth", "iam", "user"), "white space"),
        ({"auth": {"token": "a", "security_token": "b"}}, ("auth",), "go with ak and sk"),
        (
            {"auth": {"ak": "a", "sk": "b", "agency": {**AGENCY, "duration": "1m"}}},
            ("auth", "agency", "duration"),
            "15m",
        ),
        ({"auth": {"token": 1}}, ("auth", "token"), "valid string"),
        ({"auth": {"password": "p4ssw0rd"}}, ("auth", "password"), "not permitted"),
        ({"batch_size": 0}, ("batch_size",), "greater than or equal to 1"),
        ({"parallelism": 65}, ("parallelism",), "less than or equal to 64"),
        ({"rate_limit": 0}, ("rate_limit",), "greater than 0"),
        ({"request_timeout": "0s"}, ("request_timeout",), "longer than zero"),
        ({"request_timeout": "2h"}, ("request_timeout",), "must be at most 1h"),
        ({"lookback": 30}, ("lookback",), "it has no unit"),
        ({"lookback": "0s"}, ("lookback",), "longer than zero"),
        ({"lookback": "366d"}, ("lookback",), "must be at most 365d"),
        ({"visible_within": "0s"}, ("visible_within",), "longer than zero"),
        ({"visible_within": f"{10**30}d"}, ("visible_within",), "must be at most 1h"),
        ({"page_size": 1001}, ("page_size",), "less than or equal to 1000"),
        ({"enterprise_project_id": "all_granted_eps"}, ("enterprise_project_id",), "a stack writes to one"),
        ({"regoin": "x"}, ("regoin",), "not permitted"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(changes: dict[str, object], place: object, message: str) -> None:
    found, text = problem(**changes)
    assert found == place
    assert message in text


@pytest.mark.parametrize(
    "endpoint", ["aom.example", "ftp://a", "https://", "https://a:x", "https://a?b=c", "https://a#b", "http://[::1"]
)
def test_an_endpoint_is_a_url(endpoint: str) -> None:
    place, text = problem(region=None, endpoint=endpoint)
    assert place == ("endpoint",)
    assert "an endpoint is embedded, or a URL" in text


def test_an_endpoint_holds_no_password() -> None:
    assert "write them under auth" in problem(region=None, endpoint="https://u:p4ssw0rd@a")[1]


def test_iam_beside_an_endpoint_needs_its_own() -> None:
    assert "auth.iam needs its endpoint" in problem(region=None, endpoint="https://a", auth={"iam": IAM})[1]


@pytest.mark.parametrize(
    "auth", [{"token": "s3cret"}, {"ak": "s3cret", "sk": "s3cret"}, {"iam": {**IAM, "password": "s3cret"}}]
)
def test_no_secret_is_printed(auth: dict[str, object]) -> None:
    made = settings(auth=auth)
    assert "s3cret" not in f"{made!r}{made}{made.model_dump_json()}"
    assert "s3cret" in made.auth.secrets


def test_no_secret_is_quoted_in_an_error() -> None:
    secret = "-".join("s3cret")
    with pytest.raises(ValidationError) as caught:
        settings(auth={"token": f"{secret} with a space", "ak": secret}, region=None)
    assert secret not in f"{caught.value}{''.join(traceback.format_exception(caught.value))}"


def test_the_schema_shows_defaults_as_people_write_them() -> None:
    schema = PROVIDER.settings.model_json_schema()
    assert schema["properties"]["lookback"]["default"] == "30d"
    assert "oneOf" in schema
    assert all(field.get("description") or "$ref" in json.dumps(field) for field in schema["properties"].values())


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-4", "aom.cn-north-4.myhuaweicloud.com"),
        ("eu-west-101", "aom.eu-west-101.myhuaweicloud.eu"),
        ("eu-west-0", "aom.eu-west-0.myhuaweicloud.com"),
    ],
)
def test_a_region_is_served_in_its_domain(region: str, host: str) -> None:
    made = settings(region=region, auth={"iam": IAM})
    assert made.base_url("aom", None) == f"https://{host}"
    assert made.base_url("iam", None) == f"https://{host.replace('aom', 'iam', 1)}"
    assert settings(region=None, endpoint=f"https://{host}").place == region
