"""Defaults: fields that every resource of a type has, unless it gives them itself."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.config.blocks.common import COMMON_KEYS
from reconciler.config.blocks.sections import Sections
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.source_map import Map, Node
from reconciler.core.diagnostic import did_you_mean
from reconciler.core.resource_type import ResourceType

NOT_IN_DEFAULTS = frozenset(["for_each"])
"""Common keys that make no sense for all resources of a type."""


def read_defaults(
    sections: Sections, types: Mapping[str, ResourceType], diagnostics: DiagnosticCollector
) -> dict[str, Node]:
    """The block of each type; types and keys that do not exist are reported.

    Values are checked with the resources that take them.
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
    """A mapping with the defaults beneath it: its own keys win, mappings under the same key are merged likewise."""
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
