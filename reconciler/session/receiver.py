"""The receiver of a run: started and stopped with a command, and notified by the embedded emulator."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.core.system_clock import now
from reconciler.providers.protocol import ReceiverEndpoint

EMBEDDED_HOOK = "embedded"
"""The receiver's name for notifications of the embedded emulator."""

_WILDCARDS = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}


class RunReceiver:
    """A running receiver: how to query it, and where the emulator sends notifications."""

    __slots__ = ("endpoint", "hook_url")

    def __init__(self, endpoint: ReceiverEndpoint, hook_url: str) -> None:
        self.endpoint = endpoint
        self.hook_url = hook_url

    @property
    def alertmanager_config(self) -> Mapping[str, object]:
        """The configuration of an emulated Alertmanager that notifies this receiver of each alert separately
        and soon.
        """
        hook = {"url": self.hook_url, "send_resolved": True, "max_alerts": 0}
        route = {"receiver": EMBEDDED_HOOK, "group_by": ["..."], "group_wait": "50ms", "group_interval": "50ms"}
        return {"route": route, "receivers": [{"name": EMBEDDED_HOOK, "webhook_configs": [hook]}]}


@contextmanager
def run_receiver(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    hostnames: frozenset[str] = frozenset(),
    sender_token: str | None = None,
    hooks: Mapping[str, str] | None = None,
    clock: Callable[[], int] | None = None,
) -> Iterator[RunReceiver]:
    """Run a receiver while the block runs. Raises DiagnosticError if it cannot be started."""
    try:
        from reconciler.receive.server import running_receiver
        from reconciler.receive.settings import Settings
    except ImportError as error:
        raise DiagnosticError(
            Diagnostic(
                f"the receiver needs {error.name}, which is not installed",
                hint=install_command("server"),
            )
        ) from None
    token, hook_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with TemporaryDirectory(prefix="reconciler-receiver-") as directory, ExitStack() as resources:
        try:
            settings = Settings(
                db=Path(directory) / "receiver.db",
                token=token,
                sender_token=sender_token,
                hooks={**(hooks or {}), EMBEDDED_HOOK: hook_token},
                hosts=hostnames,
                body_retention=0,
                clock=clock or now,
            )
            url = resources.enter_context(running_receiver(settings, host, port))
        except ValueError as error:
            raise DiagnosticError(Diagnostic(f"the receiver cannot start: {error}")) from None
        except OSError as error:
            raise DiagnosticError(
                Diagnostic(f"cannot listen on {host}:{port}: {error.strerror or error}", hint="choose another --listen")
            ) from None
        for wildcard, loopback in _WILDCARDS.items():
            url = url.replace(wildcard, loopback)
        yield RunReceiver(ReceiverEndpoint(url, token), f"{url}/hook/{hook_token}")
