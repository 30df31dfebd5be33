"""Alerts that are kept in the database: an emulator that ends with every command acts as one server that runs on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings, wall_clock
from tests.emulator.handle import Emulator

HOUR = 3_600_000
START = "2026-05-01T12:00:00Z"


def settings(path: Path, *, kept: bool = True) -> Settings:
    return Settings(db=path / "services.db", alertmanager_keeps_alerts=kept)


def push(url: str, end: str = "2099-01-01T00:00:00Z", **labels: str) -> None:
    body = [{"labels": labels, "annotations": {"a": "b"}, "startsAt": START, "endsAt": end}]
    assert requests.post(f"{url}/alertmanager/api/v2/alerts", json=body, timeout=30).status_code == 200


def shown(url: str) -> list[dict[str, Any]]:
    return list(requests.get(f"{url}/alertmanager/api/v2/alerts", timeout=30).json())


def names(url: str) -> list[str]:
    return sorted(alert["labels"]["alertname"] for alert in shown(url))


def uptime(url: str) -> str:
    return str(requests.get(f"{url}/alertmanager/api/v2/status", timeout=30).json()["uptime"])


def test_an_alert_is_there_again_in_the_next_process_as_it_was(tmp_path: Path) -> None:
    with running(settings(tmp_path)) as url:
        push(url, alertname="one")
        before, started = shown(url), uptime(url)
    with running(settings(tmp_path)) as url:
        assert shown(url) == before
        assert uptime(url) == started


def test_a_clear_of_the_next_process_ends_it_for_good(tmp_path: Path) -> None:
    for end in ("2099-01-01T00:00:00Z", "2026-05-02T00:00:00Z"):
        with running(settings(tmp_path)) as url:
            push(url, end, alertname="one")
    with running(settings(tmp_path)) as url:
        assert shown(url) == []


def test_two_processes_at_once_show_the_same_alerts(tmp_path: Path) -> None:
    with ExitStack() as stack:
        one, two = (stack.enter_context(running(settings(tmp_path))) for _ in range(2))
        push(one, alertname="one")
        push(two, alertname="two")
        assert names(one) == names(two) == ["one", "two"]
        push(two, "2026-05-02T00:00:00Z", alertname="one")
        assert names(one) == ["two"]


@pytest.mark.parametrize("path", ["alertmanager/restart", "reset"])
def test_a_restart_that_is_asked_for_loses_them(tmp_path: Path, path: str) -> None:
    with running(settings(tmp_path)) as url:
        push(url, alertname="one")
        assert requests.post(f"{url}/admin/{path}", timeout=30).status_code == 204
        assert shown(url) == []
    with running(settings(tmp_path)) as url:
        assert shown(url) == []


def test_without_the_setting_the_end_of_the_process_loses_them(tmp_path: Path) -> None:
    with running(settings(tmp_path, kept=False)) as url:
        push(url, alertname="one")
    with running(settings(tmp_path, kept=False)) as url:
        assert shown(url) == []


def test_what_is_long_resolved_is_forgotten_in_the_database_too(tmp_path: Path) -> None:
    with running(settings(tmp_path)) as url:
        push(url, "2026-05-02T00:00:00Z", alertname="over")
        push(url, alertname="on")
        Emulator(url).set_clock(now=wall_clock() + HOUR)
        assert names(url) == ["on"]
    with running(settings(tmp_path)) as url:
        peers = requests.get(f"{url}/admin/alertmanager", timeout=30).json()["peers"]
        assert [alert["labels"]["alertname"] for alert in peers[0]["alerts"]] == ["on"]
