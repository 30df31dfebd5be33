"""The service: subscriptions, and messages being delivered. It lives in memory and ends with the process."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from heapq import heappop, heappush
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from reconciler.emulator.aom.notifications import DEFAULT_TOPIC
from reconciler.emulator.clock import Clock
from reconciler.emulator.settings import Settings
from reconciler.emulator.wire import dump

if TYPE_CHECKING:
    from reconciler.emulator.smn.signer import Signer

TIMEOUT_S = 5
"""Response timeout of an endpoint: user guide."""
RETRIES = 6
"""How often a message is retried after a 5xx, and only then: user guide."""
LOOK_S = 0.02
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Subscription:
    """A subscription of an endpoint to a topic. ``status`` is 0 until it is confirmed, then 1."""

    subscription_urn: str
    topic_urn: str
    protocol: str
    endpoint: str
    remark: str
    base: str
    """The emulator's base URL when the subscription was made: messages link to its certificate and confirmation
    pages.
    """
    token: str = field(default_factory=lambda: secrets.token_hex(32))
    status: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to an endpoint; ``status`` is None if there was no response."""

    at: int
    type: str
    message_id: str
    endpoint: str
    certificate: str
    """The certificate's URL in the message."""
    status: int | None
    blocked: bool = False
    """The request was not sent: the endpoint has failed too often, and the message is lost."""


