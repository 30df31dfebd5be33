"""What a receiver stores, answers and refuses, over HTTP."""

from __future__ import annotations

import json
import socket
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from reconciler.receive.settings import Settings
from tests.receive.receivers import ADDRESS, HOOK_TOKEN, KEY, SENDER_TOKEN, TOKEN, WEBHOOK, Receiver, webhook

Start = Callable[..., Receiver]


def test_a_receiver_says_that_it_is_running_however_late_the_time_that_is_asked_about(receiver: Receiver) -> None:
    [span] = receiver.document(since=int(time.time() * 1000))["listening"]
    assert span["since"] <= span["until"]


def test_a_delivery_is_found_by_each_of_its_marks(receiver: Receiver) -> None:
    assert receiver.post("/alertmanager", WEBHOOK, headers={"User-Agent": "Alertmanager/0.25.0"}).status_code == 200
    receiver.post("/alertmanager", webhook(alerts=[], receiver="other", truncatedAlerts=0))
    queries: list[dict[str, str | int]] = [
        {"key": KEY},
        {"fingerprint": "f6a1c2d3e4b5a697"},
        {"stack": "checkout", "address": ADDRESS},
        {"receiver": "team.checkout-oncall", "source": "alertmanager"},
    ]
    for query in queries:
        [delivery] = receiver.deliveries(**query)
        assert (delivery["source"], delivery["receiver"], delivery["count"]) == (
            "alertmanager",
            "team.checkout-oncall",
            1,
        )
        assert (delivery["truncated"], delivery["sender"], delivery["total"]) == (3, "Alertmanager/0.25.0", 2)
        assert delivery["alerts"][0]["key"] == KEY
    assert [len(each["alerts"]) for each in receiver.deliveries(key=KEY)] == [1], "only the alert that matches"
    assert receiver.deliveries(key="other") == []
    assert receiver.document(key="other")["truncated"] == 1, "it may be among those left out"


def test_times_are_those_of_the_receivers_clock(start_receiver: Start) -> None:
    receiver = start_receiver(clock=lambda: 1_777_636_800_000)
    receiver.post("/alertmanager", WEBHOOK)
    document = receiver.document()
    assert document["now"] == document["deliveries"][0]["received_at"] == 1_777_636_800_000
    assert document["listening"] == [{"since": 1_777_636_800_000, "until": 1_777_636_800_000}]


def test_a_delivery_sent_again_is_one_with_a_count(receiver: Receiver) -> None:
    assert [receiver.post("/alertmanager", WEBHOOK).json()["status"] for _ in range(3)] == ["stored"] + ["repeated"] * 2
    [delivery] = receiver.deliveries()
    assert delivery["count"] == 3
    assert delivery["last_received_at"] >= delivery["received_at"]
    assert receiver.deliveries(since=delivery["last_received_at"]) != []
    assert receiver.deliveries(since=delivery["last_received_at"] + 1) == []
    assert receiver.metric('repeated_total{source="alertmanager"}') == 2


def test_firing_and_resolved_are_two_deliveries(receiver: Receiver) -> None:
    alert = WEBHOOK["alerts"][0]
    receiver.post("/alertmanager", webhook(alerts=[alert]))
    receiver.post("/alertmanager", webhook(status="resolved", alerts=[alert | {"status": "resolved"}]))
    assert [each["alerts"][0]["status"] for each in receiver.deliveries(key=KEY)] == ["firing", "resolved"]


def test_a_payload_of_the_users_own_is_taken_under_the_receivers_name_in_the_path(receiver: Receiver) -> None:
    assert receiver.post("/alertmanager/oncall", data=f"firing: reconciler_key={KEY}").status_code == 200
    [delivery] = receiver.deliveries(key=KEY, receiver="oncall")
    assert delivery["alerts"][0]["status"] == "firing"


def test_a_hook_takes_anything_under_its_token(receiver: Receiver) -> None:
    assert receiver.post(f"/hook/{HOOK_TOKEN}", data=b"\xff\xfe nothing of ours").status_code == 200
    [delivery] = receiver.deliveries(source="hook", receiver="pager")
    assert (delivery["total"], delivery["size"]) == (0, 18)
    assert receiver.post("/hook/other-token-0123456789", {}).status_code == 404
    assert receiver.metric('refused_total{reason="token"}') == 1


