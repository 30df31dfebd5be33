"""The configuration: the parts of an ``alertmanager.yml`` that the emulator supports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.emulator.alertmanager.instant import MS
from reconciler.emulator.alertmanager.matcher import Matcher, Version, match_all, parse_matcher

MINUTE = 60_000 * MS
_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS = (604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1)
ALL_LABELS = "..."


@dataclass(frozen=True, slots=True)
class Webhook:
    """One ``webhook_configs`` entry of a receiver."""

    url: str
    send_resolved: bool = True
    max_alerts: int = 0
    """0 sends all alerts of a group."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver with its webhooks; other integrations are not emulated."""

    name: str
    webhooks: tuple[Webhook, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the routing tree; durations are nanoseconds."""

    receiver: str
    key: str
    """The matchers from the root to this route: the first half of a group's key."""
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    group_wait: int = MINUTE // 2
    group_interval: int = 5 * MINUTE
    repeat_interval: int = 240 * MINUTE
    goes_on: bool = False
    routes: tuple[Route, ...] = ()

    def find(self, labels: Mapping[str, str]) -> list[Route]:
        """The routes of an alert: the deepest match of each matching branch, and only the first one unless it has
        ``continue``.
        """
        if not match_all(self.matchers, labels):
            return []
        found: list[Route] = []
        for route in self.routes:
            below = route.find(labels)
            found += below
            if below and not route.goes_on:
                break
        return found or [self]

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        if ALL_LABELS in self.group_by:
            return dict(labels)
        return {name: labels[name] for name in self.group_by if name in labels}

    def walk(self) -> Iterator[Route]:
        yield self
        for route in self.routes:
            yield from route.walk()


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """While an alert that matches ``sources`` fires, alerts that match ``targets`` are inhibited."""

    sources: tuple[Matcher, ...]
    targets: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def inhibits(self, source: Mapping[str, str], target: Mapping[str, str]) -> bool:
        """Whether one alert inhibits the other. An alert that matches both sides is not inhibited by another such
        alert.
        """
        if not match_all(self.sources, source) or not match_all(self.targets, target):
            return False
        if match_all(self.targets, source) and match_all(self.sources, target):
            return False
        return all(source.get(name, "") == target.get(name, "") for name in self.equal)


@dataclass(frozen=True, slots=True)
class Config:
    """A parsed ``alertmanager.yml``: the routing tree, inhibition rules, receivers and the resolve timeout."""

    route: Route
    receivers: Mapping[str, Receiver]
    inhibit_rules: tuple[InhibitRule, ...] = ()
    resolve_timeout: int = 5 * MINUTE
    original: Mapping[str, object] = field(default_factory=dict)


DEFAULT: Mapping[str, object] = {
    "route": {"receiver": "default", "group_by": ["alertname"]},
    "receivers": [{"name": "default"}],
}
"""The default configuration: one receiver without integrations."""


def parse_config(value: object, version: Version) -> Config:
    """Parse the value of an ``alertmanager.yml``.

    Raises ValueError, with a message for the user, for a part that is invalid or not supported.
    """
    whole = _mapping(value, "the configuration", {"global", "route", "receivers", "inhibit_rules"})
    settings = _mapping(whole.get("global"), "global", {"resolve_timeout"})
    receivers = {each.name: each for each in map(_receiver, _list(whole.get("receivers"), "receivers"))}
    if not isinstance(whole.get("route"), dict):
        raise ValueError("the configuration has no route")
    route = _Tree(version, receivers).route(whole["route"], None)
    rules = tuple(_inhibit_rule(each, version) for each in _list(whole.get("inhibit_rules"), "inhibit_rules"))
    timeout = _duration(settings.get("resolve_timeout", "5m"), "global.resolve_timeout")
    return Config(route, receivers, rules, timeout, whole)


@dataclass(frozen=True, slots=True)
class _Tree:
    version: Version
    receivers: Mapping[str, Receiver]

    def route(self, value: object, parent: Route | None) -> Route:
        item = _mapping(
            value,
            "a route",
            {"receiver", "group_by", "group_wait", "group_interval", "repeat_interval", "continue", "routes"}
            | {"matchers", "match", "match_re"},
        )
        matchers = _matchers(item, "", self.version)
        if parent is None and (matchers or item.get("continue")):
            raise ValueError("the root route has neither matchers nor continue")
        receiver = str(item.get("receiver") or (parent.receiver if parent else ""))
        if receiver not in self.receivers:
            raise ValueError(f"a route names the receiver {receiver!r}, which is not in receivers")
        key = ("" if parent is None else parent.key + "/") + "{" + ",".join(map(str, matchers)) + "}"

        def duration(name: str, inherited: Callable[[Route], int]) -> int:
            if item.get(name) is None:
                return inherited(parent or Route("", ""))
            return _duration(item[name], name)

        group_by = item.get("group_by")
        inherited_by = parent.group_by if parent else ()
        itself = Route(
            receiver=receiver,
            key=key,
            matchers=matchers,
            group_by=inherited_by if group_by is None else tuple(map(str, _list(group_by, "group_by"))),
            group_wait=duration("group_wait", lambda route: route.group_wait),
            group_interval=duration("group_interval", lambda route: route.group_interval),
            repeat_interval=duration("repeat_interval", lambda route: route.repeat_interval),
            goes_on=item.get("continue") is True,
        )
        if itself.group_interval <= 0 or itself.repeat_interval <= 0:
            raise ValueError("group_interval and repeat_interval are above 0")
        below = tuple(self.route(each, itself) for each in _list(item.get("routes"), "routes"))
        return replace(itself, routes=below)


def _receiver(value: object) -> Receiver:
    item = _mapping(value, "a receiver", {"name", "webhook_configs"})
    webhooks = []
    for each in _list(item.get("webhook_configs"), "webhook_configs"):
        webhook = _mapping(each, "a webhook", {"url", "send_resolved", "max_alerts"})
        url, most = webhook.get("url"), webhook.get("max_alerts", 0)
        if not isinstance(url, str) or not re.match(r"https?://[^/]", url):
            raise ValueError("the url of a webhook is one of http or https")
        if isinstance(most, bool) or not isinstance(most, int) or most < 0:
            raise ValueError("max_alerts of a webhook is a whole number, 0 or more")
        webhooks.append(Webhook(url, webhook.get("send_resolved") is not False, most))
    if not isinstance(item.get("name"), str) or not item["name"]:
        raise ValueError("a receiver needs a name")
    return Receiver(str(item["name"]), tuple(webhooks))


def _inhibit_rule(value: object, version: Version) -> InhibitRule:
    sides = {f"{side}{kind}" for side in ("source", "target") for kind in ("_matchers", "_match", "_match_re")}
    item = _mapping(value, "an inhibition rule", sides | {"equal"})
    equal = tuple(map(str, _list(item.get("equal"), "equal")))
    return InhibitRule(_matchers(item, "source_", version), _matchers(item, "target_", version), equal)


def _matchers(item: Mapping[str, object], prefix: str, version: Version) -> tuple[Matcher, ...]:
    """The matchers of a route or of one side of a rule, in Alertmanager's order."""
    texts = _list(item.get(f"{prefix}matchers"), f"{prefix}matchers")
    found = [parse_matcher(str(each), version) for each in texts]
    for kind, is_regex in (("match", False), ("match_re", True)):
        pairs = item.get(prefix + kind) or {}
        if not isinstance(pairs, dict):
            raise ValueError(f"{prefix}{kind} is an object: label to value")
        found += [Matcher(str(name), str(each), is_regex) for name, each in pairs.items()]
    return tuple(sorted(found, key=lambda each: (each.name, each.value, each.is_regex, not each.is_equal)))


def _duration(value: object, name: str) -> int:
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(f"{name} is a duration like 30s or 1h30m, not {value!r}")
    return sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS, strict=True)) * MS


def _list(value: object, name: str) -> Sequence[object]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} is a list")
    return value


def _mapping(value: object, name: str, keys: set[str]) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is an object")
    unknown = {str(key) for key in value} - keys
    if unknown:
        raise ValueError(f"the emulator does not support {', '.join(sorted(unknown))} in {name}")
    return value
