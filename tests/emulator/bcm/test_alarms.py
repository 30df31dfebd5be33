"""BCM's alarm histories, by the page; the vendor's client code signs the requests."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from baidubce.auth import bce_v1_signer
from baidubce.auth.bce_credentials import BceCredentials
from baidubce.bce_client_configuration import DEFAULT_CONFIG
from baidubce.exception import BceHttpClientError
from baidubce.http import bce_http_client, handler
from baidubce.retry.retry_policy import NoRetryPolicy

from reconciler.emulator.server import create_app
from reconciler.emulator.settings import Settings
from tests.emulator.calls import HOUR
from tests.emulator.handle import Emulator

LIST = "/ah-api/v1/alarmhouse/alarm/list"
DETAIL = "/ah-api/v1/alarmhouse/alarm"
SIGNED = {"Authorization": "bce-auth-v1/any"}
KEYS = Settings(keys={"AK": "the secret key"})


def alarm(identifier: str, age: str = "-10m", **changes: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "startTime": age,
        "initState": "ALERT",
        "state": "ALERT",
        "policy": {"aliasName": f"policy of {identifier}", "level": "ALARM_LEVEL_MAJOR"},
        "resource": {
            "scope": "BCE_BCC",
            "resourceType": "Instance",
            "region": "bj",
            "identifiers": {"InstanceId": f"i-{identifier}"},
        },
        "actions": [{"type": "ACTION_TYPE_ALERT", "executedTime": "-9m"}],
        "alertMetrics": [{"rule": {"operator": "OPERATOR_TYPE_LE", "threshold": 10}}],
        **changes,
    }


def list_alarms(emulator: Emulator, **changes: Any) -> dict[str, Any]:
    body = {"userId": "u", "alarmType": "ALARM_TYPE_CLOUD", "pageNo": 1, "pageSize": 100, **changes}
    response = requests.post(emulator.url + LIST, json=body, headers=SIGNED, timeout=10)
    assert response.status_code == 200
    return dict(response.json())


def ids(emulator: Emulator, **changes: Any) -> list[str]:
    answer = list_alarms(emulator, **changes)
    assert answer["success"], answer
    return [each["id"] for each in answer["result"]["alarms"]]


def detail(emulator: Emulator, **parameters: str) -> dict[str, Any]:
    response = requests.get(emulator.url + DETAIL, params=parameters, headers=SIGNED, timeout=10)
    assert response.status_code == 200
    return dict(response.json())


def test_the_newest_alarm_comes_first_unless_asked_otherwise(emulator: Emulator) -> None:
    emulator.put_bcm_alarms(alarm("b", "-2h"), alarm("a", "-1h"), alarm("c", "-3h"))
    assert ids(emulator) == ["a", "b", "c"]
    assert ids(emulator, sort="startTime", ascending=True) == ["c", "b", "a"]


def test_pages_count_from_one(emulator: Emulator) -> None:
    emulator.put_bcm_alarms(*(alarm(f"n{number}", f"-{number + 1}m") for number in range(5)))
    assert [ids(emulator, pageNo=page, pageSize=2) for page in (1, 2, 3, 4)] == [
        ["n0", "n1"],
        ["n2", "n3"],
        ["n4"],
        [],
    ]
    result = list_alarms(emulator, pageNo=2, pageSize=2)["result"]
    assert (result["pageNo"], result["pageSize"], result["totalCount"]) == (2, 2, 5)


def test_the_default_window_is_the_last_forty_days(emulator: Emulator) -> None:
    emulator.put_bcm_alarms(alarm("in", "-39d"), alarm("out", "-41d"))
    assert ids(emulator) == ["in"]
    assert ids(emulator, startTime=0) == ["in", "out"]
    assert ids(emulator, startTime=0, endTime=emulator.now() - 40 * 24 * HOUR) == ["out"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"states": ["ALERT"]}, ["a"]),
        ({"states": ["OK", "CLOSED"]}, ["b"]),
        ({"level": "ALARM_LEVEL_CRITICAL"}, ["b"]),
        ({"region": "gz"}, ["b"]),
        ({"scope": "BCE_BLB"}, ["b"]),
        ({"resourceType": "Instance"}, ["a", "b"]),
        ({"alarmAliasName": "OF A"}, ["a"]),
        ({"resource": {"InstanceId": "i-b"}}, ["b"]),
        ({"resources": [{"InstanceId": "i-a"}, {"instanceId": "i-b"}]}, ["a", "b"]),
        ({"resources": [{"taskId": "t"}]}, []),
        ({"userId": "another"}, ["a"]),
        ({"alarmType": "ALARM_TYPE_SITE"}, ["site"]),
    ],
)
def test_every_filter_narrows_the_list(emulator: Emulator, wanted: dict[str, Any], found: list[str]) -> None:
    other = alarm("b", "-20m", state="OK", userId="u")
    other["policy"]["level"] = "ALARM_LEVEL_CRITICAL"
    other["resource"] = {**other["resource"], "scope": "BCE_BLB", "region": "gz"}
    emulator.put_bcm_alarms(alarm("a"), other, alarm("site", alarmType="ALARM_TYPE_SITE"))
    assert ids(emulator, **wanted) == found


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"userId": None}, "userId is required"),
        ({"alarmType": None}, "alarmType is required"),
        ({"alarmType": "CLOUD"}, "alarmType must be one of"),
        ({"pageNo": None}, "pageNo is required"),
        ({"pageNo": 0}, "pageNo must be"),
        ({"pageSize": None}, "pageSize is required"),
        ({"pageSize": 101}, "pageSize must be"),
        ({"pageSize": "10"}, "pageSize must be"),
        ({"startTime": 2, "endTime": 1}, "startTime is after endTime"),
        ({"states": ["FIRING"]}, "states must be"),
        ({"states": "ALERT"}, "states must be"),
        ({"level": "MAJOR"}, "level must be one of"),
        ({"sort": "endTime"}, "sort must be one of"),
        ({"ascending": "yes"}, "ascending must be"),
        ({"resource": {"name": "x"}}, "a resource has no name"),
    ],
)
def test_a_wrong_request_is_answered_with_success_false(
    emulator: Emulator, change: dict[str, Any], reason: str
) -> None:
    answer = list_alarms(emulator, **change)
    assert answer["success"] is False
    assert reason in answer["msg"]


def test_metrics_are_in_the_details_only(emulator: Emulator) -> None:
    emulator.put_bcm_alarms(alarm("a", alarmType="ALARM_TYPE_APP"))
    [found] = list_alarms(emulator, alarmType="ALARM_TYPE_APP")["result"]["alarms"]
    shown = detail(emulator, alarmId="a", userId="u")["result"]
    assert "alertMetrics" not in found
    assert "alarmType" not in found
    assert shown["alertMetrics"][0]["rule"]["operator"] == "OPERATOR_TYPE_LE"
    assert (shown["endTime"], shown["userId"]) == (0, "u")
    assert shown["actions"][0]["executedTime"] - shown["startTime"] == 60_000


def test_the_details_need_both_parameters_and_an_alarm(emulator: Emulator) -> None:
    assert detail(emulator, alarmId="a")["msg"] == "userId is required"
    assert detail(emulator, userId="u")["msg"] == "alarmId is required"
    assert "does not exist" in detail(emulator, alarmId="a", userId="u")["msg"]


ODD = Settings(
    bcm_error_status=400,
    bcm_operator="OPER_TYPE",
    bcm_instance_id="instanceId",
    bcm_omit=("policy.level", "initState"),
    bcm_end_time="absent",
)


@pytest.mark.parametrize("emulator", [ODD], indirect=True)
def test_the_other_spellings_and_gaps_can_be_had(emulator: Emulator) -> None:
    emulator.put_bcm_alarms(alarm("a", state="UNHEARD_OF"))
    shown = detail(emulator, alarmId="a", userId="u")["result"]
    assert shown["alertMetrics"][0]["rule"]["operator"] == "OPER_TYPE_LE"
    assert shown["resource"]["identifiers"] == {"instanceId": "i-a"}
    assert shown["policy"] == {"aliasName": "policy of a"}
    assert shown["state"] == "UNHEARD_OF"
    assert not {"initState", "endTime"} & shown.keys()
    assert requests.get(emulator.url + DETAIL, headers=SIGNED, timeout=10).status_code == 400


def test_the_answer_can_be_html_or_cut(emulator: Emulator) -> None:
    emulator.fault("bcm-list:html,nth=1", "bcm-list:cut-body,nth=2")
    body = {"userId": "u", "alarmType": "ALARM_TYPE_CLOUD", "pageNo": 1, "pageSize": 10}
    page = requests.post(emulator.url + LIST, json=body, headers=SIGNED, timeout=10)
    assert page.text.startswith("<!DOCTYPE html>")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.post(emulator.url + LIST, json=body, headers=SIGNED, timeout=10)


def vendor_call(emulator: Emulator, secret: str, method: bytes, path: str, body: Any, params: Any) -> Any:
    """A request made, signed and read by the vendor's own client code."""
    configuration = copy.copy(DEFAULT_CONFIG)
    configuration.credentials = BceCredentials("AK", secret)
    configuration.endpoint = emulator.url.encode()
    configuration.retry_policy = NoRetryPolicy()
    return bce_http_client.send_request(
        configuration,
        bce_v1_signer.sign,
        [handler.parse_error, handler.parse_json],
        method,
        path.encode(),
        json.dumps(body).encode() if body else None,
        {b"Content-Type": b"application/json; charset=utf-8"},
        params,
    )


