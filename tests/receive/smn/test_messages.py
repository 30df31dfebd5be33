"""Messages of SMN: taken if SMN signed them for a topic that is configured, refused otherwise.

The emulated SMN serves HTTPS with a certificate of a private authority, and signs with a certificate of its own.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from reconciler.emulator.aom.notifications import NotificationRule
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings as EmulatorSettings
from reconciler.emulator.smn.signer import Signer
from reconciler.receive.smn.endpoint import allowed_hosts, check_url
from reconciler.receive.smn.message import SmnError, read_message
from tests.cli.run_cli import reconciler
from tests.emulator.calls import metadata
from tests.receive.receivers import ADDRESS, KEY, TOKEN, Receiver
from tests.servers.webhook import webhook_receiver

TOPIC = "urn:smn:cn-north-4:p1:alarms"
OTHER = "urn:smn:cn-north-4:p1:other"


@dataclass(frozen=True, slots=True)
class Smn:
    """The emulated service, over HTTPS."""

    url: str
    ca: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(
            method, f"{self.url}{path}", json=body, headers={"X-Auth-Token": "t"}, verify=self.ca, timeout=30
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def subscribe(self, endpoint: str, topic: str = TOPIC) -> str:
        self.call("POST", "/v2/p1/notifications/topics", {"name": topic.rpartition(":")[2], "display_name": ""})
        path = f"/v2/p1/notifications/topics/{topic}/subscriptions"
        return str(self.call("POST", path, {"protocol": "http", "endpoint": endpoint})["subscription_urn"])

    def confirmed(self, topic: str = TOPIC) -> list[int]:
        path = f"/v2/p1/notifications/topics/{topic}/subscriptions"
        return [each["status"] for each in self.call("GET", path)["subscriptions"]]

    def publish(self, message: str, topic: str = TOPIC, subject: str = "") -> str:
        path = f"/v2/p1/notifications/topics/{topic}/publish"
        return str(self.call("POST", path, {"subject": subject, "message": message})["message_id"])

    def attempts(self, kind: str = "Notification", message_id: str | None = None) -> list[int | None]:
        found = self.call("GET", "/admin/smn/attempts")["attempts"]
        mine = [each for each in found if message_id in (None, each["message_id"])]
        return [each["status"] for each in mine if each["type"] == kind]


def until(condition: Callable[[], Any]) -> Any:
    """The first true value of a condition that becomes true soon."""
    deadline = time.monotonic() + 20
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.01)
    return value


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a private authority, and of a certificate of its with the key."""
    directory = tmp_path_factory.mktemp("authority")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(directory / "cert.pem")
    return directory / "ca.pem", directory / "cert.pem"


@pytest.fixture
def smn(request: pytest.FixtureRequest, authority: tuple[Path, Path]) -> Iterator[Smn]:
    ca, certificate = authority
    changes: dict[str, Any] = getattr(request, "param", {})
    changes = {"smn_retry_after": 1, **changes}
    settings = EmulatorSettings(tls_certificate=certificate, tls_key=certificate, **changes)
    with running(settings) as url:
        yield Smn(url, str(ca))


@pytest.fixture
def subscribed(smn: Smn, start_receiver: Callable[..., Receiver], authority: tuple[Path, Path]) -> Receiver:
    """A receiver whose subscription is confirmed."""
    host = frozenset({smn.url.removeprefix("https://")})
    receiver = start_receiver(smn_topics=frozenset({TOPIC}), smn_hosts=host, smn_ca=authority[0])
    smn.subscribe(f"{receiver.url}/smn")
    until(lambda: smn.confirmed() == [1])
    return receiver


