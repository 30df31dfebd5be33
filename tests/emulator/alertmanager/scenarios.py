"""The table of scenarios on one server: what becomes of alerts and silences, and who is told."""

from __future__ import annotations

from tests.emulator.alertmanager import alerts, notifications, queries, silences

SCENARIOS = [
    *alerts.scenario.scenarios,
    *queries.scenario.scenarios,
    *silences.scenario.scenarios,
    *notifications.scenario.scenarios,
]
