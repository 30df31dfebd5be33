"""Queries of deliveries: the parameters of the receiver's API, and the fields of result items."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from reconciler.core.data_source import Item, ItemField
from reconciler.providers.window import Window

Text = Annotated[str, Field(min_length=1, max_length=2048)]


class DeliveriesQuery(Window):
    """Notifications that arrived at a receiver, one item for each alarm in each of them."""

    model_config = ConfigDict(title="deliveries")

    key: Text | None = Field(None, description="The idempotency key of the push (`reconciler_key`).")
    fingerprint: Text | None = Field(None, description="Alertmanager's fingerprint of the alert.")
    stack: Text | None = Field(None, description="The stack that raised the alarm.")
    address: Text | None = Field(None, description="The address of the alarm in its stack.")
    receiver: Text | None = Field(
        None, description="The receiver by its sender's name: Alertmanager's receiver, an SMN topic, a hook's name."
    )
    source: Literal["alertmanager", "smn", "hook"] | None = Field(None, description="The path that received it.")
    complete: bool = Field(
        True,
        description="Fail if deliveries may be missing: the receiver was not running for the whole time range, or a "
        "sender truncated its alerts. With false, incomplete results are accepted.",
    )

    def parameters(self) -> list[tuple[str, str]]:
        """The filters as the API takes them; the window is not among them."""
        names = ("key", "fingerprint", "stack", "address", "receiver", "source")
        return [(name, value) for name in names if (value := getattr(self, name)) is not None]


FIELDS = {
    "id": ItemField("The delivery's id and the position of the alert among those found in it."),
    "delivery": ItemField("The delivery's id."),
    "source": ItemField("The path it came in by: alertmanager, smn or hook."),
    "receiver": ItemField("The receiver by its sender's name."),
    "received_at": ItemField("When it arrived, epoch milliseconds of the receiver's clock."),
    "last_received_at": ItemField("When it last arrived, if its sender sent it again."),
    "count": ItemField("How often it arrived."),
    "status": ItemField("firing or resolved; null if the notification does not say."),
    "event_name": ItemField("The alert's name."),
    "fingerprint": ItemField("Alertmanager's fingerprint of the alert."),
    "stack": ItemField("The stack that raised the alarm."),
    "address": ItemField("The address of the alarm in its stack."),
    "key": ItemField("The idempotency key of the push."),
    "starts_at": ItemField("When the alert began, epoch milliseconds."),
    "ends_at": ItemField("When the alert ended, epoch milliseconds; null while it fires."),
    "sent_at": ItemField("The sender's time, epoch milliseconds; null if the notification has none."),
    "message_id": ItemField("The sender's id of the message (SMN)."),
    "truncated": ItemField("How many alerts the sender left out."),
    "alerts": ItemField("How many alerts the delivery has."),
}

_OF_DELIVERY = ("source", "receiver", "received_at", "last_received_at", "count", "sent_at", "message_id", "truncated")
_OF_ALERT = ("status", "fingerprint", "stack", "address", "key", "starts_at", "ends_at")


def items(delivery: Item) -> list[Item]:
    """The items of one delivery in a response. Raises ValueError if it is malformed."""
    alerts, number = delivery.get("alerts"), delivery.get("id")
    if not isinstance(alerts, list) or not isinstance(number, int):
        raise ValueError("a delivery has no id or no alerts")
    if not all(isinstance(alert, dict) for alert in alerts):
        raise ValueError("an alert of a delivery is no object")
    common = {name: delivery.get(name) for name in _OF_DELIVERY}
    return [
        {
            "id": f"{number}.{position}",
            "delivery": number,
            **common,
            "event_name": alert.get("name"),
            **{name: alert.get(name) for name in _OF_ALERT},
            "alerts": delivery.get("total"),
        }
        for position, alert in enumerate(alerts)
    ]
