"""The head of a stack: its name, and where its ledger is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.config.blocks.common import LEDGER, STACK_NAME, STACK_NAME_LENGTH
from reconciler.config.blocks.sections import Sections
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions import scope as sites
from reconciler.config.expressions.compiled import UnresolvedError, compile_value, evaluate_compiled, templated
from reconciler.config.expressions.scope import Context, ExpressionSite, Scope
from reconciler.config.yaml.source_map import Node, Source, Value, kind

_LEDGER_HINT = (
    "write postgresql://HOST/DATABASE, s3://BUCKET/PREFIX (or gs://, az://), or a directory on a local disk;"
    " without ledger it is in .reconciler"
)


def stack_name(sections: Sections, sources: Sequence[Source], scope: Scope, diagnostics: DiagnosticCollector) -> str:
    """The name of the stack, which may use variables; "" with a problem reported if there is none."""
    node = sections.texts.get("stack")
    if node is None:
        if not len(diagnostics):
            where = sources[0].name if len(sources) == 1 else "the configuration"
            diagnostics.add(None, f"{where} does not name its stack", "add a line: stack: NAME")
        return ""
    try:
        name = _evaluated(node, sites.STACK_NAME, scope, diagnostics)
    except UnresolvedError:
        return ""
    if not isinstance(name, str):
        diagnostics.add(node.offset, f"stack must be text, not {kind(name)}", "add a name: stack: NAME")
        return ""
    if not re.fullmatch(STACK_NAME, name) or len(name) > STACK_NAME_LENGTH:
        what = f'"{name[:80]}"' if templated(node.value) else "this"
        diagnostics.add(
            node.offset,
            f"{what} is not a name for a stack",
            f"it has lower-case letters, digits and dashes between them, at most {STACK_NAME_LENGTH} in all",
        )
    return name


def ledger_place(sections: Sections, scope: Scope, diagnostics: DiagnosticCollector) -> str | None:
    """The URL or directory of the ledger; None if the stack has none or, with a problem reported, if it is invalid."""
    node = sections.texts.get("ledger")
    if node is None:
        return None
    try:
        path = _evaluated(node, sites.LEDGER, scope, diagnostics)
    except UnresolvedError:
        return None
    if not isinstance(path, str):
        diagnostics.add(node.offset, f"ledger must be text, not {kind(path)}", _LEDGER_HINT)
    elif not re.fullmatch(LEDGER, path):  # not quoted: a URL may hold a password
        diagnostics.add(node.offset, f"ledger {_unusable(path)}", _LEDGER_HINT)
    else:
        return path
    return None


def _unusable(path: str) -> str:
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]+(?=:)", path)
    if scheme is not None:
        return f"cannot be kept at {scheme[0]}:"
    if path.startswith("~"):
        return "begins with ~, which is not expanded"
    return "has control characters, or white space at an end" if path else "is empty"


def _evaluated(node: Node, site: ExpressionSite, scope: Scope, diagnostics: DiagnosticCollector) -> Value:
    if not templated(node.value):
        return node.value
    values = {**scope.values, "env": dict(scope.env)}
    return evaluate_compiled(compile_value(node, site, scope, diagnostics), Context(values), diagnostics)
