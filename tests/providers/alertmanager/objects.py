"""Alertmanager objects for tests: fields as a user writes them, desired values, operations, providers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.core.address import Address
from reconciler.core.desired import DEFAULT_LIFECYCLE, Declaration, Desired, Lifecycle
from reconciler.core.observed import Marks, Observed
from reconciler.core.operation import Operation, Verb
from reconciler.emulator.settings import wall_clock
from reconciler.providers.alertmanager import PROVIDER
from reconciler.providers.protocol import Provider, ProviderContext

ALERT = PROVIDER.resource_types["alertmanager_alert"]
STACK = "checkout"
NOW = 1_790_000_000_000


def desired(
    name: str = "Down", key: str | None = None, lifecycle: Lifecycle = DEFAULT_LIFECYCLE, **fields: object
) -> Desired:
    return ALERT.desired(
        Declaration(
            Address(ALERT.name, name, key), ALERT.model.model_validate(fields), "alertmanager", lifecycle=lifecycle
        )
    )


def marks(of: Desired, key: str = "key-1", stack: str = STACK) -> Marks:
    return Marks(stack, of.address, of.digest, key, "run-1")


def push(of: Desired, begins_at: int = NOW, key: str = "key-1", stack: str = STACK) -> Operation:
    payload, send_by = ALERT.push(of, marks(of, key, stack), begins_at)
    return Operation(key, of.address, "alertmanager", Verb.PUSH, payload, of.digest, send_by=send_by)


def clear(found: Observed, ends_at: int = NOW, key: str = "clear-1") -> Operation:
    payload = ALERT.clear(found, ends_at)
    return Operation(key, found.marks.address, "alertmanager", Verb.CLEAR, payload, target=found.id)


def opened(endpoints: Sequence[str], now: Callable[[], int] = wall_clock, **settings: object) -> Provider:
    block = {"endpoints": list(endpoints), **settings}
    return PROVIDER.open("alertmanager", PROVIDER.settings.model_validate(block), ProviderContext("test", now))
