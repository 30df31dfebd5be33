"""The house: what a drill needs beside its stage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from reconciler.checks.canary import Perch
from reconciler.checks.check import Check, Unasked
from reconciler.config.stack import DataConfig
from reconciler.core.data_source import Item
from reconciler.drill.notices import Asker

Confirm = Callable[[str, Callable[[], bool]], str | None]
"""Ask a person to confirm something: how it was confirmed, or None where it was not.

The second argument is called again and again meanwhile, and says whether there is any more waiting.
"""


@dataclass(frozen=True, slots=True)
class House:
    """What a drill needs beside its stage: checks, queries, people, and word to end."""

    checks: Callable[[Collection[str]], Sequence[Check | Unasked]]
    query: Callable[[DataConfig, Collection[str]], Sequence[Item]]
    perch: Perch
    askers: Sequence[Asker]
    confirm: Confirm
    aborted: Callable[[], bool]
