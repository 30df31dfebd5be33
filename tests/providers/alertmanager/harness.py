"""A harness for Alertmanager: the real applier, ledger and provider against the emulator, on a clock of the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from reconciler.core.resource_type import ResourceType
from reconciler.providers.alertmanager import PROVIDER
from reconciler.providers.protocol import Provider
from tests.apply.harness import Harness
from tests.providers.alertmanager.objects import opened


@dataclass
class AlertmanagerHarness(Harness):
    """One stack of alerts and silences at the peers of an emulator."""

    key: str = "alertmanager"
    types: Mapping[str, ResourceType] = field(default_factory=lambda: PROVIDER.resource_types)
    peers: int = 1

    @property
    def urls(self) -> list[str]:
        prefixes = ["alertmanager", *(f"alertmanager-{number}" for number in range(2, self.peers + 1))]
        return [f"{self.emulator.url}/{prefix}" for prefix in prefixes]

    def provider(self) -> Provider:
        settings = {"parallelism": 1, "visible_within": "2s", "request_timeout": "5s", **self.settings}
        return self.wrap_provider(opened(self.urls, self.clock.now, **settings))

    def alerts(self, peer: int = 0) -> list[dict[str, Any]]:
        """The alerts of every stack that fire at an instance."""
        found: list[dict[str, Any]] = requests.get(f"{self.urls[peer]}/api/v2/alerts", timeout=10).json()
        return found

    def silences(self, peer: int = 0) -> list[dict[str, Any]]:
        """The silences of every stack that stand, or will."""
        found = requests.get(f"{self.urls[peer]}/api/v2/silences", timeout=10).json()
        return [silence for silence in found if silence["status"]["state"] != "expired"]
