"""The vendor's SDK in a loop: the way without us to push many alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.benchmarks.alternatives import MissingError


def pusher(url: str, payloads: Sequence[str], batch: int) -> Callable[[], None]:
    """A call that pushes these items with the SDK, one request for each batch, one after the other.

    The items are plain values beforehand; their models are made in the loop, since that is how the SDK is used. Raises
    MissingError where it is not installed.
    """
    try:
        from huaweicloudsdkaom.v2 import AomClient, EventList, EventModel, PushEventsRequest
        from huaweicloudsdkcore.auth.credentials import BasicCredentials
    except ImportError as error:
        raise MissingError(f"the vendor's SDK is not installed: {error.name}") from None
    credentials = BasicCredentials("an access key", "its secret", "demo")
    client: Any = AomClient.new_builder().with_credentials(credentials).with_endpoint(url).build()
    items: list[dict[str, Any]] = [json.loads(payload) for payload in payloads]

    def push() -> None:
        for start in range(0, len(items), batch):
            models = [EventModel(**item) for item in items[start : start + batch]]
            answer = client.push_events(PushEventsRequest(body=EventList(events=models)))
            assert answer.status_code == 204

    return push
