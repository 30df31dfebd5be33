"""Run ids: how a user names a run."""

from __future__ import annotations

from collections.abc import Iterable


def matching_runs(name: str, ids: Iterable[str]) -> list[str]:
    """The run ids that a name means: the id that equals it, else all that begin with it, in the order given."""
    begun = [id for id in ids if id.startswith(name)]
    return [name] if name in begun else begun
