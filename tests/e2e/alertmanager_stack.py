"""A stack of alerts and silences in a directory, for whole commands against Alertmanager."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from tests.cli.run_cli import Done, reconciler
from tests.emulator.alertmanager.target import Target

NUMBERS = count(1)


class Stack:
    """A stack of alerts in a directory; every declaration replaces the one before."""

    def __init__(self, directory: Path, servers: Target, name: str | None = None) -> None:
        self.name = name or f"shop-{next(NUMBERS)}"
        self.directory = directory / self.name
        self.directory.mkdir(parents=True)
        self.servers = servers
        self.severities: list[str] = []
        self.silences: dict[str, dict[str, Any]] = {}
        self.settings: dict[str, Any] = {}
        """Further settings of the provider."""

    def declare(self, **alerts: dict[str, Any]) -> Stack:
        # JSON is YAML.
        block = {"endpoints": list(self.servers.urls), "visible_within": "1s", **self.settings}
        resources = {"alertmanager_alert": alerts, "alertmanager_silence": self.silences}
        written = {
            "stack": self.name,
            "providers": {"alertmanager": block},
            "resources": {kind: declared for kind, declared in resources.items() if declared},
            **({"guards": {"severities": self.severities}} if self.severities else {}),
        }
        (self.directory / "stack.yaml").write_text(json.dumps(written))
        return self

    def silence(self, **silences: dict[str, Any]) -> Stack:
        """Declare these silences, and no alerts."""
        self.silences = silences
        return self.declare()

    def apply(self, ends: str) -> None:
        done = self.run("apply", "--auto-approve")
        assert done.code == 0, done.out + done.err
        assert done.out.endswith(f"Apply complete: {ends}.\n"), done.out

    def run(self, command: str, *options: str) -> Done:
        return reconciler(command, self.directory, *options)

    def plan(self) -> str:
        done = self.run("plan")
        assert done.code == 0, done.err
        return done.out

    def firing(self, peer: int = 0) -> list[dict[str, Any]]:
        return self.servers.query(f'reconciler_stack="{self.name}"', peer=peer)

    def shown(self, peer: int = 0) -> list[dict[str, Any]]:
        """The silences that stand, or will, and carry the marks of this stack."""
        found = self.servers.send("GET", "/api/v2/silences", peer=peer).json()
        mine = [each for each in found if f'"reconciler_stack":"{self.name}"' in each["comment"]]
        return [each for each in mine if each["status"]["state"] != "expired"]


def down(severity: str = "critical", summary: str = "it is down", timeout: str = "1h", **more: Any) -> dict[str, Any]:
    labels = {"severity": severity, "instance": "web-1"}
    return {"labels": labels, "annotations": {"summary": summary}, "timeout": timeout, **more}


def quiet(**more: Any) -> dict[str, Any]:
    matchers = ['instance="web-1"', 'severity=~"info|warning"', 'team!="shop"']
    end = {} if "ends_at" in more else {"duration": "2h"}
    return {"matchers": matchers, "comment": "the disk is replaced", "created_by": "ops", **end, **more}
