"""Raises an alarm in AOM as another program would: without the marks of any stack."""

import sys
import time

import requests

ALARM = {
    "starts_at": int(time.time() * 1000) - 60_000,
    "timeout": 3_600_000,
    "metadata": {
        "event_name": "disk_full",
        "event_severity": "Critical",
        "event_type": "alarm",
        "resource_provider": "ecs",
        "resource_type": "vm",
        "resource_id": "ecs-1",
    },
    "annotations": {"message": "the disk of ecs-1 is full"},
}

answer = requests.put(
    f"{sys.argv[1]}/v2/demo/push/events", json={"events": [ALARM]}, headers={"X-Auth-Token": "any"}, timeout=10
)
answer.raise_for_status()
print("disk_full fires.")
