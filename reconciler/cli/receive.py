"""``reconciler receive``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from reconciler.cli.command import ExitCode, command_app, examples
from reconciler.cli.listen import (
    HOOKS_ENV,
    SENDER_TOKEN_ENV,
    TOKEN_ENV,
    SenderHostnameOption,
    check_closed,
    hook_tokens,
    listen_address,
    secret,
)
from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.core.duration import parse_duration
from reconciler.views.text.line import line

app = command_app()


@app.command(
    epilog=examples(
        "RECONCILER_RECEIVER_TOKEN=... reconciler receive",
        "reconciler receive --listen 0.0.0.0:8090 --hostname receiver.example.com --db /data/receiver.db",
        "reconciler receive --smn-topic urn:smn:cn-north-4:PROJECT:alarms --retention 30d",
    )
)
def receive(
    ctx: typer.Context,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:8090",
    hostname: SenderHostnameOption = None,
    db: Annotated[
        str,
        typer.Option(
            "--db",
            metavar="FILE|URL",
            help="Keep deliveries in this SQLite file, or in this PostgreSQL database (postgresql://...).",
            envvar="RECONCILER_RECEIVER_DB",
            show_envvar=True,
        ),
    ] = ".reconciler/receiver.db",
    token_env: Annotated[
        str, typer.Option("--token-env", metavar="NAME", help="The variable with the token that queries must carry.")
    ] = TOKEN_ENV,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Read that token from a file.", show_default=False),
    ] = None,
    sender_token_env: Annotated[
        str,
        typer.Option(
            "--sender-token-env", metavar="NAME", help="The variable with the token that an Alertmanager must send."
        ),
    ] = SENDER_TOKEN_ENV,
    sender_token_file: Annotated[
        Path | None,
        typer.Option("--sender-token-file", metavar="FILE", help="Read that token from a file.", show_default=False),
    ] = None,
    open_to_senders: Annotated[
        bool,
        typer.Option("--open-to-senders", help="Let an Alertmanager send without a token, even from other machines."),
    ] = False,
    hooks_env: Annotated[
        str,
        typer.Option(
            "--hooks-env", metavar="NAME", help="The variable with the tokens of /hook/TOKEN, as NAME:TOKEN pairs."
        ),
    ] = HOOKS_ENV,
    hooks_file: Annotated[
        Path | None,
        typer.Option("--hooks-file", metavar="FILE", help="Read those pairs from a file.", show_default=False),
    ] = None,
    smn_topic: Annotated[
        list[str] | None,
        typer.Option(
            "--smn-topic",
            metavar="URN",
            help="Accept messages of this SMN topic, and confirm its subscription; may be repeated.",
            show_default=False,
        ),
    ] = None,
    smn_host: Annotated[
        list[str] | None,
        typer.Option(
            "--smn-host",
            metavar="HOST",
            help="Another host that SMN certificates and confirmations may be requested from; may be repeated.  "
            "[default: smn.REGION.myhuaweicloud.com of each topic]",
            show_default=False,
        ),
    ] = None,
    smn_ca: Annotated[
        Path | None,
        typer.Option("--smn-ca", metavar="FILE", help="Verify those hosts with this CA bundle.", show_default=False),
    ] = None,
    retention: Annotated[
        str, typer.Option("--retention", metavar="DURATION", help="How long deliveries are kept.")
    ] = "7d",
    body_retention: Annotated[
        str, typer.Option("--body-retention", metavar="DURATION", help="How long bodies are kept; 0s keeps none.")
    ] = "1d",
    max_deliveries: Annotated[
        int,
        typer.Option(
            "--max-deliveries", metavar="N", min=1, help="Keep this many at most; the oldest are removed first."
        ),
    ] = 1_000_000,
    max_body: Annotated[int, typer.Option("--max-body", metavar="BYTES", min=1_024, help="Refuse larger bodies.")] = 4
    * 1024
    * 1024,
    max_rate: Annotated[
        int,
        typer.Option("--max-rate", metavar="N", min=1, help="Accept at most this many requests a second on each path."),
    ] = 5_000,
    tls_cert: Annotated[
        Path | None,
        typer.Option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate.", show_default=False),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's key.", show_default=False)
    ] = None,
) -> ExitCode:
    """Serve a receiver that proves that notifications arrive.

    Point an Alertmanager webhook at /alertmanager, an SMN subscription at /smn, anything else at /hook/TOKEN; what
    arrived is at GET /deliveries. Tokens come from variables or files, and have at least 16 characters. The address
    goes to standard output as soon as requests are accepted; Ctrl-C stops the server.
    """
    terminal = Terminal.of(ctx)
    host, port = listen_address(listen)
    token = secret(terminal, token_env, token_file)
    sender_token = secret(terminal, sender_token_env, sender_token_file)
    hooks = hook_tokens(secret(terminal, hooks_env, hooks_file) or "")
    terminal.redact([text for text in (token, sender_token, *hooks.values(), urlsplit(db).password) if text])
    if token is None:
        raise DiagnosticError(
            Diagnostic(
                "there is no token for queries",
                hint=f"set {token_env} to 16 random characters or more, or name a file with --token-file",
            )
        )
    if not open_to_senders:
        check_closed(
            host, sender_token, f"set {sender_token_env} and have Alertmanager send it, or use --open-to-senders"
        )
    if (tls_cert is None) != (tls_key is None):
        raise DiagnosticError(Diagnostic("--tls-cert and --tls-key belong together"))

    def ready(url: str) -> None:
        terminal.result(terminal.format, text=lambda: [line(url)])
        terminal.message([line(f"Receiving notifications at {url}; Ctrl-C stops the server.")])

    try:
        from reconciler.receive.server import serve
        from reconciler.receive.settings import Settings

        settings = Settings(
            db=db if "://" in db else Path(db),
            token=token,
            sender_token=sender_token,
            hooks=hooks,
            hosts=frozenset(hostname or ()),
            smn_topics=frozenset(smn_topic or ()),
            smn_hosts=frozenset(smn_host or ()),
            smn_ca=smn_ca,
            retention=parse_duration(retention),
            body_retention=parse_duration(body_retention),
            max_deliveries=max_deliveries,
            max_body=max_body,
            max_rate=max_rate,
            tls_certificate=tls_cert,
            tls_key=tls_key,
        )
        serve(settings, host, port, on_ready=ready)
    except ModuleNotFoundError as error:
        extra = "postgres" if error.name == "psycopg" else "server"
        raise DiagnosticError(
            Diagnostic(
                f"the receiver needs {error.name}, which is not installed",
                hint=f"install the extra: {install_command(extra)}",
            )
        ) from None
    except ValueError as error:
        raise DiagnosticError(Diagnostic(str(error), hint="`reconciler receive --help` lists the options")) from None
    except OSError as error:
        where = error.filename or listen
        raise DiagnosticError(Diagnostic(f"cannot serve on {where}: {error.strerror or error}")) from None
    return ExitCode.DONE
