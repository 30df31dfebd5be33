"""The command line: one thin module per command.

A command is a module of this package named after it, which does three things: read options, call the part of the
project that does the work, hand the result to a view. The pattern::

    from reconciler.somewhere import heavy_work

    app = command_app()

    @app.command(epilog=examples("reconciler frobnicate stacks/checkout"))
    def frobnicate(ctx: typer.Context, path: PathArgument = HERE, format: FormatOption = Format.TEXT) -> ExitCode:
        \"\"\"First line: what it does, in the list of commands. The rest is for ``frobnicate --help``.\"\"\"
        terminal = Terminal.of(ctx)
        result = heavy_work(path)
        terminal.result(format, text=lambda: frobnicate_lines(result), document=lambda: frobnicate_document(result))
        return ExitCode.DONE

- Register it in ``reconciler.cli.app.COMMANDS``, by its name and the first line of its help; nothing else lists it.
  That table imports the module when the command is run or completed: the one lazy import of a command, so that
  ``--help`` and ``version`` load nothing that costs time. Tests hold them to that.
- What few uses of a command need, or what may not be installed (requests, deepdiff, the servers, database drivers), is
  imported where it is used: docs/decisions/0011-one-lazy-import-per-command.md lists the places.
- A group (``ledger list``) is a module whose app has a callback and several commands.
- Options that several commands share are in ``reconciler.cli.options``; ``--log-level``, ``--log-format`` and
  ``--no-color`` are given to every command by ``reconciler.cli.app`` and need no code in it.
- It returns an ``ExitCode`` and never calls ``sys.exit``. It catches no errors of the user's or a service's making:
  it lets ``DiagnosticError``, ``ServiceError`` or ``LeaseHeldError`` rise, and ``reconciler.app.errors`` turns them
  into diagnostics and an exit code, in the format asked for.
- It writes only through its ``Terminal``: ``result`` for the result (standard output), ``message`` for what goes
  beside it (standard error), ``report`` for diagnostics, ``write_file`` for a file that the user names, ``ask`` for a
  question. Code that reads a configuration passes its secrets to ``Terminal.redact`` (``reconciler.cli.stack`` does):
  from then on no line, document or log record shows them.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from typing import NoReturn

_TIME_ZONES = "/usr/share/zoneinfo:/usr/lib/zoneinfo:/usr/share/lib/zoneinfo:/etc/zoneinfo"


def main() -> NoReturn:
    """Run the command of ``sys.argv``: the console script.

    What is set here is for a process that is ours alone, and takes a third off a small plan (figures in
    docs/decisions/0009-where-the-time-goes.md). The end does not take apart, object by object, what the system frees
    at once.
    """
    # pydantic looks for plugins among all installed packages otherwise.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    if os.name == "posix":
        # zoneinfo reads all of Python's build settings otherwise, for what are these directories nearly everywhere;
        # where the time zones are elsewhere, the package tzdata has them.
        os.environ.setdefault("PYTHONTZPATH", _TIME_ZONES)
    # requests loads one of these to guess encodings: none is guessed here, and it says that it does without.
    for guesser in ("charset_normalizer", "chardet"):
        sys.modules[guesser] = None  # type: ignore[assignment]  # how an import is refused
    warnings.filterwarnings("ignore", "Unable to find")
    from reconciler.core.gc_tuning import collect_rarely

    collect_rarely()
    from reconciler.cli.app import run
    from reconciler.cli.signals import sigterm_as_interrupt

    sigterm_as_interrupt()
    code = run(sys.argv[1:])
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
