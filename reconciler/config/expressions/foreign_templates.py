"""Foreign templates: warnings for texts written in another template language."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.source_map import Map, Node, Seq, SourceMap
from reconciler.core.diagnostic import Severity

_VARIABLE = r"(?<!\$)\$(?!schema=)[A-Za-z_][A-Za-z0-9_]*"
_BRACES = r"(?s)\{\{.*?\}\}"


def warn_of_foreign_templates(
    source_map: SourceMap, sections: Mapping[str, Node], diagnostics: DiagnosticCollector
) -> None:
    """Warn about texts of resources and defaults that look like another template language."""
    if source_map.any(_has_any):  # most loads have none and need no walk
        for section in ("resources", "defaults"):
            if section in sections:
                _warn(sections[section], diagnostics)


def _has_any(text: str) -> bool:
    return "{{" in text or ("$" in text and re.search(_VARIABLE, text) is not None)


def _warn(node: Node, diagnostics: DiagnosticCollector) -> None:
    """Warn about the first such text of each kind in a section, with the number of the others."""
    found: dict[str, list[Node]] = {"{{ }}": [], "$NAME": []}
    pending = [node]
    while pending:
        inner = pending.pop()
        value = inner.value
        if isinstance(value, Map | Seq):
            pending += [child for _, child in inner.entries()] if isinstance(value, Map) else inner.items()
        elif isinstance(value, str):
            if "{{" in value and "${" not in value and re.search(_BRACES, value):
                found["{{ }}"].append(inner)
            elif "$" in value and re.search(_VARIABLE, value):
                found["$NAME"].append(inner)
    for what, nodes in found.items():
        if nodes:
            first = min(nodes, key=lambda node: node.offset)
            others = f" (and {len(nodes) - 1} more)" if len(nodes) > 1 else ""
            diagnostics.add(
                first.offset,
                f"{what} is sent unchanged{others}",
                "expressions are written ${...}, and a literal ${ as $${; if it is intended, ignore this warning",
                severity=Severity.WARNING,
            )
