"""Inputs: the values for variables that come from outside of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.config.source import Source

ENVIRONMENT_PREFIX = "RECONCILER_VAR_"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Values for variables, strongest first: ``variables`` (--var), ``files`` (--var-file, a later file before an
    earlier one), ``RECONCILER_VAR_NAME`` in ``environ``, the variable's own ``env`` there, its ``default``.

    Texts from ``variables`` and ``environ`` are converted to the type of the variable; files hold YAML values, taken
    as they are: an expression in them is not evaluated.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Source, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
