"""Exit codes of commands, and of single units of a fleet."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command; documented, and stable."""

    DONE = 0
    """Success, or nothing to do."""
    ERROR = 1
    """An error; nothing was applied."""
    CHANGES = 2
    """There are changes (only with ``--detailed-exitcode``)."""
    CHECK_FAILED = 3
    """A check failed."""
    PARTIAL = 4
    """Applied in part: some operations failed, or their outcome is unknown."""
    LEASE_HELD = 5
    """Another run holds the stack's lease."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or a termination signal."""


_BY_SEVERITY = (
    ExitCode.DONE,
    ExitCode.CHANGES,
    ExitCode.CHECK_FAILED,
    ExitCode.LEASE_HELD,
    ExitCode.ERROR,
    ExitCode.PARTIAL,
    ExitCode.INTERRUPTED,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code of several runs: the worst one; an interrupt is the worst of all."""
    return max(codes, key=_BY_SEVERITY.index, default=ExitCode.DONE)