def signed(smn: Smn, signer: Signer | None = None, **changes: str) -> dict[str, str]:
    """A notification that names the service's own certificate, signed by a signer."""
    signer = signer or Signer()
    body = {"type": "Notification", "message_id": "m1", "subject": "s", "message": f"reconciler_key={KEY}"}
    body |= {"topic_urn": TOPIC, "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    body |= {"signature_version": "v1", "signing_cert_url": certificate_url(smn)}
    body |= changes
    return {"signature": signer.sign(body), **body}


def certificate_url(smn: Smn) -> str:
    """Where the service's certificate is: it says so in each message."""
    # A subscription is confirmed before the request that asked for it is answered, and noted.
    attempts = until(lambda: smn.call("GET", "/admin/smn/attempts")["attempts"])
    return str(attempts[0]["certificate"])


def test_a_message_of_a_configured_topic_is_stored_with_its_alert(smn: Smn, subscribed: Receiver) -> None:
    message = smn.publish(f'firing: reconciler_address={ADDRESS} reconciler_key={KEY}\n"größe"', subject="Größe")
    [delivery] = until(lambda: subscribed.deliveries(key=KEY))
    assert (delivery["source"], delivery["receiver"], delivery["message_id"]) == ("smn", TOPIC, message)
    assert delivery["alerts"][0]["status"] == "firing"
    assert abs(delivery["sent_at"] - delivery["received_at"]) < 60_000
    assert smn.attempts() == [200]


def test_a_message_without_a_subject_is_verified_without_it(smn: Smn, subscribed: Receiver) -> None:
    smn.publish(f"reconciler_key={KEY}")
    assert until(lambda: subscribed.deliveries(key=KEY))


@pytest.mark.parametrize("smn", [{"smn_duplicates": 2}], indirect=True)
def test_a_message_that_comes_again_is_one_delivery(smn: Smn, subscribed: Receiver) -> None:
    smn.publish(f"reconciler_key={KEY}")
    smn.publish(f"reconciler_key={KEY}")
    until(lambda: len(smn.attempts()) == 6)
    assert [each["count"] for each in subscribed.deliveries(key=KEY)] == [3, 3], "one for each message id"


def test_only_a_configured_topic_is_confirmed(smn: Smn, subscribed: Receiver) -> None:
    smn.subscribe(f"{subscribed.url}/smn", OTHER)
    until(lambda: len(smn.attempts("SubscriptionConfirmation")) == 2)
    assert smn.attempts("SubscriptionConfirmation") == [200, 403]
    assert smn.confirmed(OTHER) == [0]


def test_a_cancelled_subscription_is_no_delivery(smn: Smn, subscribed: Receiver) -> None:
    urn = smn.call("GET", f"/v2/p1/notifications/topics/{TOPIC}/subscriptions")["subscriptions"][0]["subscription_urn"]
    smn.call("DELETE", f"/v2/p1/notifications/subscriptions/{urn}")
    until(lambda: smn.attempts("UnsubscribeConfirmation") == [200])
    assert subscribed.deliveries() == []


@pytest.mark.parametrize("smn", [{"smn_retry_after": 1000}], indirect=True)
def test_a_message_that_the_receiver_cannot_take_now_is_sent_again_and_stored(
    smn: Smn, start_receiver: Callable[..., Receiver], authority: tuple[Path, Path]
) -> None:
    host = frozenset({smn.url.removeprefix("https://")})
    topics = frozenset({TOPIC})
    receiver = start_receiver(smn_topics=topics, smn_hosts=host, smn_ca=authority[0], max_rate=2)
    smn.subscribe(f"{receiver.url}/smn")
    until(lambda: smn.confirmed() == [1])
    for number in range(8):
        smn.publish(f"reconciler_key=k{number}")
    until(lambda: len(receiver.deliveries()) == 8)
    assert 503 in smn.attempts(), "only a few at once are taken"


@pytest.mark.parametrize("smn", [{"smn_block": 2_000}], indirect=True)
def test_an_endpoint_that_refuses_a_message_to_the_last_is_blocked_for_a_while(smn: Smn) -> None:
    with webhook_receiver() as hook:
        smn.subscribe(f"{hook.url}/smn")
        [confirmation] = until(lambda: hook.deliveries_to("/smn"))
        assert requests.get(confirmation.payload["subscribe_url"], verify=smn.ca, timeout=30).ok
        hook.respond_with("/smn", *[503] * 7)
        lost = smn.publish("lost")
        until(lambda: smn.attempts() == [503] * 7)
        dropped = smn.publish("dropped")
        until(lambda: smn.attempts() == [*[503] * 7, None])
        until(lambda: smn.attempts(message_id=smn.publish("again"))[-1:] == [200])
        found = smn.call("GET", "/admin/smn/attempts")["attempts"]
        assert {each["message_id"] for each in found if each["status"] == 503} == {lost}
        assert [each["blocked"] for each in found if each["message_id"] == dropped] == [True]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "the signature does not match this message"),
        ({"signature": "AAAA"}, "the signature does not match this message"),
        ({"signature": "not base64!"}, "the signature is not base64"),
        ({"signature_version": "v2"}, "version that is not known"),
        ({"topic_urn": OTHER}, "the topic is not one of those"),
        ({"type": "Fax"}, "no type that SMN knows"),
        ({"timestamp": "2020-01-01T00:00:00Z"}, "too old"),
        ({"timestamp": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}, "too old, or from the future"),
        ({"timestamp": "soon"}, "not an instant"),
        ({"message_id": ""}, "no topic_urn or no message_id"),
        ({"signing_cert_url": "https://evil.example.com/cert.pem"}, "a host that is allowed"),
        ({"signing_cert_url": "SERVICE/smn/cert.pem?1"}, "has a query"),
    ],
)
def test_a_forged_message_is_refused(smn: Smn, subscribed: Receiver, changes: dict[str, str], why: str) -> None:
    changes = {name: value.replace("SERVICE", smn.url) for name, value in changes.items()}
    answer = subscribed.post("/smn", signed(smn) | changes)
    assert (answer.status_code, why in answer.json()["error"]) == (403, True), answer.text
    assert subscribed.deliveries() == []
    assert subscribed.metric('refused_total{reason="smn"}') == 1


