"""CES objects for tests: fields as a user writes them, desired values, operations."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.core.address import Address
from reconciler.core.desired import DEFAULT_LIFECYCLE, Declaration, Desired, Lifecycle
from reconciler.core.observed import Marks
from reconciler.core.operation import Operation, Verb
from reconciler.emulator.settings import wall_clock
from reconciler.providers.ces import PROVIDER
from reconciler.providers.protocol import Provider, ProviderContext

EVENT = PROVIDER.resource_types["ces_event"]
STACK = "checkout"
NOW = 1_790_000_000_000

FIELDS = {"event_source": "checkout.deploy"}


def desired(
    name: str = "released",
    key: str | None = None,
    occurrence: str | None = None,
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE,
    **fields: object,
) -> Desired:
    return EVENT.desired(
        Declaration(
            Address(EVENT.name, name, key),
            EVENT.model.model_validate({**FIELDS, **fields}),
            "ces",
            occurrence=occurrence,
            lifecycle=lifecycle,
        )
    )


def record(of: Desired, stack: str = STACK, key: str = "key-1", begins_at: int = NOW) -> Operation:
    marks = Marks(stack, of.address, of.digest, key, "run-1", of.occurrence)
    payload, send_by = EVENT.push(of, marks, begins_at)
    return Operation(
        key, of.address, "ces", Verb.PUSH, payload, of.digest, of.occurrence, send_by=send_by, begins_at=begins_at
    )


def opened(endpoint: str, now: Callable[[], int] = wall_clock, **settings: object) -> Provider:
    block = {"endpoint": endpoint, "project_id": "demo", "auth": {"token": "very-secret-token"}, **settings}
    return PROVIDER.open("ces", PROVIDER.settings.model_validate(block), ProviderContext("reconciler/test", now))
