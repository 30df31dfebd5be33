"""The workspace: an open stack with its providers and its ledger; where files, clock and network come in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs, StackConfig
from reconciler.config.yaml.source_map import Source, Value
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.digest import digest
from reconciler.core.gc_tuning import gc_disabled
from reconciler.core.ledger_url import scheme
from reconciler.core.moves import earlier_events
from reconciler.core.observed import Observed, UnmanagedAlarm
from reconciler.core.resource_type import ResourceType
from reconciler.core.system_clock import SystemClock
from reconciler.core.target import Target
from reconciler.ledger.location import Location, open_at, read_at
from reconciler.ledger.protocol import Holder, Ledger, LedgerView
from reconciler.plan.guard import violations
from reconciler.plan.plan import Plan
from reconciler.plan.state import compacted
from reconciler.providers.protocol import (
    Importable,
    Provider,
    ServiceError,
    longest_visible_within,
)
from reconciler.providers.registry import Registry
from reconciler.providers.retry import retry_read
from reconciler.session.provider_pool import ProviderPool
from reconciler.session.rate_limits import RateLimits
from reconciler.session.stack_source import read_source, read_sources

if TYPE_CHECKING:
    from reconciler.apply.lease import LeaseWait
    from reconciler.core.clock import Clock
    from reconciler.core.data_source import DataConfig, Item
    from reconciler.ledger.documents import SharedDocuments
    from reconciler.session.receiver import RunReceiver

SECTIONS = ("checks", "drills")
"""Sections of a configuration that commands read themselves."""

STATE_DIRECTORY = ".reconciler"
"""The directory of a stack's ledger and of the embedded emulator's data, beside its configuration."""


class Workspace:
    """A stack, and what is needed to query and change it; created by ``open_workspace``."""

    def __init__(
        self,
        stack: StackConfig,
        registry: Registry,
        clock: Clock,
        resources: ExitStack,
        provider_pool: ProviderPool,
        ledger: Ledger | None = None,
    ) -> None:
        self.stack = stack
        self.registry = registry
        self.clock = clock
        self.provider_pool = provider_pool
        self._resources = resources
        self._given = ledger
        self.lease_wait: LeaseWait | None = None
        self._reader: Ledger | None = None
        self.given: dict[str, Sequence[Observed] | ServiceError] = {}
        """This stack's part of a shared query, by provider; it is used once."""
        self.given_unmanaged: dict[str, Sequence[UnmanagedAlarm]] = {}

    @property
    def state_directory(self) -> Path:
        return self.stack.root / STATE_DIRECTORY

    @property
    def ledger_location(self) -> Location:
        """The location of the stack's ledger."""
        place = self.stack.ledger or STATE_DIRECTORY
        return Location(place if scheme(place) else self.stack.root / place, self.stack.name)

    @property
    def own_ledger(self) -> Path | None:
        """The ledger file, if it is the one beside the configuration; in other locations, other directories have
        ledgers too.
        """
        path = self.ledger_location.path
        return path if self._given is None and path is not None and path.parent == self.state_directory else None

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Every configured provider that manages resources, by key; no request is made yet."""
        return {
            key: self.provider_pool.provider(config)
            for key, config in self.stack.providers.items()
            if self.provider_pool.manages(config)
        }

    @property
    def resource_types(self) -> Mapping[str, ResourceType]:
        """The resource types of the configured providers by name."""
        kinds = [self.registry.get(config.type) for config in self.stack.providers.values()]
        return {name: kind for found in kinds if found is not None for name, kind in found.resource_types.items()}

    @property
    def provider_digests(self) -> Mapping[str, str]:
        """A digest of each provider's settings; credentials are no part of it."""
        return {
            key: digest([config.type, config.settings.model_dump(mode="json", exclude={"auth", "share_rate_limit"})])
            for key, config in self.stack.providers.items()
        }

    @property
    def projects(self) -> Mapping[str, str]:
        """The project id of each provider that has one."""
        found = {key: getattr(config.settings, "project_id", None) for key, config in self.stack.providers.items()}
        return {key: project for key, project in found.items() if isinstance(project, str)}

    @property
    def target_texts(self) -> Mapping[str, str]:
        """The canonical text of each provider's target, by key: as the ledger keeps it."""
        return {key: str(target) for key, target in self.targets.items()}

    @property
    def targets(self) -> Mapping[str, Target]:
        """Where each configured provider points, by key."""
        return {key: config.target for key, config in self.stack.providers.items()}

    @property
    def visible_within(self) -> int:
        """The longest time (ms) a provider of the stack may take to show a write."""
        return longest_visible_within(self.providers.values())

    def open_ledger(self) -> Ledger:
        """The stack's ledger, created if missing; closed with the workspace."""
        if self._given is not None:
            return self._given
        ledger = open_at(self.ledger_location)
        self._resources.callback(ledger.close)
        return ledger

    @contextmanager
    def reading_ledger(self) -> Iterator[Ledger]:
        """The stack's ledger for reading; no ledger is created. A shared one stays open as long as the workspace."""
        if self._given is not None:
            yield self._given
            return
        location = self.ledger_location
        if not location.is_shared:
            with closing(read_at(location)) as ledger:
                yield ledger
            return
        if self._reader is None:
            self._reader = read_at(location)
            self._resources.callback(self._reader.close)
        yield self._reader

    def drill_documents(self) -> SharedDocuments | None:
        """The records of drills in a shared ledger; None if the ledger is a file, beside which they are files too."""
        location = self.ledger_location
        if not location.is_shared:
            return None
        from reconciler.ledger.documents import SharedDocuments

        documents = SharedDocuments(location)
        self._resources.callback(documents.close)
        return documents

    def read_ledger_view(self) -> LedgerView:
        """What the ledger knows, for commands that only read: no ledger is created."""
        with self.reading_ledger() as ledger:
            return self.ledger_view(ledger)._replace(lease_held=ledger.holder(self.clock.now()) is not None)

    def lease_holder(self) -> Holder | None:
        """Who holds the stack's lease now; no ledger is created."""
        with self.reading_ledger() as ledger:
            return ledger.holder(self.clock.now())

    def ledger_view(self, ledger: Ledger) -> LedgerView:
        """What a ledger knows of the stack at present."""
        return ledger.view(self.clock.now(), self.visible_within, self.target_texts)

    def observe(self) -> list[Observed]:
        """Ask every provider what carries the stack's marks, unless that was given. Raises ServiceError."""
        found: list[Observed] = []
        with gc_disabled():
            for key, provider in self.providers.items():
                given = self.given.pop(key, None)
                if isinstance(given, ServiceError):
                    with self._asking(key):
                        raise given
                query = partial(provider.observe, self.stack.name, self.declared(key))
                found += self.read(key, query if given is None else partial(iter, given))
        return found

    def declared(self, key: str) -> list[Desired]:
        """What the stack declares for a provider, events under their earlier names too: what it is observed by."""
        mine = [desired for desired in self.stack.desired if desired.provider == key]
        return [*mine, *earlier_events(mine, self.stack.moves)]

    def observe_owner(self, owner: str) -> list[Observed]:
        """Every alarm that carries the marks of an owner, such as one of the stack's drills. Raises ServiceError."""
        found: list[Observed] = []
        for key, provider in self.providers.items():
            found += self.read(key, partial(provider.observe, owner, ()))
        return found

    def ask(self, data: DataConfig) -> Value:
        """The value of a query in an expression. Raises DiagnosticError if the query fails."""
        return self.provider_pool.ask(data, self.stack.providers[data.provider])

    def query(self, data: DataConfig, details: Collection[str] = ()) -> Sequence[Item]:
        """Everything a query of the stack finds. Raises ServiceError."""
        return self.provider_pool.query(data, self.stack.providers[data.provider], details)

    def unmanaged(self, filters: Mapping[str, Collection[str]], key: str | None = None) -> list[UnmanagedAlarm]:
        """Every active unmanaged alarm that passes the filters, at one provider or at all that can tell.

        Raises ServiceError, and DiagnosticError where the one named cannot tell.
        """
        able = {name: provider for name, provider in self.providers.items() if isinstance(provider, Importable)}
        if key is not None and key not in able:
            known = ", ".join(able) or "none"
            summary = f'alarms cannot be imported from a provider "{key}"'
            raise DiagnosticError(Diagnostic(summary, hint=f"those of this stack that can tell: {known}"))
        found: list[UnmanagedAlarm] = []
        for name in able if key is None else [key]:
            with self._asking(name):
                found += retry_read(name, partial(_unmanaged, able[name], filters), self.clock)
        return found

    def refusals(self, plan: Plan, *, destroy: bool = False) -> tuple[Diagnostic, ...]:
        """The guards the plan goes past, ``destroy`` telling what it is for; ``--force`` overrules them."""
        return violations(plan, self.stack.guards, self.projects, self.stack.desired, destroy=destroy)

    def read(self, key: str, query: Callable[[], Iterable[Observed]]) -> list[Observed]:
        """What a query of one provider finds, made again while the service is busy. Raises ServiceError."""
        with self._asking(key):  # a busy service is queried again after its Retry-After
            return retry_read(key, lambda: list(compacted(query(), self.stack.desired)), self.clock)

    @contextmanager
    def _asking(self, key: str) -> Iterator[None]:
        """Say of an error which provider it came from, and where that is configured."""
        try:
            yield
        except ServiceError as error:
            error.provider, error.position = key, self.stack.providers[key].position
            raise