def test_a_message_that_was_altered_on_its_way_is_refused(smn: Smn, subscribed: Receiver) -> None:
    smn.publish(f"reconciler_key={KEY}")
    [delivery] = until(lambda: subscribed.deliveries(key=KEY))
    body = subscribed.get(f"/deliveries/{delivery['id']}/body").json()["body"]
    original = json.loads(b64decode(body))
    assert subscribed.post("/smn", original).json() == {"status": "repeated"}
    for field in ("message", "subject", "message_id", "timestamp"):
        altered = original | {field: "2026-05-01T00:00:00Z" if field == "timestamp" else original[field] + "x"}
        assert subscribed.post("/smn", altered).status_code == 403, field


def test_a_certificate_that_cannot_be_had_now_makes_the_sender_try_again(smn: Smn, subscribed: Receiver) -> None:
    with running(EmulatorSettings()) as plain:  # no HTTPS there: the connection fails
        pass
    port = plain.rpartition(":")[2]
    url = f"https://{smn.url.removeprefix('https://').partition(':')[0]}:{port}/smn/cert.pem"
    assert subscribed.post("/smn", signed(smn) | {"signing_cert_url": url}).status_code == 403, "another port"
    missing = f"{smn.url}/smn/other.pem"
    assert subscribed.post("/smn", signed(smn) | {"signing_cert_url": missing}).status_code == 403, "404 there"


def test_a_host_whose_certificate_is_not_trusted_is_not_believed(
    smn: Smn, start_receiver: Callable[..., Receiver]
) -> None:
    host = frozenset({smn.url.removeprefix("https://")})
    receiver = start_receiver(smn_topics=frozenset({TOPIC}), smn_hosts=host)
    smn.subscribe(f"{receiver.url}/smn")
    until(lambda: smn.attempts("SubscriptionConfirmation") == [503] * 7)
    assert smn.confirmed() == [0]


@pytest.mark.parametrize(
    "url",
    [
        "http://smn.cn-north-4.myhuaweicloud.com/a",
        "https://smn.cn-north-4.myhuaweicloud.com.evil.example/a",
        "https://smn.cn-north-4.myhuaweicloud.com@evil.example/a",
        "https://evil.example\\@smn.cn-north-4.myhuaweicloud.com/a",
        "https://user:pw@smn.cn-north-4.myhuaweicloud.com/a",
        "https://smn.cn-north-4.myhuaweicloud.com:8443/a",
        "https://smn.cn-north-1.myhuaweicloud.com/a",
        "https://169.254.169.254/latest/meta-data",
        "https://smn.cn-north-4.myhuaweicloud.com/a\r\nHost: evil",
        "https://evil.example/#https://smn.cn-north-4.myhuaweicloud.com/",
        "//smn.cn-north-4.myhuaweicloud.com/a",
        "",
    ],
)
def test_no_other_host_is_asked(url: str) -> None:
    with pytest.raises(SmnError):
        check_url(url, allowed_hosts({TOPIC}, ()), "signing_cert_url")


