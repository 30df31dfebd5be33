"""Options that several commands share, and the command line that repeats them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli import completers
from reconciler.cli.terminal import DataFormat, Format, Terminal

HERE = Path()


def _remember(ctx: typer.Context, value: str) -> str:
    """Store the format in the terminal before the command starts, so that errors are reported in it too."""
    Terminal.of(ctx).format = Format(value)
    return value


def _show_all(ctx: typer.Context, value: bool) -> bool:
    Terminal.of(ctx).full = value
    return value


PathArgument = Annotated[
    Path,
    typer.Argument(
        metavar="DIR|FILE",
        help="The stack: a directory of *.yaml files, or one file.  [default: here]",
        show_default=False,
    ),
]
WhereArgument = Annotated[
    str,
    typer.Argument(
        metavar="DIR|FILE|URL",
        help="The stack's directory, a file of it, the ledger file, or the URL of a shared ledger.  [default: here]",
        show_default=False,
    ),
]
StackOption = Annotated[
    str | None,
    typer.Option("--stack", metavar="NAME", help="Which stack, if there are several.", show_default=False),
]
DataFormatOption = Annotated[
    DataFormat, typer.Option("--format", help="How to write the result.", callback=_remember, show_default=True)
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="How to write the result.", callback=_remember, show_default=True)
]
FullOption = Annotated[
    bool,
    typer.Option("--full", help="Show every instance of a for_each, however many change alike.", callback=_show_all),
]
VarOption = Annotated[
    list[str] | None,
    typer.Option("--var", metavar="NAME=VALUE", help="Set a variable; may be repeated.", show_default=False),
]
VarFileOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--var-file",
        metavar="FILE",
        help="Read variables from a YAML file; may be repeated. Later files win, --var wins over all.",
        show_default=False,
    ),
]
TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="ADDRESS",
        help="Plan only this address and what it depends on; may be repeated.",
        show_default=False,
        autocompletion=completers.addresses,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="ADDRESS",
        help="Leave this address as it is; may be repeated.",
        show_default=False,
        autocompletion=completers.addresses,
    ),
]
ReplaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--replace",
        metavar="ADDRESS",
        help="Raise this alarm again, as declared: clear it, then push it; may be repeated.",
        show_default=False,
        autocompletion=completers.addresses,
    ),
]
CompactOption = Annotated[
    bool, typer.Option("--compact", help="Show one line for each change, without its attributes.")
]
LockTimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--lock-timeout",
        metavar="DURATION",
        help="How long to wait while another run holds the lease on the stack, such as 90s or 10m.",
        show_default="0s",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Proceed even if the stack's guards would refuse.")]
AutoApproveOption = Annotated[bool, typer.Option("--auto-approve", help="Do not ask before applying.")]
ParallelismOption = Annotated[
    int | None,
    typer.Option(
        "--parallelism",
        metavar="N",
        min=1,
        max=256,
        help="Concurrent requests to each provider; overrides its settings.",
        show_default=False,
    ),
]
NoVerifyOption = Annotated[
    bool,
    typer.Option(
        "--no-verify",
        help="Do not wait until the service shows what was pushed. An alarm that was pushed again is still queried "
        "once, so that a duplicate is cleared.",
    ),
]
DeadlineOption = Annotated[
    str | None,
    typer.Option(
        "--deadline",
        metavar="DURATION",
        help="Send nothing new once the run has taken this long, such as 90s or 10m.",
        show_default="1h",
    ),
]


def next_command(
    words: str,
    stack: Path,
    *files: Path | str,
    var: Sequence[str] | None = None,
    var_file: Sequence[Path] | None = None,
) -> str:
    """``reconciler WORDS [STACK] [FILES] [--var-file F]... [--var N=V]...``, quoted for a shell."""
    import shlex

    places = [str(place) for place in (stack, *files) if place != Path()]
    options = [part for file in var_file or () for part in ("--var-file", str(file))]
    options += [part for text in var or () for part in ("--var", text)]
    return f"reconciler {words} {shlex.join([*places, *options])}".rstrip()
