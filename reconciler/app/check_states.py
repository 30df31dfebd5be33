"""Check states: which checks fail now, kept across runs, so that only changes are reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import CheckResult, Report
from reconciler.ledger.documents import Documents, Files
from reconciler.session.workspace import Workspace

DIRECTORY = "checks"
_SUFFIX = ".states"
_ERROR = ""
"""Represents the command itself among the names of checks: it ended with an error."""


class StateChange(NamedTuple):
    """The changes since the last round: checks that began to fail, and checks that recovered, with how long (ms) they
    failed.

    ``error_over`` says that the command works again after an error; ``failing`` is what fails now.
    """

    failed: Sequence[CheckResult]
    recovered: Sequence[tuple[CheckResult, int]]
    error_over: bool
    failing: Mapping[str, int]


def compare(failing: Mapping[str, int], report: Report) -> StateChange:
    """Compare a report with the last round; ``failing`` maps the checks that failed then to since when (epoch ms).

    A check whose query failed counts as failing; one that was interrupted, or did not run, keeps its state.
    """
    after = {name: since for name, since in failing.items() if name != _ERROR}
    failed, recovered = [], []
    for result in report.results:
        if result.status in (CheckStatus.FAILED, CheckStatus.UNKNOWN):
            if result.name not in failing:
                failed.append(result)
                after[result.name] = result.ended_at
        elif result.status is CheckStatus.PASSED and result.name in failing:
            recovered.append((result, result.ended_at - after.pop(result.name)))
    return StateChange(failed, recovered, _ERROR in failing, after)


@dataclass(slots=True)
class CheckStates:
    """The states of a stack's checks in a document beside its ledger, or in the shared one."""

    documents: Documents
    name: str
    _failing: dict[str, int] | None = None

    @property
    def failing(self) -> Mapping[str, int]:
        """The checks that failed in the last round, each with since when; empty if that is not known."""
        if self._failing is None:
            self._failing = _read(self.documents.read(self.name))
        return self._failing

    def keep(self, failing: Mapping[str, int]) -> None:
        """Save what fails now, if it has changed."""
        if dict(failing) != self.failing:
            self.documents.write(self.name, json.dumps({"failing": dict(failing)}))
            self._failing = dict(failing)

    @property
    def has_error(self) -> bool:
        return _ERROR in self.failing

    def keep_error(self, now: int) -> None:
        """Save that the command ended with an error."""
        self.keep({**self.failing, _ERROR: now})


def check_states(workspace: Workspace) -> CheckStates:
    """The states of the checks of an open stack."""
    documents = workspace.drill_documents() or Files(Path(workspace.ledger_location.place) / DIRECTORY)
    return CheckStates(documents, f"{workspace.stack.name}{_SUFFIX}")


def _read(text: str | bytes | None) -> dict[str, int]:
    """The content of a document; empty if it is damaged, so that each failing check is reported once more."""
    try:
        document = json.loads(text or "{}")
        return {str(name): int(since) for name, since in document.get("failing", {}).items()}
    except (ValueError, TypeError, AttributeError):
        return {}
