"""The head of a stack: its name, and the ledger that its runs share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

from reconciler.config.blocks.common import LEDGER_URL, STACK_NAME, STACK_NAME_LENGTH
from reconciler.config.blocks.sections import Sections
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions import scope as sites
from reconciler.config.expressions.compiled import UnresolvedError, compile_value, evaluate_compiled, templated
from reconciler.config.expressions.context import Context
from reconciler.config.expressions.scope import ExpressionSite, Scope
from reconciler.config.yaml.node import Node, Value, kind
from reconciler.config.yaml.source_map import Source

_SECRET_PARAMETERS = frozenset(["password", "sslpassword", "secret", "token", "key"])


def stack_name(sections: Sections, sources: Sequence[Source], scope: Scope, diagnostics: DiagnosticCollector) -> str:
    """The name of the stack, which may use variables; "" with a diagnostic if it has none."""
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


def ledger_url(sections: Sections, scope: Scope, diagnostics: DiagnosticCollector) -> str | None:
    """The URL of the shared ledger; None if the stack names none, or, with a diagnostic, if it is not one."""
    node = sections.texts.get("ledger")
    if node is None:
        return None
    try:
        url = _evaluated(node, sites.LEDGER, scope, diagnostics)
    except UnresolvedError:
        return None
    hint = "write postgresql://USER@HOST/DATABASE or s3://BUCKET/PREFIX; leave ledger out to keep a file here"
    if not isinstance(url, str):
        diagnostics.add(node.offset, f"ledger must be text, not {kind(url)}", hint)
    elif not re.fullmatch(LEDGER_URL, url):  # not quoted: it may hold a password
        what = "is empty" if not url else "has white space" if re.search(r"\s", url) else "is not a URL"
        diagnostics.add(node.offset, f"ledger {what}", hint)
    else:
        return url
    return None


def url_secrets(url: str | None) -> Iterator[str]:
    """The passwords in a URL, as written and decoded."""
    try:
        parts = urlsplit(url or "")
        written = [parts.password or ""]
    except ValueError:
        return
    written += [value for name, value in parse_qsl(parts.query) if name.lower() in _SECRET_PARAMETERS]
    for text in written:
        if text:
            yield from {text, unquote(text)}


def _evaluated(node: Node, site: ExpressionSite, scope: Scope, diagnostics: DiagnosticCollector) -> Value:
    if not templated(node.value):
        return node.value
    values = {**scope.values, "env": dict(scope.env)}
    return evaluate_compiled(compile_value(node, site, scope, diagnostics), Context(values), diagnostics)