def test_a_body_can_be_read_with_the_token(receiver: Receiver) -> None:
    receiver.post("/alertmanager", WEBHOOK)
    [delivery] = receiver.deliveries()
    answer = receiver.get(f"/deliveries/{delivery['id']}/body")
    assert json.loads(b64decode(answer.json()["body"])) == WEBHOOK
    assert receiver.get(f"/deliveries/{delivery['id']}/body", token=None).status_code == 401
    assert receiver.get("/deliveries/77/body").status_code == 404


def test_pages_are_walked_by_the_next_id(receiver: Receiver) -> None:
    for number in range(5):
        receiver.post("/alertmanager", webhook(groupKey=str(number)))
    seen, after = [], 0
    while after is not None:
        page = receiver.document(limit=2, after=after)
        seen += [each["group_key"] for each in page["deliveries"]]
        after = page["next"]
    assert seen == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "since=yesterday", "since=-1", "source=fax", "after=-3"])
def test_a_wrong_query_is_refused_without_an_echo(receiver: Receiver, query: str) -> None:
    answer = receiver.get(f"/deliveries?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[2] not in answer.text.replace("epoch", "")


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", SENDER_TOKEN, HOOK_TOKEN, "\u00e9".encode()])
def test_queries_need_the_token(receiver: Receiver, token: str | bytes | None) -> None:
    presented = token.decode("latin-1") if isinstance(token, bytes) else token
    assert receiver.get("/deliveries", token=presented).status_code == 401


def test_an_alertmanager_must_send_its_token(start_receiver: Start) -> None:
    receiver = start_receiver(sender_token=SENDER_TOKEN)
    bearer = {"Authorization": f"Bearer {SENDER_TOKEN}"}
    assert receiver.post("/alertmanager", WEBHOOK).status_code == 401
    assert receiver.post("/alertmanager", WEBHOOK, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 401
    assert receiver.post("/alertmanager", WEBHOOK, headers={"Authorization": "Basic %%%"}).status_code == 401
    assert receiver.post("/alertmanager", WEBHOOK, headers=bearer).status_code == 200
    assert receiver.post("/alertmanager", WEBHOOK, auth=("anyone", SENDER_TOKEN)).status_code == 200
    assert receiver.get("/deliveries", token=SENDER_TOKEN).status_code == 401, "senders cannot query"


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "", "evil.example.com:80"])
def test_a_foreign_host_is_refused(receiver: Receiver, host: str) -> None:
    for path in ("/deliveries", "/metrics", "/alertmanager"):
        assert receiver.get(path, headers={"Host": host}).status_code in (400, 421)
    assert receiver.get("/healthz", headers={"Host": host or "x"}).status_code == 200, "probes use any address"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:8090", "receiver.example.com", "10.1.2.3:80"])
