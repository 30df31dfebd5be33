"""The stack: a whole configuration after loading, and the inputs of loading."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pydantic import BaseModel

from reconciler.config.expressions.scope import Scope
from reconciler.config.yaml.source_map import Node, Source, Value
from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic, Position
from reconciler.core.moves import NO_MOVES, Moves
from reconciler.core.resource_type import ResourceType
from reconciler.core.target import Target, target_of

if TYPE_CHECKING:
    from reconciler.core.data_source import DataConfig
    from reconciler.core.guards import Guards
    from reconciler.core.imports import Import


class ProviderSchema(Protocol):
    """What the loader needs to know of a provider type; the full protocol is in ``reconciler.providers``.

    A type that ``HasDataSources`` can be queried under ``data``.
    """

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> type[BaseModel]: ...

    @property
    def resource_types(self) -> Mapping[str, ResourceType]: ...


class ProviderConfig(NamedTuple):
    """One block under ``providers``: its key, its provider type, its settings."""

    key: str
    type: str
    settings: BaseModel
    position: Position | None = None

    @property
    def target(self) -> Target:
        """Where the provider points; the embedded emulator is the same target in every run."""
        return target_of(self.type, self.settings)


Ask = Callable[["DataConfig", ProviderConfig], Value]
"""Makes a query and returns its items; raises DiagnosticError if the service cannot be queried."""


class StackConfig(NamedTuple):
    """A valid configuration.

    ``root`` is its directory (where ``.reconciler/`` is created). ``desired`` is in the order of the files. ``digest``
    changes exactly when the meaning of the configuration does. ``secrets`` are texts that must not be shown.
    """

    name: str
    root: Path
    providers: Mapping[str, ProviderConfig]
    desired: tuple[Desired, ...]
    guards: "Guards | None"
    digest: str
    scope: Scope
    """The names that expressions in ``sections`` can use; see ``reconciler.config.expressions.compiled``."""
    ledger: str | None = None
    """The URL of the ledger, or its directory relative to ``root``; None for the default beside the configuration."""
    secrets: frozenset[str] = frozenset()
    warnings: tuple[Diagnostic, ...] = ()
    sections: Mapping[str, Node] = MappingProxyType({})
    """Sections that the loader accepts but leaves for others to read (``checks``, ``drills``)."""
    data: "Mapping[str, DataConfig]" = MappingProxyType({})
    """The queries by ``TYPE.NAME``."""
    unresolved: frozenset[str] = frozenset()
    """Queries that resources need but that were not run. Their resources are missing from ``desired``, so planning
    anything but a destroy would wrongly clear alarms.
    """
    kept: frozenset[Address] = frozenset()
    """Resources that were left out and have lifecycle.prevent_clear."""
    moves: Moves = NO_MOVES
    """What was renamed."""
    removed: tuple[Address, ...] = ()
    """Addresses that are no longer declared but keep firing."""
    imports: "tuple[Import, ...]" = ()
    """Objects that exist at a service and are adopted."""

    def __repr__(self) -> str:
        return f"StackConfig({self.name!r}, {len(self.desired)} desired)"  # the rest holds secrets


ENVIRONMENT_PREFIX = "RECONCILER_VAR_"


FLEET_VARIABLES = "variables of the fleet file"
"""The name of the source that holds what a fleet file sets."""


class Inputs(NamedTuple):
    """Values for variables, highest precedence first: ``variables`` (--var), ``files`` (--var-file, later files first),
    ``RECONCILER_VAR_NAME`` in ``environ``, the variable's own ``env`` there, its ``default``.

    Texts from ``variables`` and ``environ`` are converted to the type of the variable; files hold YAML values, used as
    they are: an expression in them is not evaluated. ``ledger`` overrides the ledger of ``environ`` and of the stack.
    ``places`` are the positions of variables that a fleet file sets, in ``variables`` or in a file called
    ``FLEET_VARIABLES``.
    """

    variables: Mapping[str, str] = MappingProxyType({})
    files: tuple[Source, ...] = ()
    environ: Mapping[str, str] = MappingProxyType({})
    ledger: str | None = None
    places: Mapping[str, Position] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"Inputs({len(self.variables)} variables, {len(self.files)} files)"  # any value may be a secret