class SmnService:
    """Topics, subscriptions and a queue; ``run`` sends what is due."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._topics: dict[str, str] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._attempts: list[Attempt] = []
        self._due: list[tuple[int, int, str, str, str, str]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._blocked: dict[str, int] = {}
        self._count = 0
        self._published = asyncio.Event()
        self._subscribe_endpoints()

    @cached_property
    def signer(self) -> Signer:
        # If nobody subscribes, the signing libraries are never loaded.
        from reconciler.emulator.smn.signer import Signer

        return Signer()

    def create_topic(self, project: str, name: str, display_name: str) -> str:
        """Create a topic, or return the existing one of that name; returns its URN."""
        urn = f"urn:smn:{self._settings.smn_region}:{project}:{name}"
        self._topics.setdefault(urn, display_name)
        return urn

    def has_topic(self, urn: str) -> bool:
        return urn in self._topics

    def subscribe(self, topic: str, protocol: str, endpoint: str, remark: str, base: str) -> tuple[Subscription, bool]:
        """Subscribe an endpoint; returns the subscription and whether it is new. Until confirmed, it is asked to
        confirm.
        """
        known = next((each for each in self.subscriptions(topic) if each.endpoint == endpoint), None)
        subscription = known or Subscription(
            f"{topic}:{secrets.token_hex(16)}", topic, protocol, endpoint, remark, base.rstrip("/")
        )
        self._subscriptions[subscription.subscription_urn] = subscription
        if subscription.status == 0:
            self._spawn(subscription, self._confirmation(subscription))
        return subscription, known is None

    def subscriptions(self, topic: str) -> list[Subscription]:
        return [each for each in self._subscriptions.values() if each.topic_urn == topic]

    def confirm(self, topic: str, token: str) -> Subscription | None:
        """Confirm the subscription to which a token was sent."""
        for each in self.subscriptions(topic):
            if secrets.compare_digest(each.token, token):
                each.status = 1
                return each
        return None

    def unsubscribe(self, urn: str) -> bool:
        """Remove a subscription; its endpoint is notified."""
        subscription = self._subscriptions.pop(urn, None)
        if subscription is None:
            return False
        message = {"type": "UnsubscribeConfirmation", "message": "The subscription is cancelled."}
        message["subscribe_url"] = self._confirm_url(subscription)
        self._spawn(subscription, message)
        return True

    def publish(self, topic: str, subject: str, message: str, at: int | None = None) -> str:
        """Send a message to the confirmed subscriptions of a topic, at a time of the emulator's clock; returns
        its id.
        """
        message_id = secrets.token_hex(16)
        self._count += 1
        due = self._clock.now() if at is None else at
        heappush(self._due, (due, self._count, topic, message_id, subject, message))
        self._published.set()
        return message_id

    def attempts(self) -> list[dict[str, object]]:
        """The requests so far, oldest first."""
        return [asdict(each) for each in self._attempts]

    def reset(self) -> None:
        for task in self._sending:
            task.cancel()
        for kept in (self._topics, self._subscriptions, self._attempts, self._due, self._blocked):
            kept.clear()
        self._subscribe_endpoints()

    async def run(self) -> None:
        """Send what is due until cancelled."""
        while True:
            if not self._due:
                self._published.clear()
                await self._published.wait()
            while self._due and self._due[0][0] <= self._clock.now():
                _, _, topic, message_id, subject, message = heappop(self._due)
                body = {"type": "Notification", "message_id": message_id, "subject": subject, "message": message}
                for subscription in self.subscriptions(topic):
                    if subscription.status == 1:
                        for _ in range(1 + self._settings.smn_duplicates):
                            self._spawn(subscription, dict(body))
            await asyncio.sleep(LOOK_S if self._due else 0)

    def _subscribe_endpoints(self) -> None:
        """Subscribe the endpoints in the settings; their messages link to no certificate, since our own address is not
        known.
        """
        for number, endpoint in enumerate(self._settings.smn_endpoints):
            urn = f"{DEFAULT_TOPIC}:{number}"
            protocol = endpoint.partition(":")[0]
            self._topics.setdefault(DEFAULT_TOPIC, "")
            self._subscriptions[urn] = Subscription(
                urn, DEFAULT_TOPIC, protocol, endpoint, "", "https://smn.emulator", status=1
            )

    def _spawn(self, subscription: Subscription, body: dict[str, str]) -> None:
        task = asyncio.get_running_loop().create_task(self._send(subscription, body))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, subscription: Subscription, body: dict[str, str]) -> None:
        body |= {"topic_urn": subscription.topic_urn, "signature_version": "v1"}
        body.setdefault("message_id", secrets.token_hex(16))
        body["timestamp"] = datetime.fromtimestamp(self._clock.now() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body["signing_cert_url"] = f"{subscription.base}/smn/{self.signer.name}"
        if body["type"] == "Notification":
            urn = urlencode({"subscription_urn": subscription.subscription_urn})
            body["unsubscribe_url"] = f"{subscription.base}/smn/subscription/unsubscribe?{urn}"
        body["signature"] = self.signer.sign(body)
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-SMN-MESSAGE-TYPE": body["type"],
            "X-SMN-MESSAGE-ID": body["message_id"],
            "X-SMN-TOPIC-URN": subscription.topic_urn,
            "X-SMN-SUBSCRIPTION-URN": subscription.subscription_urn,
        }
        about = (body["type"], body["message_id"], subscription.endpoint, body["signing_cert_url"])
        if self._clock.now() < self._blocked.get(subscription.endpoint, 0):
            self._attempts.append(Attempt(self._clock.now(), *about, None, blocked=True))
            return
        for _ in range(1 + RETRIES):
            status = await asyncio.to_thread(_post, subscription.endpoint, dump(body), headers)
            self._attempts.append(Attempt(self._clock.now(), *about, status))
            if status is None or status < 500:
                return
            await asyncio.sleep(self._settings.smn_retry_after / 1000)
        self._blocked[subscription.endpoint] = self._clock.now() + self._settings.smn_block

    def _confirmation(self, subscription: Subscription) -> dict[str, str]:
        text = f"You are invited to subscribe to topic: {subscription.topic_urn}. Visit subscribe_url to confirm."
        return {
            "type": "SubscriptionConfirmation",
            "message": text,
            "subscribe_url": self._confirm_url(subscription),
        }

    def _confirm_url(self, subscription: Subscription) -> str:
        query = {
            "region_id": self._settings.smn_region,
            "token": subscription.token,
            "topic_urn": subscription.topic_urn,
        }
        return f"{subscription.base}/smn/subscription/confirm?{urlencode(query)}"


def _post(endpoint: str, body: bytes, headers: dict[str, str]) -> int | None:
    import requests

    try:
        answer = requests.post(endpoint, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        _log.info("an SMN endpoint gave no answer: %s", error)
        return None
    return answer.status_code
