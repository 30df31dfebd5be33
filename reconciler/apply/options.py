"""Options of an apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import random

from reconciler.core.duration import HOUR

DEADLINE = HOUR
"""How long (ms) a run may take before nothing new is sent."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a plan is carried out.

    ``parallelism`` overrides that of every provider. ``deadline`` is how long (ms) the run may take before nothing new
    is sent. ``draw`` gives the jitter of waits, in [0, 1).
    """

    parallelism: int | None = None
    verify: bool = True
    deadline: int = DEADLINE
    draw: Callable[[], float] = random
