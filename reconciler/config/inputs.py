"""Inputs: the values for variables that come from outside of the configuration."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from reconciler.config.yaml.source_map import Source

ENVIRONMENT_PREFIX = "RECONCILER_VAR_"


class Inputs(NamedTuple):
    """Values for variables, strongest first: ``variables`` (--var), ``files`` (--var-file, a later file before an
    earlier one), ``RECONCILER_VAR_NAME`` in ``environ``, the variable's own ``env`` there, its ``default``.

    Texts from ``variables`` and ``environ`` are converted to the type of the variable; files hold YAML values, taken
    as they are: an expression in them is not evaluated.
    """

    variables: Mapping[str, str] = MappingProxyType({})
    files: tuple[Source, ...] = ()
    environ: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"Inputs({len(self.variables)} variables, {len(self.files)} files)"  # any value may be a secret
