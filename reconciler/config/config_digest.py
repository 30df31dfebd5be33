"""The digest of a configuration's meaning, independent of how it is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from reconciler.config.blocks.providers import Providers
from reconciler.config.expressions.scope import Reference, Scope
from reconciler.config.yaml.source_map import Node
from reconciler.core.address import Address
from reconciler.core.desired import DEFAULT_LIFECYCLE, Desired
from reconciler.core.digest import digest
from reconciler.core.moves import NO_MOVES, Moves

if TYPE_CHECKING:
    from reconciler.core.guards import Guards
    from reconciler.core.imports import Import


def config_digest(
    name: str,
    desired: Sequence[Desired],
    providers: Providers,
    guards: Guards | None,
    sections: Mapping[str, Node],
    used: Collection[Reference],
    scope: Scope,
    moves: Moves = NO_MOVES,
    removed: Sequence[Address] = (),
    imports: Sequence[Import] = (),
) -> str:
    """The digest of a configuration: comments, order, files and unused names do not affect it.

    Secrets are not part of it. Sections that are read later count as text, with the values of the names they use.
    """
    renamed = sorted([str(move.source), str(move.destination)] for move in moves.entries)
    return digest(
        {
            **({"moved": renamed} if renamed else {}),
            **({"removed": sorted(map(str, removed))} if removed else {}),
            **({"import": sorted([str(item.destination), item.id] for item in imports)} if imports else {}),
            "stack": name,
            "desired": sorted(_desired_fields(item) for item in desired),
            "providers": {key: [providers.types[key], public] for key, public in providers.public.items()},
            "guards": _guards_fields(guards),
            "sections": {section: node.value for section, node in sections.items()},
            "values": {
                str(reference): scope.values[reference[0]].get(reference[1])
                for reference in used
                if reference[0] in scope.values
            },
        }
    )


def _guards_fields(guards: Guards | None) -> dict[str, object]:
    """The guards that are set, as JSON values."""
    return {} if guards is None else guards.model_dump(exclude_defaults=True)


def _desired_fields(desired: Desired) -> list[str]:
    lifecycle = desired.lifecycle
    return [
        str(desired.address),
        desired.provider,
        desired.digest,
        "firing" if desired.firing else "cleared",
        desired.occurrence or "",
        "" if lifecycle is DEFAULT_LIFECYCLE or lifecycle == DEFAULT_LIFECYCLE else lifecycle.model_dump_json(),
        ",".join(sorted(map(str, desired.depends_on))),
    ]
