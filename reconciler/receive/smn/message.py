"""SMN messages as they come to an HTTP(S) endpoint.

User guide of SMN, "HTTP or HTTPS message format" and "Message signature verification".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.receive.payload import parse_json


class SmnType(StrEnum):
    CONFIRM = "SubscriptionConfirmation"
    NOTIFY = "Notification"
    UNSUBSCRIBE = "UnsubscribeConfirmation"


class SmnError(ValueError):
    """A message that is not taken, and why; the sender gets this text."""


@dataclass(frozen=True, slots=True)
class SmnMessage:
    """One message; what the body leaves out is an empty text."""

    type: SmnType
    topic_urn: str
    message_id: str
    message: str
    subject: str
    timestamp: str
    subscribe_url: str
    signature: str
    signature_version: str
    signing_cert_url: str


def read_message(body: bytes, max_depth: int) -> SmnMessage:
    """Read a body; SmnError if it is no message of SMN."""
    try:
        value = parse_json(body, max_depth)
    except ValueError:
        raise SmnError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise SmnError("the body is not a JSON object")
    try:
        kind = SmnType(str(value.get("type")))
    except ValueError:
        raise SmnError("the body has no type that SMN knows") from None
    names = [name for name in SmnMessage.__slots__ if name != "type"]
    texts = {name: "" if value.get(name) is None else value[name] for name in names}
    if not all(isinstance(text, str) for text in texts.values()):
        raise SmnError("the body has a field that is not text")
    if not (texts["topic_urn"] and texts["message_id"]):
        raise SmnError("the body has no topic_urn or no message_id")
    return SmnMessage(kind, **texts)


def signed_text(message: SmnMessage) -> bytes:
    """The text that a signature covers: each key and its value on lines of their own, by the order of the keys.

    An empty subject is left out.
    """
    if message.type is SmnType.NOTIFY:
        names = ["message", "message_id", *(["subject"] if message.subject else []), "timestamp", "topic_urn", "type"]
    else:
        names = ["message", "message_id", "subscribe_url", "timestamp", "topic_urn", "type"]
    return "".join(f"{name}\n{getattr(message, name)}\n" for name in names).encode("utf-8", "surrogatepass")
