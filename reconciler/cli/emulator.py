"""``reconciler emulator``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.command import ExitCode, command_app
from reconciler.cli.listen import ClientHostnameOption
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.views.text.line import line

LOOPBACK = ("127.0.0.1", "::1", "localhost")

app = command_app()


@app.command(epilog="Every switch, fault and admin endpoint is explained in docs/emulator.md.")
def emulator(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Which port; 0 takes a free one.")] = 8080,
    hostname: ClientHostnameOption = None,
    db: Annotated[
        Path | None,
        typer.Option("--db", metavar="FILE", help="Keep the data in this SQLite file.", show_default="in memory"),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TOKEN",
            help="Require this token, or one that its IAM issued.",
            envvar="RECONCILER_EMULATOR_TOKEN",
            show_default="any",
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="AK:SK", help="Verify signatures with this key; may be repeated."),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option("--user", metavar="NAME:PASSWORD", help="A user to whom its IAM issues tokens; may be repeated."),
    ] = None,
    seed: Annotated[
        Path | None,
        typer.Option(
            "--seed",
            metavar="FILE",
            help="Alarm histories, notification rules, faults and an Alertmanager's configuration to start with.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault", metavar="FAULT", help="A fault to inject, such as push:status=503,nth=3; may be repeated."
        ),
    ] = None,
    on_repeat: Annotated[
        str | None,
        typer.Option("--on-repeat", metavar="merge|duplicate", help="What pushing an active alarm again does."),
    ] = None,
    on_bad_event: Annotated[
        str | None,
        typer.Option(
            "--on-bad-event",
            metavar="reject-batch|reject-event",
            help="What a bad event makes the service reject.",
        ),
    ] = None,
    timeout_from: Annotated[
        str | None,
        typer.Option("--timeout-from", metavar="start|arrival", help="What an alarm's timeout counts from."),
    ] = None,
    visible_after: Annotated[
        str | None,
        typer.Option("--visible-after", metavar="DURATION", help="How long it takes until a write is visible."),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate.", show_default=False),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's key.", show_default=False)
    ] = None,
    switch: Annotated[
        list[str] | None,
        typer.Option("--switch", metavar="NAME=VALUE", help="Any other switch of its behaviour; may be repeated."),
    ] = None,
) -> ExitCode:
    """Serve emulated services, to work without a cloud.

    AOM, CES, BCM, SMN, IAM for tokens, and Alertmanager. The address goes to standard output as soon as requests are
    accepted; Ctrl-C stops the server.
    """
    named = {
        "on_repeat": on_repeat,
        "on_bad_event": on_bad_event,
        "timeout_from": timeout_from,
        "visible_after": visible_after,
    }
    switches = [*(f"{name}={value}" for name, value in named.items() if value is not None), *(switch or [])]
    terminal = Terminal.of(ctx)
    pairs = {"--key": _pairs("--key", key or []), "--user": _pairs("--user", user or [])}
    terminal.redact(
        [each for each in (token, *(secret for pair in pairs.values() for secret in pair.values())) if each]
    )
    if host not in LOOPBACK and token is None:
        terminal.message(
            [line(f"Warning: anyone who can reach {host} can use this emulator; use --token to require a token.")]
        )

    def ready(url: str) -> None:
        terminal.result(terminal.format, text=lambda: [line(url)])
        terminal.message(
            [line(f"Emulating AOM, CES, BCM, SMN, IAM and Alertmanager (/alertmanager) at {url}; Ctrl-C to stop.")]
        )

    try:
        from reconciler.emulator.server import serve
        from reconciler.emulator.settings import Settings, User, read_switches

        settings = Settings(
            db=db,
            hosts=frozenset(hostname or ()),
            token=token,
            keys=pairs["--key"],
            users=tuple(User(name, password) for name, password in pairs["--user"].items()),
            seed=seed,
            faults=tuple(fault or ()),
            tls_certificate=tls_cert,
            tls_key=tls_key,
            **read_switches(switches),
        )
        serve(settings, host, port, on_ready=ready)
    except ModuleNotFoundError as error:
        extra = f"install the extra: {install_command('emulator')}"
        raise DiagnosticError(
            Diagnostic(f"the emulator needs {error.name}, which is not installed", hint=extra)
        ) from None
    except ValueError as error:
        what = "`reconciler emulator --help` lists the options"
        if seed is not None and str(seed) in str(error):
            what = "docs/emulator.md describes the file for --seed"
        raise DiagnosticError(Diagnostic(str(error), hint=what)) from None
    except OSError as error:
        where = error.filename or f"{host}:{port}"
        hint = "choose another --port; --port 0 picks a free one" if error.filename is None else None
        raise DiagnosticError(Diagnostic(f"cannot serve on {where}: {error.strerror}", hint=hint)) from None
    return ExitCode.DONE


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    """Parse texts like ``AK:SK`` into a mapping; a text without a colon is not quoted, since it may be a secret."""
    pairs = {}
    for text in texts:
        name, colon, secret = text.partition(":")
        if not (name and colon and secret):
            raise DiagnosticError(Diagnostic(f"{option} takes a name and a secret with a colon between"))
        pairs[name] = secret
    return pairs
