"""AOM objects for tests: fields as a user writes them, desired values, operations, and events as a query shows them."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.core.address import Address
from reconciler.core.desired import DEFAULT_LIFECYCLE, Declaration, Desired, Lifecycle
from reconciler.core.observed import Marks
from reconciler.core.operation import Operation, Verb
from reconciler.emulator.settings import wall_clock
from reconciler.providers.aom import PROVIDER
from reconciler.providers.protocol import Provider, ProviderContext

ALARM = PROVIDER.resource_types["aom_alarm"]
EVENT = PROVIDER.resource_types["aom_event"]
STACK = "checkout"
NOW = 1_790_000_000_000

FIELDS = {"event_severity": "Major", "resource_provider": "ecs", "resource_type": "vm", "resource_id": "ecs-1"}


def desired(
    name: str = "latency",
    key: str | None = None,
    type_=ALARM,
    occurrence: str | None = None,
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE,
    **fields: object,
) -> Desired:
    return type_.desired(
        Declaration(
            Address(type_.name, name, key),
            type_.model.model_validate({**FIELDS, **fields}),
            "aom",
            occurrence=occurrence,
            lifecycle=lifecycle,
        )
    )


def marks(of: Desired, stack: str = STACK, key: str = "key-1") -> Marks:
    return Marks(stack, of.address, of.digest, key, "run-1", of.occurrence)


def push(of: Desired, stack: str = STACK, key: str = "key-1", starts_at: int = NOW) -> Operation:
    type_ = PROVIDER.resource_types[of.address.type]
    payload, send_by = type_.push(of, marks(of, stack, key), starts_at)
    return Operation(
        key, of.address, "aom", Verb.PUSH, payload, of.digest, of.occurrence, send_by=send_by, begins_at=starts_at
    )


def clear(found, ends_at: int, key: str = "clear-1") -> Operation:
    payload = ALARM.clear(found, ends_at)
    return Operation(key, found.marks.address, "aom", Verb.CLEAR, payload, target=found.id)


def opened(endpoint: str, now: Callable[[], int] = wall_clock, **settings: object) -> Provider:
    """A provider for a service at an address, with a token unless told otherwise."""
    block = {"endpoint": endpoint, "project_id": "demo", "auth": {"token": "very-secret-token"}, **settings}
    return PROVIDER.open("aom", PROVIDER.settings.model_validate(block), ProviderContext("reconciler/test", now))
