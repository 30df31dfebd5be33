"""Options that several commands share, so that they read and behave the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.terminal import DataFormat, Format, Terminal

HERE = Path()


def _remember(ctx: typer.Context, value: str) -> str:
    """Let the terminal know the format before the command starts, so that a failure is told in it too."""
    Terminal.of(ctx).format = Format(value)
    return value


PathArgument = Annotated[
    Path,
    typer.Argument(
        metavar="[DIR or FILE]", help="The stack: a file, or a directory of *.yaml files.", show_default="."
    ),
]
DataFormatOption = Annotated[
    DataFormat, typer.Option("--format", help="How to write the result.", callback=_remember, show_default=True)
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="How to write the result.", callback=_remember, show_default=True)
]
VarOption = Annotated[
    list[str], typer.Option("--var", metavar="NAME=VALUE", help="Set a variable; may be repeated.", show_default=False)
]
VarFileOption = Annotated[
    list[Path],
    typer.Option(
        "--var-file",
        metavar="FILE",
        help="Read variables from a YAML file; may be repeated, later files win, --var wins over all.",
        show_default=False,
    ),
]
TargetOption = Annotated[
    list[str],
    typer.Option("--target", metavar="ADDRESS", help="Only this address; may be repeated.", show_default=False),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Go ahead where the stack's guards would refuse.")]
AutoApproveOption = Annotated[bool, typer.Option("--auto-approve", help="Do not ask before applying.")]
ParallelismOption = Annotated[
    int | None,
    typer.Option(
        "--parallelism",
        metavar="N",
        min=1,
        max=256,
        help="Requests under way at once, per provider.",
        show_default="as the provider's settings say",
    ),
]
NoVerifyOption = Annotated[
    bool, typer.Option("--no-verify", help="Do not wait until the service shows what was pushed.")
]
