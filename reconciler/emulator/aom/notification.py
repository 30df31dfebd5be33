"""Notification rules: which alarms somebody was told about, and what the message service answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_TOPIC = "urn:smn:emulator:alarms"


@dataclass(frozen=True, slots=True)
class NotificationRule:
    """Alarms whose metadata holds one of the values at every key of ``match`` are notified when they are opened."""

    name: str
    topic: str = DEFAULT_TOPIC
    code: str = "200"
    """The HTTP status of the message service, as text: that is how the API carries it."""
    after: int = 0
    """Milliseconds from the alarm's arrival to the message."""
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cleared: bool = False
    """Whether the end of an alarm that somebody cleared is told too."""

    def applies_to(self, metadata: Mapping[str, str]) -> bool:
        return all(metadata.get(key) in values for key, values in self.match.items())


def parse_rule(value: object) -> NotificationRule:
    """A rule from its JSON form ``{name, topic?, code?, after?, cleared?, match?: {key: value or [value]}}``.

    ValueError if it is none.
    """
    if not isinstance(value, dict):
        raise ValueError("a notification rule is an object like {name: pager, match: {event_severity: Major}}")
    unknown = value.keys() - {"name", "topic", "code", "after", "match", "cleared"}
    if unknown:
        raise ValueError(f"a notification rule has no {', '.join(sorted(map(str, unknown)))}")
    name, topic = value.get("name"), value.get("topic", DEFAULT_TOPIC)
    code, after, match = value.get("code", "200"), value.get("after", 0), value.get("match", {})
    if not isinstance(name, str) or not name:
        raise ValueError("a notification rule needs a name")
    if not isinstance(topic, str):
        raise ValueError("the topic of a notification rule is text")
    if isinstance(code, bool) or not isinstance(code, int | str) or not str(code).isdecimal():
        raise ValueError("the code of a notification rule is an HTTP status like 200")
    if isinstance(after, bool) or not isinstance(after, int) or after < 0:
        raise ValueError("'after' of a notification rule is milliseconds, 0 or more")
    cleared = value.get("cleared", False)
    if not isinstance(cleared, bool):
        raise ValueError("'cleared' of a notification rule is true or false")
    if not isinstance(match, dict):
        raise ValueError("'match' of a notification rule is an object: metadata key to value, or to a list of values")
    wanted = {}
    for key, values in match.items():
        several = values if isinstance(values, list) else [values]
        if not isinstance(key, str) or not all(isinstance(each, str) for each in several):
            raise ValueError(f"'match.{key}' of a notification rule is text or a list of texts")
        wanted[key] = tuple(several)
    return NotificationRule(name=name, topic=topic, code=str(code), after=after, match=wanted, cleared=cleared)
