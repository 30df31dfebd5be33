"""Exit codes: what a script learns from a command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command; documented, and stable."""

    DONE = 0
    """Done, or nothing to do."""
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
