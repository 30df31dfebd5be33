"""Rehearsals: the stack on a separate emulator, in accelerated time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from reconciler.checks.spec import RECEIVER_TYPE
from reconciler.config.stack import ProviderConfig
from reconciler.core.clock import Clock
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.core.duration import SECOND
from reconciler.providers.receiver.settings import LISTEN
from reconciler.session.provider_pool import ProviderPool
from reconciler.session.receiver import run_receiver
from reconciler.session.workspace import STATE_DIRECTORY, Workspace

VISIBLE_AFTER = SECOND
"""How long (ms) the emulator of a rehearsal hides pushes, so that there are latencies to see."""
NOTIFIED_AFTER = 4 * SECOND
"""How long (ms) after an alarm its notification is sent, in a rehearsal."""
RULE = "rehearsal"


class ScaledClock:
    """A clock that starts at the current time and runs ``speed`` times as fast as ``real``."""

    def __init__(self, real: Clock, speed: float) -> None:
        self.real = real
        self.speed = speed
        self._shown = real.now()
        self._base = real.monotonic()

    def now(self) -> int:
        return self._shown + self.monotonic()

    def monotonic(self) -> int:
        return int((self.real.monotonic() - self._base) * self.speed)

    def pause(self, milliseconds: int, stop: Event) -> bool:
        return self.real.pause(ceil(milliseconds / self.speed), stop)


@contextmanager
def rehearsed(workspace: Workspace, speed: float) -> Iterator[Workspace]:
    """The same stack with every provider on a temporary emulator; no real service is queried or changed.

    Its notifications go to a separate receiver.
    """
    try:
        from reconciler.emulator.aom.notifications import NotificationRule
        from reconciler.emulator.server import running
        from reconciler.emulator.settings import Settings
    except ImportError as error:
        raise DiagnosticError(
            Diagnostic(
                f"a rehearsal needs the emulator, and {error.name} is not installed",
                hint=install_command("emulator"),
            )
        ) from None
    clock = ScaledClock(workspace.clock, speed)
    rule = NotificationRule(RULE, after=NOTIFIED_AFTER)
    settings = Settings(clock=clock.now, visible_after=VISIBLE_AFTER, notifications=(rule,))
    with TemporaryDirectory(prefix="reconciler-rehearsal-") as directory, ExitStack() as resources:
        receiver = None
        if any(config.type == RECEIVER_TYPE for config in workspace.stack.providers.values()):
            receiver = resources.enter_context(run_receiver(clock=clock.now))
            rule = replace(rule, cleared=True)
            settings = replace(
                settings,
                notifications=(rule,),
                smn_endpoints=(receiver.hook_url,),
                alertmanager_config=receiver.alertmanager_config,
            )
        url = resources.enter_context(running(settings))
        root = Path(directory)
        providers = {key: _embedded(config) for key, config in workspace.stack.providers.items()}
        stack = workspace.stack._replace(root=root, providers=providers, ledger=None)
        connections = ProviderPool(workspace.registry, root / STATE_DIRECTORY, resources, clock, url, receiver)
        yield Workspace(stack, workspace.registry, clock, resources, connections)


def _embedded(config: ProviderConfig) -> ProviderConfig:
    settings = config.settings
    if config.type == RECEIVER_TYPE:
        return config._replace(settings=settings.model_copy(update={"endpoint": LISTEN, "auth": None}))
    if "endpoints" in type(settings).model_fields:
        return config._replace(settings=settings.model_copy(update={"endpoints": ["embedded"]}))
    if "endpoint" not in type(settings).model_fields:
        raise DiagnosticError(
            Diagnostic(
                f"provider {config.key} cannot be rehearsed: it has no endpoint to put the emulator at", config.position
            )
        )
    return config._replace(settings=settings.model_copy(update={"endpoint": "embedded"}))