@pytest.mark.parametrize("emulator", [KEYS], indirect=True)
def test_requests_signed_by_the_vendors_client_are_let_in(emulator: Emulator) -> None:
    emulator.put_bcm_alarms(alarm("a/b c~d"))
    body = {"userId": "ü", "alarmType": "ALARM_TYPE_CLOUD", "pageNo": 1, "pageSize": 10}
    answer = vendor_call(emulator, "the secret key", b"POST", LIST, body, None)
    assert (answer.success, answer.result.total_count) == (True, 1)
    shown = vendor_call(emulator, "the secret key", b"GET", DETAIL, None, {b"alarmId": "a/b c~d", b"userId": "ü"})
    assert shown.result.state == "ALERT"


@pytest.mark.parametrize("emulator", [KEYS], indirect=True)
def test_a_wrong_key_or_no_signature_is_refused(emulator: Emulator) -> None:
    body = {"userId": "u", "alarmType": "ALARM_TYPE_CLOUD", "pageNo": 1, "pageSize": 10}
    with pytest.raises(BceHttpClientError) as caught:
        vendor_call(emulator, "another key", b"POST", LIST, body, None)
    assert caught.value.last_error.status_code == 403
    assert requests.post(emulator.url + LIST, json=body, timeout=10).status_code == 401


def test_a_seed_file_fills_it(tmp_path: Path, start_emulator: Any) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text(
        "bcm:\n  alarms:\n    - {id: a, startTime: -5m, state: ALERT}\n"
        "aom: {notifications: [{name: pager}]}\nfaults: ['push:status=503']\n"
    )
    emulator = start_emulator(Settings(seed=seed))
    assert ids(emulator) == ["a"]
    assert [fault["fault"] for fault in emulator.faults()] == ["push:status=503"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bcm: {alarms: [{id: a}]}", "alarms[0]: startTime is missing"),
        ("bcm: {alarms: [{id: a, startTime: soon}]}", "'soon' is not a time"),
        ("bcm: {alarm: []}", "bcm has no alarm"),
        ("faults: [explode]", "'explode' is not an effect"),
        ("a: [", "not YAML or JSON"),
    ],
)
def test_a_wrong_seed_is_explained(tmp_path: Path, text: str, sentence: str) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text(text)
    with pytest.raises(ValueError, match=r"seed\.yaml: ") as caught:
        create_app(Settings(seed=seed))
    assert sentence in str(caught.value)
