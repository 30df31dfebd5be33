"""Renamed stacks: alarms in the ledgers of stacks that no configuration in the directory declares any more."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger.protocol import Orphan
from reconciler.ledger.sqlite import read_ledger

_NAME = r"""(?m)^stack[ \t]*:[ \t]*["']?([^"'#\r\n]*)"""
_TEMPLATE = r"\$\{[^}]*\}"


def renamed_warnings(ledger: Path, root: Path, now: int) -> Iterator[Diagnostic]:
    """A warning for each other ledger beside ``ledger`` whose stack left alarms that may fire at ``now`` (epoch ms).

    ``ledger`` is in a directory that only stacks configured in ``root`` use. Stacks that a YAML file there still names
    are left out, whatever the value of a variable in the name, and so is what ``ledger`` knows, since the other file is
    then a copy. Files that are not ledgers, or cannot be read, are skipped; nothing is written.
    """
    try:
        beside = sorted(ledger.parent.iterdir())
    except OSError:  # such as when there is no ledger yet
        return
    others = [file for file in beside if file.suffix == ".db" and file != ledger and file.is_file()]
    if not others:
        return
    named = _stack_patterns(root)
    for file in others:
        if not any(fnmatchcase(file.stem, pattern) for pattern in named):
            left = _left(file, now)
            own = _known(ledger, left)
            left = tuple(alarm for alarm in left if alarm.key not in own)
            if left:
                from reconciler.plan.orphans import renamed_warning

                yield renamed_warning(file.stem, str(file), left)


def _left(file: Path, now: int) -> tuple[Orphan, ...]:
    """The alarms of a ledger that are not known to have ended, as if no provider were configured."""
    try:
        with closing(read_ledger(file)) as ledger:
            return ledger.view(now, 0, {}).orphans
    except (DiagnosticError, OSError):
        return ()


def _known(file: Path, alarms: Sequence[Orphan]) -> Container[str]:
    """The keys of those alarms for which a ledger has an outcome."""
    if not alarms:
        return ()
    with closing(read_ledger(file)) as ledger:
        return ledger.statuses(alarm.key for alarm in alarms)


def _stack_patterns(root: Path) -> set[str]:
    """The stack names in the files of the directory; an expression in a name matches any text."""
    found: set[str] = set()
    for file in (*root.glob("*.yaml"), *root.glob("*.yml")):
        try:
            text = file.read_text(errors="replace")
        except OSError:
            continue
        found |= {re.sub(_TEMPLATE, "*", name.strip()) for name in re.findall(_NAME, text)}
    return found - {""}
