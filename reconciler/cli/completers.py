"""Completers: what a shell can complete from a stack. No service is queried, and errors give no candidates."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from reconciler.session.workspace import Workspace

WORDS: ContextVar[tuple[str, ...]] = ContextVar("WORDS", default=())
"""The complete words after the command's name."""

Candidates = list[tuple[str, str]]
"""Values, each with a few words of help."""


def _harmless(completer: Callable[[typer.Context], Iterable[tuple[str, str]]]) -> Callable[..., Candidates]:
    def complete(ctx: typer.Context, incomplete: str) -> Candidates:
        try:
            return [(value, help) for value, help in completer(ctx) if value.startswith(incomplete)]
        except Exception:  # noqa: BLE001 - a shell has nobody to tell
            return []

    return complete


@contextmanager
def _opened(ctx: typer.Context) -> "Iterator[Workspace]":
    """The stack that the earlier words name, without its queries."""
    from reconciler.app.plan import inputs
    from reconciler.session.workspace import open_workspace

    files = [Path(str(file)) for file in ctx.params.get("var_file") or ()]
    values = inputs(os.environ, ctx.params.get("var"), files)
    with open_workspace(_path(ctx), values, data=False) as workspace:
        yield workspace


def _path(ctx: typer.Context) -> Path:
    """The stack's path: the argument or, if an option is still waiting for its value, what may be the path."""
    given = ctx.params.get("path")
    if given is not None and str(given) != ".":
        return Path(str(given))
    before = WORDS.get()
    for option, word in zip(("", *before), before, strict=False):
        path = Path(word)
        if not option.startswith("--") and (path.is_dir() or (path.suffix in (".yaml", ".yml") and path.is_file())):
            return path
    return Path()


def _addresses(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    with _opened(ctx) as workspace:
        desired = workspace.stack.desired
        repeated = dict.fromkeys(item.address._replace(key=None) for item in desired if item.address.key is not None)
        yield from ((str(address), "all instances") for address in repeated)
        yield from ((str(item.address), item.provider) for item in desired)


def _drills(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    from reconciler.drill.load import drill_names

    with _opened(ctx) as workspace:
        yield from ((name, "drill") for name in drill_names(workspace.stack))


def _checks(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    with _opened(ctx) as workspace:
        section = workspace.stack.sections.get("checks")
        yield from ((name, "check") for name, _ in (section.entries() if section is not None else ()))


def _providers(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    with _opened(ctx) as workspace:
        yield from ((key, config.type) for key, config in workspace.stack.providers.items())


def _runs(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    """The runs in a ledger file; a shared ledger is too slow for completion."""
    from reconciler.app.ledger import Asked, find
    from reconciler.core.duration import format_instant
    from reconciler.ledger.sqlite import read_ledger

    asked = Asked(str(ctx.params.get("where") or _path(ctx)), ctx.params.get("stack"))
    with closing(read_ledger(find(asked))) as ledger:
        for run in ledger.runs():
            yield run.id, f"{run.command} {format_instant(run.started_at)} {run.state.value}"


def _drill_runs(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    from reconciler.drill.store import RunStore
    from reconciler.session.workspace import STATE_DIRECTORY

    path = _path(ctx)
    store = RunStore((path if path.is_dir() else path.parent) / STATE_DIRECTORY)
    yield from ((run, "run of a drill") for run in store.runs())


def _environments(ctx: typer.Context) -> Iterator[tuple[str, str]]:
    from reconciler.fleet.fleet import fleet_file
    from reconciler.fleet.spec import parse_fleet
    from reconciler.session.stack_source import read_source

    for path in ctx.params.get("what") or [_path(ctx)]:
        file = fleet_file(Path(str(path)))
        if file is not None:
            yield from ((name, "environment") for name in parse_fleet(read_source(file)).environments if name)


addresses = _harmless(_addresses)
checks = _harmless(_checks)
environments = _harmless(_environments)
drill_runs = _harmless(_drill_runs)
drills = _harmless(_drills)
providers = _harmless(_providers)
runs = _harmless(_runs)
