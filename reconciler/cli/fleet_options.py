"""The options of ``reconciler fleet``: which stacks, how many at once, on which engine, and the report's format."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli import completers
from reconciler.cli.terminal import Format, Terminal


class EngineName(StrEnum):
    """What runs the stacks."""

    PROCESSES = "processes"
    DASK = "dask"


class FleetFormat(StrEnum):
    """How the report of a fleet is written."""

    TEXT = Format.TEXT.value
    JSON = Format.JSON.value
    MARKDOWN = Format.MARKDOWN.value
    JUNIT = "junit"


def _remember(ctx: typer.Context, value: str) -> str:
    """Store the format in the terminal, so that errors are reported in it too, except in JUnit."""
    Terminal.of(ctx).format = Format.TEXT if value == FleetFormat.JUNIT else Format(value)
    return value


WhatArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="DIR|FILE",
        help="A fleet file, or its directory; or directories with stacks in and below them.  [default: here]",
        show_default=False,
    ),
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME",
        help="Only in this environment of the fleet file; may be repeated.",
        show_default=False,
        autocompletion=completers.environments,
    ),
]
ChangedSinceOption = Annotated[
    str | None,
    typer.Option(
        "--changed-since",
        metavar="REF",
        help="Only stacks whose files, includes or var-files changed in Git since this branch left REF.",
        show_default=False,
    ),
]
ParallelOption = Annotated[
    int | None,
    typer.Option(
        "--parallelism",
        metavar="N",
        min=1,
        max=256,
        help="How many stacks run at once.",
        show_default="8, or max_parallel",
    ),
]
MaxFailuresOption = Annotated[
    int | None,
    typer.Option("--max-failures", metavar="N", min=1, help="Start no further stacks after this many failures."),
]
UnitDeadlineOption = Annotated[
    str | None,
    typer.Option(
        "--deadline", metavar="DURATION", help="How long one stack may take, such as 90s or 10m.", show_default="1h"
    ),
]
DetailedOption = Annotated[bool, typer.Option("--detailed-exitcode", help="Exit with 2 if there are changes.")]
FleetFormatOption = Annotated[
    FleetFormat, typer.Option("--format", help="How to write the report.", callback=_remember)
]
EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="Run on processes of this machine, or on a Dask cluster.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="URL",
        help="The scheduler of the Dask cluster, such as tcp://dask-scheduler:8786.",
        show_default=False,
    ),
]