@pytest.mark.parametrize("port", ["", ":443"])
def test_the_host_of_the_topics_region_is_asked(port: str) -> None:
    url = f"https://SMN.cn-north-4.myhuaweicloud.com{port}/smn/SMN_cn-north-4_0.pem?a=b"
    check_url(url, allowed_hosts({TOPIC}, ()), "signing_cert_url")


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 100_000, b'{"type":"Notification","message":1}', b"\xff"])
def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(SmnError):
        read_message(body, 32)


RULE = NotificationRule("pager", topic=TOPIC, cleared=True, match={"event_severity": ("Critical",)})


@pytest.mark.parametrize("smn", [{"notifications": (RULE,)}], indirect=True)
def test_an_alarm_of_aom_arrives_by_way_of_smn_and_so_does_its_end(smn: Smn, subscribed: Receiver) -> None:
    marks = {"reconciler_stack": "checkout", "reconciler_address": "aom_alarm.latency"}
    alarm = metadata() | marks | {"event_severity": "Critical"}
    event = {"starts_at": int(time.time() * 1000), "metadata": alarm, "annotations": {"reconciler_key": KEY}}
    smn.call("PUT", "/v2/p1/push/events", {"events": [event]})
    [fired] = until(lambda: subscribed.deliveries(key=KEY))
    smn.call("PUT", "/v2/p1/push/events?action=clear", {"events": [event]})
    _, ended = until(lambda: (found := subscribed.deliveries(stack="checkout"))[1:] and found)
    assert [each["alerts"][0]["status"] for each in (fired, ended)] == ["firing", "resolved"]
    assert [each["alerts"][0]["address"] for each in (fired, ended)] == ["aom_alarm.latency"] * 2


STACK = """\
stack: checkout
providers:
  aom: {{endpoint: "{smn.url}", ca_file: "{smn.ca}", project_id: p1, auth: {{token: t}}}}
  receiver: {{endpoint: "{receiver.url}", auth: {{token: {token}}}}}
checks:
  page:
    canary: {{event_severity: Critical}}
    expect: {{delivered: {{within: 20s, resolved: true, receiver: "{topic}", at_most: 1}}}}
"""


@pytest.mark.parametrize("smn", [{"notifications": (RULE,)}], indirect=True)
def test_a_subscriber_that_is_blocked_keeps_the_others_from_nothing(
    smn: Smn, subscribed: Receiver, tmp_path: Path
) -> None:
    with webhook_receiver() as hook:
        smn.subscribe(f"{hook.url}/smn")
        [confirmation] = until(lambda: hook.deliveries_to("/smn"))
        assert requests.get(confirmation.payload["subscribe_url"], verify=smn.ca, timeout=30).ok
        hook.respond_with("/smn", *[503] * 7)
        smn.publish("lost at one, arrived at the other")
        until(lambda: smn.attempts().count(503) == 7)
        text = STACK.format(smn=smn, receiver=subscribed, token=TOKEN, topic=TOPIC)
        (tmp_path / "stack.yaml").write_text(text)
        assert reconciler("check", tmp_path).code == 0, "the other subscriber is not blocked"
        assert len(hook.deliveries_to("/smn")) == 1 + 7, "nothing more came here"


@pytest.mark.parametrize("smn", [{"notifications": (RULE,)}], indirect=True)
def test_a_canary_of_aom_is_proved_delivered_by_signed_messages(smn: Smn, subscribed: Receiver, tmp_path: Path) -> None:
    text = STACK.format(smn=smn, receiver=subscribed, token=TOKEN, topic=TOPIC)
    (tmp_path / "stack.yaml").write_text(text)
    done = reconciler("check", tmp_path, "--format", "json")
    assert done.code == 0, done
    assert json.loads(done.out)["checks"][0]["delivery"]["status"] == "delivered"
    assert [each["source"] for each in subscribed.deliveries(stack="checkout")] == ["smn", "smn"]
