"""Answers the service should not give: each ends in a parsed value or a clear error, never in an empty list."""

from __future__ import annotations

import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.diagnostic import DiagnosticError
from reconciler.providers.bcm.alarm import instant, to_item
from reconciler.providers.bcm.provider import MAX_WALKS
from reconciler.providers.bcm.query import FIELDS
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.bcm.objects import find, opened
from tests.providers.service import Asked, Reply, in_turn, service

KEYS = (
    *("id", "state", "startTime", "endTime", "policy", "level", "resource", "identifiers", "actions", "executedTime"),
    *("notifications", "members", "alertMetrics", "metric", "rule", "operator", "InstanceId", "instanceId"),
)


def page(*ids: str, total: object = None, **more: object) -> Reply:
    result: dict[str, object] = {"alarms": [{"id": each, "state": "ALERT"} for each in ids], **more}
    if total is not None:
        result["totalCount"] = total
    return Reply(body={"success": True, "msg": "", "result": result})


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(body={"success": False, "msg": "no such user"}), "no such user"),
        (Reply(body={"success": False}), "the service gave no reason"),
        (Reply(body={"success": False, "msg": None, "result": {"alarms": []}}), "the service gave no reason"),
        (Reply(body={"result": {"alarms": [], "totalCount": 0}}), "does not say whether the request succeeded"),
        (Reply(body={"success": "true", "result": {"alarms": []}}), "does not say whether the request succeeded"),
        (Reply(body={"success": True}), "holds no list of alarms"),
        (Reply(body={"success": True, "result": None}), "holds no list of alarms"),
        (Reply(body={"success": True, "result": {}}), "holds no list of alarms"),
        (Reply(body={"success": True, "result": {"alarms": {}}}), "holds no list of alarms"),
        (Reply(body={"success": True, "result": {"alarms": ["x"]}}), "holds no list of alarms"),
        (Reply(body=[]), "does not say whether the request succeeded"),
        (Reply(body=b"<html>busy</html>"), "the response is not JSON"),
        (Reply(body=b'{"success": true, "result": {"ala'), "the response is not JSON"),
        (Reply(body=b""), "the response is not JSON"),
        (Reply(body={"success": True, "result": {"alarms": []}}, short=True), "was cut"),
        (Reply(cut=True), "was cut"),
        (Reply(status=503, body=b"<html/>"), "503"),
        (Reply(status=302, headers={"Location": "http://elsewhere"}), "redirects"),
    ],
)
def test_an_answer_that_is_not_the_service_s_is_an_error(reply: Reply, said: str) -> None:
    with service(lambda _: reply) as running, pytest.raises(ServiceError, match=said):
        find(opened(running.url))


def test_a_secret_in_the_service_s_words_is_hidden() -> None:
    reply = Reply(body={"success": False, "msg": "key 'the secret key' unknown"})
    with service(lambda _: reply) as running, pytest.raises(ServiceError) as caught:
        find(opened(running.url))
    assert "the secret key" not in str(caught.value)
    assert caught.value.kind is ErrorKind.REJECTED


@pytest.mark.parametrize("total", [None, "250", 250, "many", -1])
def test_pages_are_read_to_the_end_whether_or_not_the_total_is_told(total: object) -> None:
    ids = [f"a{number}" for number in range(250)]

    def reply(asked: Asked) -> Reply:
        first = (asked.json()["pageNo"] - 1) * 100
        return page(*ids[first : first + 100], total=total)

    with service(reply) as running:
        assert [alarm["id"] for alarm in find(opened(running.url))] == ids


def test_a_service_with_smaller_pages_than_asked_for_is_read_to_the_end() -> None:
    ids = [f"a{number}" for number in range(25)]

    def reply(asked: Asked) -> Reply:
        first = (asked.json()["pageNo"] - 1) * 10
        return page(*ids[first : first + 10], pageSize=10)

    with service(reply) as running:
        assert len(find(opened(running.url))) == 25


def test_a_list_that_gets_shorter_while_it_is_read_is_read_anew() -> None:
    first = [f"a{number}" for number in range(100)]
    second = [*first[1:], "b"]
    with service(in_turn(page(*first, total=101), page(total=100), page(*second, total=100))) as running:
        assert [alarm["id"] for alarm in find(opened(running.url))] == second
        assert [asked.json()["pageNo"] for asked in running.asked] == [1, 2, 1]


def test_an_alarm_that_comes_while_the_list_is_read_is_not_missed() -> None:
    old = [f"a{number}" for number in range(101)]
    new = ["new", *old]
    replies = in_turn(page(*old[:100], total=101), page(*new[100:], total=102), page(*new[:100], total=102))

    def reply(asked: Asked) -> Reply:
        if len(running.asked) <= 2:
            return replies(asked)
        first = (asked.json()["pageNo"] - 1) * 100
        return page(*new[first : first + 100], total=102)

    with service(reply) as running:
        assert {alarm["id"] for alarm in find(opened(running.url))} == set(new)


def test_a_list_that_never_holds_still_is_an_error() -> None:
    with service(lambda asked: page("a", total=2)) as running, pytest.raises(ServiceError, match="changed each of the"):
        find(opened(running.url))
    assert len(running.asked) == 2 * MAX_WALKS


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({"success": True, "result": None}, "holds no alarm"),
        ({"success": True, "result": {"id": "other"}}, "answers with another"),
        ({"success": False, "msg": "gone"}, "gone"),
    ],
)
def test_a_detail_that_is_none_is_an_error(detail: object, said: str) -> None:
    def reply(asked: Asked) -> Reply:
        return page("a", total=1) if asked.method == "POST" else Reply(body=detail)

    with service(reply) as running, pytest.raises(ServiceError, match=said):
        find(opened(running.url), ["metrics"])


def test_any_odd_alarm_becomes_an_item_of_nones() -> None:
    odd = dict.fromkeys(("id", "state", "policy", "resource", "actions", "alertMetrics", "endTime"), 5.5)
    assert to_item(odd)["state"] is None
    assert to_item({})["active"] is True
    assert to_item({"actions": [None, {"executedTime": "0"}]})["notifications"] == [
        {
            "type": None,
            "name": None,
            "alias": None,
            "channels": [],
            "callbacks": [],
            "members": [],
            "sent_at": None,
            "delivered": False,
        }
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_whatever_an_alarm_holds_it_becomes_an_item_with_the_documented_fields(alarm: dict[str, object]) -> None:
    assert set(to_item(alarm)) == set(FIELDS)


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [(1722924721, 1722924721000), (1722924721000, 1722924721000), (0, None), (None, None), ("x", None), (-5, None)],
)
def test_a_time_in_seconds_is_told_from_one_in_milliseconds(value: object, milliseconds: int | None) -> None:
    assert instant(value) == milliseconds


def test_without_the_vendor_s_signer_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "baidubce.auth.bce_v1_signer", None)
    with pytest.raises(DiagnosticError) as caught:
        opened("http://127.0.0.1:1")
    assert "reconciler[baidu]" in (caught.value.diagnostics[0].hint or "")


def test_the_signing_key_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with service(lambda _: page(total=0)) as running:
        find(opened(running.url))
    assert "sign_key" not in caplog.text
    assert "bce-auth-v1" not in caplog.text
