"""Foreign templates: texts that look as if another template language should fill them in, and are sent as they are."""

from __future__ import annotations

import re

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.node import Map, Node, Seq
from reconciler.config.yaml.source_map import SourceMap
from reconciler.core.diagnostic import Severity

_VARIABLE = re.compile(r"(?<!\$)\$(?!schema=)[A-Za-z_][A-Za-z0-9_]*")
_BRACES = re.compile(r"\{\{.*?\}\}", re.S)


def has_foreign_template(source_map: SourceMap) -> bool:
    """Whether anything in the texts of a load looks like one: most have none, and need no walk."""
    return source_map.any(lambda text: "{{" in text or ("$" in text and _VARIABLE.search(text) is not None))


def warn_of_foreign_templates(node: Node, diagnostics: DiagnosticCollector) -> None:
    """Warn of the first text of each kind in a section, with the number of the others."""
    found: dict[str, list[Node]] = {"{{ }}": [], "$NAME": []}
    pending = [node]
    while pending:
        inner = pending.pop()
        value = inner.value
        if isinstance(value, Map | Seq):
            pending += [child for _, child in inner.entries()] if isinstance(value, Map) else inner.items()
        elif isinstance(value, str):
            if "{{" in value and "${" not in value and _BRACES.search(value):
                found["{{ }}"].append(inner)
            elif "$" in value and _VARIABLE.search(value):
                found["$NAME"].append(inner)
    for what, nodes in found.items():
        if nodes:
            first = min(nodes, key=lambda node: node.offset)
            others = f" (and {len(nodes) - 1} more)" if len(nodes) > 1 else ""
            diagnostics.add(
                first.offset,
                f"{what} is sent as it is written{others}",
                "expressions are written ${...}, and a literal ${ as $${; if it is meant as it is, ignore this warning",
                severity=Severity.WARNING,
            )
