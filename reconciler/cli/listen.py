"""Listening: the address of a notification receiver, and its secrets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.terminal import Terminal
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.views.text.line import line

if TYPE_CHECKING:
    from reconciler.live.server import LivePage
    from reconciler.session.receiver import RunReceiver

LOOPBACK = ("127.0.0.1", "::1", "localhost")
TOKEN_ENV, SENDER_TOKEN_ENV, HOOKS_ENV = "RECONCILER_RECEIVER_TOKEN", "RECONCILER_SENDER_TOKEN", "RECONCILER_HOOKS"

ListenOption = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help="Receive notifications here during the run: the receiver of providers with `endpoint: listen`.",
        show_default=False,
    ),
]


def _hostname(clients: str, needs: str = "") -> Any:
    """The host name option of every command that serves, with its help text."""
    told = f"A host name under which {clients} reach it; may be repeated. Requests for other hosts are refused."
    return typer.Option(
        "--hostname",
        metavar="NAME",
        help=f"With {needs}: {told[0].lower()}{told[1:]}" if needs else told,
        show_default="loopback, and the address listened on",
    )


HostnameOption = Annotated[list[str] | None, _hostname("senders", "--listen")]
RunHostnameOption = Annotated[list[str] | None, _hostname("senders or browsers", "--listen or --live")]
SenderHostnameOption = Annotated[list[str] | None, _hostname("senders")]
ClientHostnameOption = Annotated[list[str] | None, _hostname("clients")]
LiveOption = Annotated[
    bool, typer.Option("--live", help="Serve a page on which browsers watch the drill while it runs.")
]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port",
        metavar="N",
        min=0,
        max=65535,
        help="With --live: the port; a free one by default.",
        show_default=False,
    ),
]
BindOption = Annotated[
    str | None,
    typer.Option(
        "--bind",
        metavar="HOST",
        help="With --live: the address to serve the page at; loopback by default.",
        show_default=False,
    ),
]


def live_page(live: bool, port: int | None, bind: str | None, hostnames: Sequence[str] | None) -> LivePage | None:
    """The page of ``--live``; None without it."""
    if not live:
        for option, value in (("--port", port), ("--bind", bind)):
            if value is not None:
                raise DiagnosticError(Diagnostic(f"{option} requires --live"))
        return None
    try:
        from reconciler.live.server import LivePage
    except ImportError as error:
        raise DiagnosticError(
            Diagnostic(f"the page needs {error.name}, which is not installed", hint=install_command("server"))
        ) from None
    return LivePage((bind or LOOPBACK[0]).strip("[]"), port or 0, frozenset(hostnames or ()))


@contextmanager
def listening(terminal: Terminal, listen: str | None, hostnames: Sequence[str] | None) -> Iterator[RunReceiver | None]:
    """The receiver of ``--listen`` while the block runs; None without it.

    Senders' tokens come from the same variables as those of ``reconciler receive``.
    """
    if listen is None:
        if hostnames:
            raise DiagnosticError(Diagnostic("--hostname requires --listen"))
        yield None
        return
    from reconciler.session.receiver import run_receiver

    host, port = listen_address(listen)
    sender_token = secret(terminal, SENDER_TOKEN_ENV, None)
    hooks = hook_tokens(secret(terminal, HOOKS_ENV, None) or "")
    terminal.redact([text for text in (sender_token, *hooks.values()) if text])
    check_closed(host, sender_token, f"set {SENDER_TOKEN_ENV}, and have Alertmanager send it")
    with run_receiver(
        host, port, hostnames=frozenset(hostnames or ()), sender_token=sender_token, hooks=hooks
    ) as receiver:
        terminal.redact([receiver.endpoint.token])
        terminal.message([line(f"Receiving notifications at {receiver.endpoint.url} during this run.")])
        yield receiver


def check_closed(host: str, sender_token: str | None, hint: str) -> None:
    """Raise DiagnosticError if anyone on the network could send to a receiver."""
    if sender_token is None and host not in LOOPBACK:
        raise DiagnosticError(Diagnostic(f"anyone who reaches {host} could send to /alertmanager", hint=hint))


def listen_address(text: str) -> tuple[str, int]:
    """Parse ``HOST:PORT``, an IPv6 address in brackets."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not (colon and port.isdecimal() and int(port) < 65536) or not host or (":" in host and not bracketed):
        raise DiagnosticError(Diagnostic(f"--listen {text}: expected HOST:PORT, like 127.0.0.1:8090 or [::1]:8090"))
    return host.strip("[]"), int(port)


def secret(terminal: Terminal, variable: str, file: Path | None) -> str | None:
    """The content of a file, or of a variable; None if there is neither."""
    text = terminal.environ.get(variable) if file is None else file.read_text(encoding="utf-8")
    text = None if text is None else text.strip()
    if file is not None and not text:
        raise DiagnosticError(Diagnostic(f"{file}: the file is empty"))
    return text or None


def hook_tokens(text: str) -> dict[str, str]:
    """Parse ``NAME:TOKEN`` words into a mapping; a word without a colon is not quoted, since it may be a secret."""
    hooks = {}
    for word in text.split():
        name, colon, token = word.partition(":")
        if not (name and colon and token) or not all(each.isalnum() or each in "-_." for each in token):
            raise DiagnosticError(
                Diagnostic("a hook is NAME:TOKEN; the token, since it stands in a URL, of letters, digits and -_.")
            )
        if name in hooks:
            raise DiagnosticError(Diagnostic(f"there are two hooks named {name}"))
        hooks[name] = token
    return hooks
