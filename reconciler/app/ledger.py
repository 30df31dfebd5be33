"""The ledger for commands: finds the ledger, a past run, and the identity of this process."""

import getpass
import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from reconciler.apply.lease import Owner
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.ledger_url import ENVIRONMENT_VARIABLE, VARIABLE, mask, scheme
from reconciler.core.origin import origin
from reconciler.ledger.kinds import list_stacks
from reconciler.ledger.location import DIRECTORY, Location, read_at
from reconciler.ledger.protocol import Entry, Run, matching_runs

_KEY = re.compile(r"""^(stack|ledger)[ \t]*:[ \t]*(?:"([^"\r\n]*)"|'([^'\r\n]*)'|([^#\r\n]*))""", re.MULTILINE)
_NAMED = 8


class Asked(NamedTuple):
    """Which ledger a user asks for.

    ``where`` is a directory, a stack's file, a ledger file or a URL; ``stack`` is a stack's name; ``ledger`` overrides
    the location in the stack.
    """

    where: str = "."
    stack: str | None = None
    ledger: str | None = None


def locate(asked: Asked, environ: Mapping[str, str]) -> Location:
    """The location of the ledger. Raises DiagnosticError if there is none, or more than one."""
    url, written = shared_place(asked, environ)
    if url is None:
        path = find(asked, written.get("ledger"))
        return Location(path.parent, path.stem)
    stack = asked.stack or written.get("stack")
    if stack and "${" not in stack:
        return Location(url, stack)
    names = [found.stack for found in list_stacks(url)]
    if len(names) == 1:
        return Location(url, names[0])
    raise _no_stack(
        f"the ledger {mask(url)} holds {len(names)} stacks" if names else f"the ledger {mask(url)} is empty", names
    )


def require(location: Location) -> Location:
    """The location, if a ledger of the stack exists there. Raises DiagnosticError otherwise; nothing is created."""
    if isinstance(location.place, str):
        names = [found.stack for found in list_stacks(location.place)]
        if location.stack not in names:
            raise _no_stack(f"the ledger {location} has no stack {location.stack}", names)
    elif location.path is not None and not location.path.exists():
        raise DiagnosticError(Diagnostic(f"there is no ledger {location}", hint="check the path"))
    return location


def _no_stack(summary: str, names: Sequence[str]) -> DiagnosticError:
    if not names:
        return DiagnosticError(Diagnostic(summary, hint="the first `reconciler apply` of a stack creates its ledger"))
    some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return DiagnosticError(Diagnostic(summary, hint=f"name one with --stack: {some}"))


def shared_place(asked: Asked, environ: Mapping[str, str]) -> tuple[str | None, Mapping[str, str]]:
    """The URL of the shared ledger, if it is one, and the stack and ledger of the configuration."""
    if scheme(asked.where):
        return asked.where, {}
    where = Path(asked.where)
    written = {} if where.suffix == ".db" else _written(where, environ)
    place = asked.ledger or ("" if where.suffix == ".db" else environ.get(VARIABLE)) or written.get("ledger")
    return (place, written) if place and scheme(place) else (None, written)


def _written(where: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The keys ``stack`` and ``ledger`` of a configuration, with environment variables substituted.

    Read as text, so that a ledger can be inspected without the variables that its stack needs.
    """
    found: dict[str, str] = {}
    for file in [*where.glob("*.yaml"), *where.glob("*.yml")] if where.is_dir() else [where]:
        with suppress(OSError, UnicodeDecodeError):
            for key, *texts in _KEY.findall(file.read_text(encoding="utf-8")):
                text = next((text for text in texts if text), "").strip()
                found[key] = ENVIRONMENT_VARIABLE.sub(lambda match: environ.get(match[1], match[0]), text)
    return found


def find(asked: Asked, written: str | None = None) -> Path:
    """The ledger file of the stack at a path. Raises DiagnosticError if there is none, or more than one.

    ``written`` is the ledger directory that the configuration names.
    """
    where = Path(asked.where)
    if where.suffix == ".db" and where.is_file():
        return where
    root = where if where.is_dir() else where.parent
    directory = (
        Path(asked.ledger) if asked.ledger else root / (written if written and "${" not in written else DIRECTORY)
    )
    found = [file for file in sorted(directory.glob("*.db")) if asked.stack is None or file.stem == asked.stack]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.stem for file in found)
        raise DiagnosticError(Diagnostic(f"{directory} holds the ledgers of several stacks", hint=f"--stack: {names}"))
    what = "no ledger" if asked.stack is None else f"no ledger of the stack {asked.stack}"
    raise DiagnosticError(Diagnostic(f"there is {what} in {directory}", hint="the first `reconciler apply` creates it"))


class PastRun(NamedTuple):
    """A run with its operations; ``alive``: it may still be running."""

    run: Run
    entries: Sequence[Entry]
    alive: bool


def past_run(id: str, location: Location, now: int) -> PastRun:
    """The run with this id or unique prefix; else the newest run of the plan with this id.

    An alarm's ``reconciler_run`` mark has the plan's id. Raises DiagnosticError if there is no such run.
    """
    with closing(read_at(location)) as ledger:
        runs = ledger.runs()
        ids = matching_runs(id, [run.id for run in runs])
        found = [run for run in runs if run.id in ids] or _runs_of_plan(id, runs)[:1]
        if len(found) != 1:
            summary = f"more than one run begins with {id}" if found else f"there is no run {id}, and no such file"
            raise DiagnosticError(Diagnostic(summary, hint="`reconciler ledger list` lists all runs"))
        run = found[0]
        return PastRun(run, ledger.entries(run.id), run is runs[0] and ledger.holder(now) is not None)


def _runs_of_plan(id: str, runs: Sequence[Run]) -> list[Run]:
    plans = matching_runs(id, dict.fromkeys(run.plan_id for run in runs))
    return [run for run in runs if plans == [run.plan_id]]


def owner() -> Owner:
    """The user, the host and the process; in a pipeline, the user who started it, its URL and its commit."""
    found = origin(os.environ, _user(), socket.gethostname())
    return Owner(found.user, found.host, os.getpid(), found.pipeline, found.commit)


def _user() -> str:
    with suppress(OSError, KeyError):  # a container may run under a user id without a name
        return getpass.getuser()
    return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
