"""``reconciler version``."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Mapping
from importlib import metadata

import typer

from reconciler import __version__
from reconciler.cli.command import ExitCode, command_app
from reconciler.cli.options import DataFormatOption
from reconciler.cli.terminal import DataFormat, Terminal
from reconciler.core.diagnostic import install_command
from reconciler.views.json.version import version_document
from reconciler.views.text.line import Line, Style, line

app = command_app()

DISTRIBUTION = "alarm-reconciler"
_REQUIREMENT = re.compile(r"""([\w.-]+)(?:\[([\w,-]+)\])?.*;.*\bextra\s*==\s*["']([\w-]+)["']""")

Extras = Mapping[str, Mapping[str, str | None]]
"""The packages of each extra and their versions; None: not installed."""


@app.command()
def version(ctx: typer.Context, format: DataFormatOption = DataFormat.TEXT) -> ExitCode:
    """Show the version and the installed extras."""
    found = extras()
    Terminal.of(ctx).result(
        format,
        text=lambda: _lines(found),
        document=lambda: version_document(found),
    )
    return ExitCode.DONE


def extras() -> Extras:
    """The extras of the installed distribution, except those for development; empty if it is not installed."""
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    direct: dict[str, list[str]] = {}
    included: dict[str, list[str]] = {}
    for requirement in filter(None, map(_REQUIREMENT.fullmatch, required)):
        package, parts, extra = requirement.groups()
        if package == DISTRIBUTION:
            included.setdefault(extra, []).extend(parts.split(","))
        else:
            direct.setdefault(extra, []).append(package)
    names = sorted({*direct, *included} - {"dev"})
    return {
        name: {
            package: _installed(package)
            for extra in (name, *included.get(name, ()))
            for package in direct.get(extra, ())
        }
        for name in names
    }


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _lines(found: Extras) -> Iterator[Line]:
    yield line(f"reconciler {__version__}")
    yield line((f"Python {platform.python_version()} on {platform.system()}", Style.DIM))
    for name, packages in found.items():
        told = ", ".join(f"{package} {version}" for package, version in packages.items() if version is not None)
        missing = [package for package, version in packages.items() if version is None]
        if missing:
            told = f"{', '.join(missing)} not installed: {install_command(name)}"
        yield line((f"extra {name:13}", Style.DIM), told, hang=19)
