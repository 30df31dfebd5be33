"""The BCM provider against the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from reconciler.core.duration import MINUTE
from reconciler.emulator.settings import Settings
from reconciler.providers.bcm.provider import BcmProvider
from reconciler.providers.bcm.query import FIELDS
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.emulator.handle import Emulator
from tests.providers.bcm.objects import ALARM, find, opened

KEYS = Settings(keys={"AK": "the secret key"})


@pytest.fixture
def provider(emulator: Emulator) -> Iterator[BcmProvider]:
    made = opened(emulator.url)
    yield made
    made.close()


@pytest.mark.parametrize("emulator", [KEYS], indirect=True)
def test_a_signature_by_a_known_key_is_accepted_for_both_calls(emulator: Emulator, provider: BcmProvider) -> None:
    emulator.put_bcm_alarms({**ALARM, "id": "a b/ä"})
    [alarm] = find(provider, ["metrics"])
    assert alarm["id"] == "a b/ä"


@pytest.mark.parametrize("emulator", [KEYS], indirect=True)
@pytest.mark.parametrize(("ak", "sk"), [("AK", "another key"), ("KA", "the secret key")])
def test_a_wrong_key_is_denied_and_never_quoted(emulator: Emulator, ak: str, sk: str) -> None:
    with pytest.raises(ServiceError) as caught:
        find(opened(emulator.url, ak, sk))
    assert caught.value.kind is ErrorKind.DENIED
    assert sk not in str(caught.value)


def test_an_alarm_has_the_documented_fields_and_no_others(emulator: Emulator, provider: BcmProvider) -> None:
    emulator.put_bcm_alarms({**ALARM, "id": "a"})
    [alarm] = find(provider, ["metrics"])
    assert set(alarm) == set(FIELDS)
    assert {name: alarm[name] for name in ("id", "state", "active", "level", "policy", "instance_id")} == {
        "id": "a",
        "state": "ALERT",
        "active": True,
        "level": "ALARM_LEVEL_MAJOR",
        "policy": "cpu busy",
        "instance_id": "i-1",
    }
    [sent] = alarm["notifications"]  # type: ignore[misc]  # a list, by its field
    assert (sent["delivered"], sent["channels"], sent["members"]) == (True, ["SMS"], ["ann"])


def test_every_page_is_read(emulator: Emulator, provider: BcmProvider) -> None:
    emulator.put_bcm_alarms(*({**ALARM, "id": f"a{number}", "startTime": f"-{number}m"} for number in range(1, 251)))
    assert [alarm["id"] for alarm in find(provider)] == [f"a{number}" for number in range(1, 251)]
    assert [(body["pageNo"], body["pageSize"]) for body in emulator.bodies("bcm-list")] == [
        (1, 100),
        (2, 100),
        (3, 100),
    ]


def test_details_are_asked_for_only_where_they_are_wanted(emulator: Emulator, provider: BcmProvider) -> None:
    emulator.put_bcm_alarms({**ALARM, "id": "a"}, {**ALARM, "id": "b"})
    assert [alarm["metrics"] for alarm in find(provider)] == [[], []]
    assert emulator.requests("bcm-detail") == []
    for alarm in find(provider, ["initial_state"]):
        assert alarm["initial_state"] == "ALERT"
        assert alarm["metrics"]
    assert len(emulator.requests("bcm-detail")) == 2
    assert all(alarm["metrics"] for alarm in find(provider, details=True))


@pytest.mark.parametrize(
    "emulator",
    [
        Settings(bcm_operator=operator, bcm_instance_id=instance)
        for operator, instance in (("OPER_TYPE", "InstanceId"), ("OPERATOR_TYPE", "instanceId"))
    ],
    indirect=True,
)
def test_either_spelling_is_read_as_the_same(emulator: Emulator, provider: BcmProvider) -> None:
    emulator.put_bcm_alarms({**ALARM, "id": "a"})
    [alarm] = find(provider, ["metrics"])
    [metric] = alarm["metrics"]  # type: ignore[misc]  # a list, by its field
    assert (metric["operator"], alarm["instance_id"]) == ("OPER_TYPE_GT", "i-1")


@pytest.mark.parametrize("missing", ["policy", "policy.level", "resource", "actions", "state", "initState", "id"])
def test_a_field_that_is_missing_is_none_and_the_alarm_still_counts(start_emulator, missing: str) -> None:
    emulator = start_emulator(Settings(bcm_omit=(missing,)))
    emulator.put_bcm_alarms({**ALARM, "id": "a"}, {**ALARM, "id": "b"})
    assert len(find(opened(emulator.url))) == 2


@pytest.mark.parametrize("emulator", [Settings(bcm_omit=("id",))], indirect=True)
def test_an_alarm_without_an_id_can_not_be_looked_up(emulator: Emulator, provider: BcmProvider) -> None:
    emulator.put_bcm_alarms({**ALARM, "id": "a"})
    with pytest.raises(ServiceError, match="without an id"):
        find(provider, ["metrics"])


@pytest.mark.parametrize("emulator", [Settings(), Settings(bcm_end_time="absent")], indirect=True)
def test_an_alarm_is_active_until_it_has_an_end(emulator: Emulator, provider: BcmProvider) -> None:
    emulator.put_bcm_alarms({**ALARM, "id": "on"}, {**ALARM, "id": "off", "endTime": "-1m"})
    assert {alarm["id"]: alarm["active"] for alarm in find(provider)} == {"on": True, "off": False}


def test_unknown_values_are_kept(emulator: Emulator, provider: BcmProvider) -> None:
    emulator.put_bcm_alarms(
        {**ALARM, "id": "a", "state": "MELTING", "policy": {"level": "ALARM_LEVEL_DOOM"}, "closeReason": "BOREDOM"}
    )
    [alarm] = find(provider)
    assert (alarm["state"], alarm["level"], alarm["close_reason"]) == ("MELTING", "ALARM_LEVEL_DOOM", "BOREDOM")


def test_every_parameter_of_the_page_is_sent(emulator: Emulator, provider: BcmProvider) -> None:
    now = emulator.now()
    find(
        provider,
        start=now - MINUTE,
        end=now,
        scope="BCE_BCC",
        resource_type="Instance",
        states=["OK", "CLOSED"],
        level="ALARM_LEVEL_NOTICE",
        region="bj",
        alarm_alias_name="策略",
        resource={"instance_id": "i-1", "task_id": "t"},
        resources=[{"instance_id": "i-2"}],
        sort="startTime",
        ascending=True,
    )
    [request] = emulator.requests("bcm-list")
    assert request["status"] == 200
    assert json.loads(request["body"]) == {
        "userId": "u1",
        "alarmType": "ALARM_TYPE_CLOUD",
        "startTime": now - MINUTE,
        "endTime": now,
        "scope": "BCE_BCC",
        "resourceType": "Instance",
        "states": ["OK", "CLOSED"],
        "level": "ALARM_LEVEL_NOTICE",
        "region": "bj",
        "alarmAliasName": "策略",
        "resource": {"InstanceId": "i-1", "taskId": "t"},
        "resources": [{"InstanceId": "i-2"}],
        "sort": "startTime",
        "ascending": True,
        "pageNo": 1,
        "pageSize": 100,
    }


def test_the_lookback_of_the_query_goes_before_that_of_the_provider(emulator: Emulator) -> None:
    emulator.put_bcm_alarms({**ALARM, "id": "old", "startTime": "-3h"})
    provider = opened(emulator.url, lookback="2h")
    assert find(provider) == []
    assert [alarm["id"] for alarm in find(provider, lookback="4h")] == ["old"]


@pytest.mark.parametrize("status", [200, 400])
def test_what_the_service_refuses_is_an_error_whatever_its_status(start_emulator, status: int) -> None:
    emulator = start_emulator(Settings(bcm_error_status=status))
    with pytest.raises(ServiceError, match="startTime is after endTime") as caught:
        find(opened(emulator.url), start=emulator.now() + MINUTE)
    assert caught.value.kind is ErrorKind.REJECTED


def test_it_writes_nothing_and_owns_nothing(provider: BcmProvider) -> None:
    assert list(provider.observe("s", [])) == []
    with pytest.raises(ServiceError, match="read only"):
        provider.send([])
