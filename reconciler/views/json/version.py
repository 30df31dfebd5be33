"""The version and the extras as JSON."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING

from reconciler import __version__
from reconciler.views.json.document import FORMAT_VERSION

if TYPE_CHECKING:
    from reconciler.views.json.schema_lists import VersionOutput


def version_document(extras: Mapping[str, Mapping[str, str | None]]) -> VersionOutput:
    """Make the document from the packages of each extra and their versions."""
    return {
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.system(),
        "extras": {
            name: {"installed": None not in packages.values(), "packages": dict(packages)}
            for name, packages in extras.items()
        },
    }
