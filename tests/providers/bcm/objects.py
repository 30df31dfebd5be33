"""What the tests of the BCM provider are made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from reconciler.core.data_source import Item
from reconciler.emulator.settings import wall_clock
from reconciler.providers.bcm import PROVIDER
from reconciler.providers.bcm.provider import BcmProvider
from reconciler.providers.bcm.query import BcmAlarmsQuery
from reconciler.providers.bcm.settings import BcmSettings
from reconciler.providers.protocol import ProviderContext

ALARM: dict[str, Any] = {
    "startTime": "-10m",
    "endTime": 0,
    "initState": "ALERT",
    "state": "ALERT",
    "policy": {"name": "p-1", "aliasName": "cpu busy", "level": "ALARM_LEVEL_MAJOR", "contentEn": "cpu > 90%"},
    "resource": {
        "scope": "BCE_BCC",
        "resourceType": "Instance",
        "region": "bj",
        "identifiers": {"InstanceId": "i-1"},
    },
    "actions": [{"type": "ACTION_TYPE_ALERT", "executedTime": "-9m", "notifications": ["SMS"], "members": ["ann"]}],
    "alertMetrics": [
        {"metric": {"name": "CpuUsage", "value": 95}, "rule": {"operator": "OPERATOR_TYPE_GT", "threshold": 90}}
    ],
}


def opened(url: str, ak: str = "AK", sk: str = "the secret key", **settings: Any) -> BcmProvider:
    made = BcmSettings.model_validate({"endpoint": url, "user_id": "u1", "auth": {"ak": ak, "sk": sk}, **settings})
    provider = PROVIDER.open("bcm", made, ProviderContext("tests", wall_clock))
    assert isinstance(provider, BcmProvider)
    return provider


def find(provider: BcmProvider, details: Collection[str] = (), **filters: Any) -> Sequence[Item]:
    query = BcmAlarmsQuery.model_validate({"alarm_type": "ALARM_TYPE_CLOUD", **filters})
    return provider.query("bcm_alarms", query, details)
