"""Suppression: which silences and which firing alerts suppress an alert at an instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from reconciler.emulator.alertmanager.alert import Alert
from reconciler.emulator.alertmanager.config import InhibitRule
from reconciler.emulator.alertmanager.matcher import match_all
from reconciler.emulator.alertmanager.silence import Silence


class Suppression:
    """The silences and inhibiting alerts in force at ``now``."""

    def __init__(
        self, silences: Iterable[Silence], rules: Iterable[InhibitRule], alerts: Iterable[Alert], now: int
    ) -> None:
        self._silences = [silence for silence in silences if silence.state(now) == "active"]
        self._rules = [(rule, _sources(rule, alerts, now)) for rule in rules]

    def silenced_by(self, labels: Mapping[str, str]) -> list[str]:
        """The ids of the silences, sorted."""
        return sorted(silence.id for silence in self._silences if match_all(silence.matchers, labels))

    def inhibited_by(self, labels: Mapping[str, str]) -> list[str]:
        """The fingerprint of the first alert that inhibits this one; None if there is none."""
        for rule, sources in self._rules:
            for source in sources.get(_equal(rule, labels), ()):
                if rule.inhibits(source.labels, labels):
                    return [source.fingerprint]
        return []

    def mutes(self, labels: Mapping[str, str]) -> bool:
        return bool(self.silenced_by(labels) or self.inhibited_by(labels))


def _sources(rule: InhibitRule, alerts: Iterable[Alert], now: int) -> Mapping[tuple[str, ...], list[Alert]]:
    """The firing alerts that inhibit by a rule, keyed by the values of its ``equal`` labels."""
    found: defaultdict[tuple[str, ...], list[Alert]] = defaultdict(list)
    for alert in alerts:
        if not alert.is_resolved(now) and match_all(rule.sources, alert.labels):
            found[_equal(rule, alert.labels)].append(alert)
    return found


def _equal(rule: InhibitRule, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)