def test_a_host_that_is_served_is_taken(start_receiver: Start, host: str) -> None:
    receiver = start_receiver(hosts=frozenset({"receiver.example.com", "10.1.2.3"}))
    assert receiver.get("/deliveries", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_requests_of_other_web_sites_are_refused(receiver: Receiver, headers: dict[str, str], status: int) -> None:
    assert receiver.post("/alertmanager", WEBHOOK, headers=headers).status_code == status
    assert len(receiver.deliveries()) == (status == 200)


def test_a_body_that_is_too_large_is_refused_however_it_comes(start_receiver: Start) -> None:
    receiver = start_receiver(max_body=2_000)
    assert receiver.post("/alertmanager", data=b"x" * 2_001).status_code == 413
    assert receiver.post("/alertmanager", data=iter([b"x" * 1_500] * 2)).status_code == 413
    assert receiver.post("/alertmanager", data=b"x" * 2_000).status_code == 200
    assert receiver.metric('refused_total{reason="size"}') == 2


def test_a_body_that_is_nested_too_deeply_is_refused(receiver: Receiver) -> None:
    assert receiver.post("/alertmanager", data=b"[" * 1_000 + b"]" * 1_000).status_code == 400
    assert receiver.post("/alertmanager", data=b"[" * 1_000_000).status_code == 400
    assert receiver.deliveries() == []


def test_a_body_that_does_not_come_in_time_is_given_up(start_receiver: Start) -> None:
    receiver = start_receiver(body_timeout=0.05)
    where = urlsplit(receiver.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(b"POST /alertmanager HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nfive!")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 408 ")


def test_more_than_the_rate_is_told_to_come_again(start_receiver: Start) -> None:
    receiver = start_receiver(max_rate=0.5)
    answers = [receiver.post("/alertmanager", WEBHOOK) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 503], "a sender sends again after 5xx, not after 429"
    assert answers[1].headers["Retry-After"] == "1"


def test_a_flood_at_one_path_keeps_no_other_sender_out(start_receiver: Start) -> None:
    receiver = start_receiver(max_rate=0.5)
    assert [receiver.post("/alertmanager", WEBHOOK).status_code for _ in range(3)] == [200, 503, 503]
    assert receiver.post(f"/hook/{HOOK_TOKEN}", {}).status_code == 200


def test_a_body_is_not_kept_if_none_are(start_receiver: Start) -> None:
    receiver = start_receiver(body_retention=0)
    receiver.post("/alertmanager", WEBHOOK)
    [delivery] = receiver.deliveries()
    assert delivery["size"] > 100
    assert receiver.get(f"/deliveries/{delivery['id']}/body").status_code == 404


def test_more_than_memory_may_hold_is_told_to_come_again(start_receiver: Start) -> None:
    receiver = start_receiver(max_pending_bytes=1_000)
    assert receiver.post("/alertmanager", data=b"x" * 1_001).status_code == 503
    assert receiver.post("/alertmanager", data=b"x" * 1_000).status_code == 200, "nothing is held any more"


def test_no_answer_repeats_what_was_sent(receiver: Receiver) -> None:
    answers = [
        receiver.post("/alertmanager", data="s3cret"),
        receiver.post("/hook/s3cret", {}),
        receiver.post("/s3cret", {}),
        receiver.post("/alertmanager/s3cret%20", {}),
        receiver.get("/deliveries?since=s3cret&limit=s3cret"),
    ]
    assert not any("s3cret" in answer.text + str(answer.headers) for answer in answers)
    assert not any("s3cret" in each for each in receiver.get("/metrics").text.splitlines())


def test_metrics_are_in_prometheus_format_and_need_no_token(receiver: Receiver) -> None:
    receiver.post("/alertmanager", WEBHOOK)
    answer = receiver.get("/metrics", token=None)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert receiver.metric('alerts_total{source="alertmanager",status="resolved"}') == 1
    assert receiver.metric("truncated_total") == 1
    assert receiver.metric("commit_seconds_count") == receiver.metric('commit_seconds_bucket{le="+Inf"}') == 1
    families = [line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))


def test_only_the_paths_of_senders_take_post(receiver: Receiver) -> None:
    assert receiver.get("/alertmanager").status_code == 405
    assert receiver.post("/deliveries", {}).status_code == 405
    assert receiver.post("/smn", {}).status_code == 404, "no topic is configured"
    assert receiver.get("/openapi.json").status_code == 404


def test_what_was_stored_is_there_after_a_restart(start_receiver: Start, tmp_path: Path) -> None:
    from reconciler.receive.server import running_receiver

    with running_receiver(Settings(db=tmp_path / "receiver.db", token=TOKEN)) as url:
        requests.post(f"{url}/alertmanager", json=WEBHOOK, timeout=30)
    receiver = start_receiver()
    assert [each["count"] for each in receiver.deliveries(key=KEY)] == [1]
    assert receiver.post("/alertmanager", WEBHOOK).json() == {"status": "repeated"}
    assert len(receiver.document()["listening"]) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"token": "short"}, "shorter than 16"),
        ({"token": "with space 0123456789"}, "cannot carry"),
        ({"token": TOKEN, "sender_token": TOKEN}, "two tokens are equal"),
        ({"token": TOKEN, "smn_topics": frozenset({"alarms"})}, "not the URN of an SMN topic"),
        ({"token": TOKEN, "smn_topics": frozenset({"urn:smn:a.b/c:p:n"})}, "is no region"),
    ],
)
def test_settings_that_are_not_safe_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(db="unused.db", **settings)  # type: ignore[arg-type]
