"""Defaults: fields that every resource of a type has unless it sets them itself."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.config.blocks.common import COMMON_KEYS
from reconciler.config.blocks.sections import Sections
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.source_map import Map, Node
from reconciler.core.diagnostic import did_you_mean
from reconciler.core.resource_type import ResourceType

NOT_IN_DEFAULTS = frozenset(["for_each"])
"""Common keys for which a default makes no sense."""


def read_defaults(
    sections: Sections, types: Mapping[str, ResourceType], diagnostics: DiagnosticCollector
) -> dict[str, Node]:
    """Read the defaults of each type; unknown types and keys are reported.

    Values are validated with the resources that use them.
    """
    found: dict[str, Node] = {}
    for name, node in sections.entries("defaults"):
        if name not in types:
            hint = did_you_mean(name, types) or f"the resource types are {', '.join(sorted(types))}"
            diagnostics.add(node.key_offset, f'there is no resource type "{name}"', hint)
            continue
        known = (COMMON_KEYS | types[name].model.model_fields.keys()) - NOT_IN_DEFAULTS
        usable = isinstance(node.value, Map)
        for key, inner in node.entries():
            if key in NOT_IN_DEFAULTS:
                diagnostics.add(inner.key_offset, f"{key} cannot stand in defaults", "write it in each resource")
                usable = False
            elif key not in known:
                hint = did_you_mean(key, known) or f"the keys are {', '.join(sorted(known))}"
                diagnostics.add(inner.key_offset, f'unknown key "{key}"', hint)
                usable = False
        if usable:
            found[name] = node
    return found


def with_defaults(node: Node, defaults: Node) -> Node:
    """Merge a mapping with the defaults: its own keys win; nested mappings are merged in the same way."""
    if not isinstance(node.value, Map):
        return node
    own = dict(node.entries())
    merged = Map()
    merged.offsets = []
    entries = {**dict(defaults.entries()), **own}
    for key, inner in defaults.entries():
        if key in own and isinstance(inner.value, Map) and isinstance(own[key].value, Map):
            entries[key] = with_defaults(own[key], inner)
    for key, inner in entries.items():
        merged[key] = inner.value
        merged.offsets += (inner.key_offset, inner.offset)
    return node._replace(value=merged)
