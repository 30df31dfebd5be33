"""Connections: the providers of a stack, each opened on first use, and the embedded emulator."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.config.stack import ProviderConfig
from reconciler.config.yaml.source_map import Value
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.providers.protocol import Provider, ProviderContext, ProviderType, Queryable, ServiceError, Throttle
from reconciler.providers.registry import Registry
from reconciler.providers.retry import retry_read
from reconciler.session.rate_limits import RateLimits

if TYPE_CHECKING:
    from reconciler.core.clock import Clock
    from reconciler.core.data_source import DataConfig, Item
    from reconciler.session.receiver import RunReceiver


class ProviderPool:
    """Opens providers and queries them; thread-safe. ``resources`` closes what it opens.

    ``embedded`` is the base URL of an emulator that is already running; by default one is started on first use. It
    keeps its data in ``directory``, or in memory, and notifies ``receiver``, a receiver that runs with the command, of
    all its alarms. ``parallelism`` overrides that of every provider. ``rate_limits`` are those of the process.
    """

    def __init__(
        self,
        registry: Registry,
        directory: Path | None,
        resources: ExitStack,
        clock: Clock,
        embedded: str | None = None,
        receiver: RunReceiver | None = None,
        parallelism: int | None = None,
        rate_limits: RateLimits | None = None,
    ) -> None:
        self._parallelism = parallelism
        self._registry = registry
        self._directory = directory
        self._resources = resources
        self._lock = threading.RLock()
        self._opened: dict[str, Provider] = {}
        self._clock = clock
        self._embedded = embedded
        self._receiver = receiver
        self._ledger: str | None = None
        self._rate_limits = RateLimits() if rate_limits is None else rate_limits
        if rate_limits is None:
            resources.callback(self._rate_limits.close)

    def keep_rates_at(self, ledger: str | None) -> None:
        """Set the ledger in which rate limits may be shared; call it before any provider is opened."""
        self._ledger = ledger

    def provider(self, config: ProviderConfig) -> Provider:
        """The provider of a block of the configuration; opening it makes no request."""
        with self._lock:
            if config.key not in self._opened:
                self._opened[config.key] = self._open(config)
            return self._opened[config.key]

    def manages(self, config: ProviderConfig) -> bool:
        """Whether the provider manages resources; otherwise it is only queried."""
        return bool(self._type(config).resource_types)

    def query(self, data: DataConfig, config: ProviderConfig, details: Collection[str] = ()) -> Sequence[Item]:
        """Run a query, with these detail fields. Raises ServiceError."""
        provider = self.provider(config)
        if not isinstance(provider, Queryable):
            raise TypeError(f"provider {config.key} has data sources and cannot be queried")
        return provider.query(data.type, data.query, details)

    def ask(self, data: DataConfig, config: ProviderConfig) -> Value:
        """The value of a query in an expression; a busy service is retried.

        Raises DiagnosticError if it cannot be queried.
        """
        try:
            found = retry_read(config.key, lambda: self.query(data, config), self._clock)
            return [_plain(item) for item in found]
        except ServiceError as error:
            raise DiagnosticError(
                Diagnostic(
                    f"data.{data.label} cannot be queried: {error.detail}",
                    data.position,
                    "a failed query is not treated as empty: check the provider, then run the command again",
                )
            ) from None

    def _type(self, config: ProviderConfig) -> ProviderType:
        kind = self._registry.get(config.type)
        assert kind is not None, f"the loader let an unknown provider type pass: {config.type}"  # noqa: S101 - narrows a type
        return kind

    def _open(self, config: ProviderConfig) -> Provider:
        settings = config.settings
        if self._parallelism is not None and "parallelism" in type(settings).model_fields:
            settings = settings.model_copy(update={"parallelism": self._parallelism})
        wanted = "embedded" in (getattr(settings, "endpoint", None), *getattr(settings, "endpoints", ()))
        context = ProviderContext(
            f"reconciler/{__version__}",
            self._clock.now,
            self._emulator(config) if wanted else None,
            None if self._receiver is None else self._receiver.endpoint,
            partial(self._throttle, config),
        )
        try:
            provider = self._type(config).open(config.key, settings, context)
        except ValueError as error:
            raise DiagnosticError(Diagnostic(f"provider {config.key}: {error}", config.position)) from None
        self._resources.callback(provider.close)
        return provider

    def _throttle(self, config: ProviderConfig, base_url: str, rate: float | None) -> Throttle | None:
        share = bool(getattr(config.settings, "share_rate_limit", False))
        return self._rate_limits.throttle(config.target, base_url, rate, ledger=self._ledger, share=share)

    def _emulator(self, config: ProviderConfig) -> str:
        """The base URL of the embedded emulator, started for the first provider that needs it."""
        if self._embedded is not None:
            return self._embedded
        try:
            from reconciler.emulator.aom.notifications import NotificationRule
            from reconciler.emulator.server import running
            from reconciler.emulator.settings import Settings
        except ImportError as error:
            raise DiagnosticError(
                Diagnostic(
                    f"endpoint: embedded needs the emulator, and {error.name} is not installed",
                    config.position,
                    install_command("emulator"),
                )
            ) from None
        # In a separate directory: the files beside it are ledgers, each named after its stack.
        database = None if self._directory is None else self._directory / "embedded" / "services.db"
        settings = Settings(db=database, clock=self._clock.now, alertmanager_keeps_alerts=True)
        if self._receiver is not None:
            from reconciler.session.receiver import EMBEDDED_HOOK

            rule = NotificationRule(EMBEDDED_HOOK, cleared=True)
            settings = replace(
                settings,
                notifications=(rule,),
                smn_endpoints=(self._receiver.hook_url,),
                alertmanager_config=self._receiver.alertmanager_config,
            )
        self._embedded = self._resources.enter_context(running(settings))
        return self._embedded


def _plain(value: object) -> Value:
    """An item in the types that expressions use."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float) or value is None else str(value)