@contextmanager
def open_workspace(
    path: Path,
    inputs: Inputs,
    *,
    registry: Registry | None = None,
    clock: Clock | None = None,
    data: bool = True,
    receiver: RunReceiver | None = None,
    parallelism: int | None = None,
    text: str | None = None,
    ledger: Ledger | None = None,
    rate_limits: RateLimits | None = None,
    planned: bool = True,
) -> Iterator[Workspace]:
    """Read and check the stack at ``path`` (a file, or a directory of ``*.yaml`` and ``*.yml``) and open it.

    ``text`` is a configuration itself: then ``path`` is the directory that what it includes is in, and the embedded
    emulator keeps all in memory. ``ledger`` is used instead of the one the stack names, and is the caller's to close.
    With ``data`` the queries that the expressions of resources need are made, now; commands that only check, or
    destroy, do without. ``receiver`` is the one of providers with ``endpoint: listen``. ``parallelism`` overrides that
    of every provider. ``rate_limits`` are those of a process that opens several stacks. What is not ``planned`` has no
    resources. Raises DiagnosticError.
    """
    registry = registry or Registry()
    clock = clock or SystemClock()
    sources, root = read_sources(path) if text is None else ([Source("stack.yaml", text.encode())], path)
    state = root / STATE_DIRECTORY if text is None else None
    with ExitStack() as resources:
        provider_pool = ProviderPool(
            registry, state, resources, clock, receiver=receiver, parallelism=parallelism, rate_limits=rate_limits
        )
        stack = load_stack(
            sources,
            root,
            registry,
            inputs,
            read=lambda name: read_source(root / name),
            sections=SECTIONS,
            ask=provider_pool.ask if data else None,
            locate=provider_pool.keep_rates_at if ledger is None else None,
            resources=planned,
        )
        yield Workspace(stack, registry, clock, resources, provider_pool, ledger)


def _unmanaged(provider: Importable, filters: Mapping[str, Collection[str]]) -> list[UnmanagedAlarm]:
    return list(provider.unmanaged(filters))
