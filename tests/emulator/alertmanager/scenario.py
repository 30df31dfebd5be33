"""Scenarios: steps on a target, and what they are expected to observe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.emulator.alertmanager.target import Target, text_of

Steps = Callable[[Target], Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """``steps`` give what they observed; times in it are seconds from the beginning, to the nearest ten.

    A scenario uses labels of its own, so that many share a server, and can run on it at the same time.
    """

    steps: Steps
    expected: Any
    peers: int = 1

    @property
    def name(self) -> str:
        return self.steps.__name__


class Table:
    """A decorator that lists the scenarios it stands at."""

    def __init__(self) -> None:
        self.scenarios: list[Scenario] = []

    def __call__(self, expected: Any, *, peers: int = 1) -> Callable[[Steps], Steps]:
        def add(steps: Steps) -> Steps:
            self.scenarios.append(Scenario(steps, expected, peers))
            return steps

        return add


class Story:
    """The alerts of one name, at times counted from the beginning."""

    def __init__(self, target: Target, name: str) -> None:
        self.target = target
        self.name = name
        self.began = target.now()

    def alert(
        self,
        identifier: str = "1",
        *,
        start: float | None = None,
        end: float | None = 600,
        note: str = "",
        **labels: str,
    ) -> dict[str, Any]:
        """An alert whose ``start`` and ``end`` are seconds from the beginning, left out where None."""
        alert: dict[str, Any] = {"labels": {"alertname": self.name, "id": identifier, **labels}}
        for key, seconds in (("startsAt", start), ("endsAt", end)):
            if seconds is not None:
                alert[key] = self.time(seconds)
        if note:
            alert["annotations"] = {"note": note}
        return alert

    def push(self, *alerts: dict[str, Any]) -> None:
        self.target.push(*alerts)

    def clear(self, *identifiers: str, note: str = "", **labels: str) -> None:
        now = self.target.time()
        self.push(*({**self.alert(each, note=note, **labels), "endsAt": now} for each in identifiers))

    def time(self, seconds: float) -> str:
        return text_of(self.began + seconds)

    def shown(self) -> list[tuple[Any, ...]]:
        """What is active: id, start, end and note."""
        return sorted(
            (
                alert["labels"]["id"],
                self.since(alert["startsAt"]),
                self.since(alert["endsAt"]),
                alert["annotations"].get("note"),
            )
            for alert in self.target.query(f'alertname="{self.name}"')
        )

    def since(self, text: str) -> int:
        return round((datetime.fromisoformat(text).timestamp() - self.began) / 10) * 10

    def ids(self, *filters: str, **options: str) -> list[str]:
        found = self.target.query(f'alertname="{self.name}"', *filters, **options)
        return sorted(alert["labels"]["id"] for alert in found)
