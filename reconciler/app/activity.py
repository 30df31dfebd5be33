"""Activities: when each command last ran on a stack, kept beside its ledger for the status of a fleet.

The ledger records what was sent. Plans, drift runs, checks and applies without changes send nothing, so each leaves a
document.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from reconciler.app.unit import Activity, UnitKind
from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.files import write_text
from reconciler.ledger.documents import Documents, Files
from reconciler.session.workspace import Workspace

DIRECTORY = "activities"
KINDS = (UnitKind.PLAN, UnitKind.APPLY, UnitKind.DRIFT, UnitKind.CHECK)
"""The commands that leave a document; an apply that made a run is in the ledger instead."""

_activity = TypeAdapter(Activity)
_log = logging.getLogger(__name__)


def record_activity(workspace: Workspace, kind: UnitKind, activity: Activity) -> None:
    """Record what was just done. If the ledger is read-only for this user, nothing is recorded, and that is not an
    error.
    """
    text, name = _activity.dump_json(activity).decode(), _name(workspace, kind)
    try:
        shared = workspace.drill_documents()
        if shared is not None:
            shared.write(name, text)
        else:
            directory = Path(workspace.ledger_location.place) / DIRECTORY
            directory.mkdir(parents=True, exist_ok=True)
            write_text(directory / name, text, durable=False)  # syncing the disk would take longer than the command
    except (OSError, DiagnosticError) as error:
        _log.info("the %s of %s is not recorded: %s", kind, workspace.stack.name, error)


def last_activity(workspace: Workspace, kind: UnitKind) -> Activity | None:
    """The last activity of a kind; None if there is none, or if its document is damaged. Raises DiagnosticError."""
    try:
        text = _documents(workspace).read(_name(workspace, kind))
        return None if text is None else _activity.validate_json(text)
    except (OSError, ValidationError):
        return None


def _documents(workspace: Workspace) -> Documents:
    return workspace.drill_documents() or Files(Path(workspace.ledger_location.place) / DIRECTORY)


def _name(workspace: Workspace, kind: UnitKind) -> str:
    return f"{workspace.stack.name}.last-{kind}"
