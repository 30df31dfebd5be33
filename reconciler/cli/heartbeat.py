"""The heartbeat: rounds of checks at a steady pace, until it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from reconciler.app.errors import describe_error
from reconciler.cli.command import ExitCode
from reconciler.cli.signals import stop_on_signal
from reconciler.cli.terminal import Terminal
from reconciler.core.clock import Clock
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import parse_duration


def duration_option(name: str, text: str) -> int:
    """The milliseconds of an option's duration. Raises DiagnosticError."""
    try:
        milliseconds = parse_duration(text)
    except ValueError as error:
        raise DiagnosticError(Diagnostic(f"{name}: {error}")) from None
    if milliseconds <= 0:
        raise DiagnosticError(Diagnostic(f"{name} must be longer than 0s"))
    return milliseconds


def run_rounds(
    terminal: Terminal,
    run_round: Callable[[], ExitCode],
    failed: Callable[[Exception], None],
    every: int,
    rounds: int | None,
    clock: Clock,
    stop: Event,
) -> ExitCode:
    """Run a round every ``every`` milliseconds, or immediately if one took longer; returns the last complete round's
    exit code.

    A round that ends with an error is reported, and the next one follows; an error of the first one is raised.
    """
    last: ExitCode | None = None
    with stop_on_signal(stop, lambda: None):
        number = 0
        while not stop.is_set():
            began = clock.monotonic()
            try:
                code = run_round()
            except Exception as error:  # continue: the cause may be gone in the next round
                if last is None:
                    raise
                terminal.report(describe_error(error).diagnostics)
                failed(error)
                code = ExitCode.ERROR
            last = last if code is ExitCode.INTERRUPTED else code
            number += 1
            if number == rounds:
                break
            clock.pause(max(0, began + every - clock.monotonic()), stop)
    return ExitCode.INTERRUPTED if last is None else last
