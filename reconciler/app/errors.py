"""Errors: converts every error that can end a command or a unit of a fleet into diagnostics and an exit code."""

from __future__ import annotations

import logging
from typing import NamedTuple
from urllib.parse import urlsplit

from reconciler.apply.verify import DeniedError
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.duration import format_instant
from reconciler.core.exit_code import ExitCode
from reconciler.core.target import is_loopback
from reconciler.ledger.protocol import LeaseHeldError, LeaseLostError
from reconciler.providers.protocol import ErrorKind, ServiceError

ISSUES = "the project's issue tracker"
_log = logging.getLogger(__name__)


class Failure(NamedTuple):
    """How a command, or a unit of a fleet, failed."""

    diagnostics: tuple[Diagnostic, ...]
    exit_code: ExitCode = ExitCode.ERROR


def describe_error(error: Exception) -> Failure:
    """Describe an error to its reader. An unexpected one becomes an internal error, with its traceback in the debug
    log.
    """
    if isinstance(error, DiagnosticError):
        return Failure(error.diagnostics)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return Failure((Diagnostic(f"{where}{error.strerror}", hint="check the path and its permissions"),))
    return _service(error) or _lease(error) or _internal_error(error)


def _service(error: Exception) -> Failure | None:
    if isinstance(error, DeniedError):
        kind = ErrorKind.DENIED
    elif isinstance(error, ServiceError):
        kind = error.kind
    else:
        return None
    answer = error.detail
    reading = isinstance(error, ServiceError) and error.reading
    hints = {
        ErrorKind.DENIED: "check the credentials under `providers`, their project, and the permissions they grant",
        ErrorKind.BUSY: "wait a moment, then run the command again; `rate_limit` under `providers` slows it down",
        ErrorKind.UNSENT: "check `endpoint` or `region` under `providers`, the network, and the proxy settings",
        ErrorKind.AMBIGUOUS: "this request changes nothing; run the command again"
        if reading
        else "run the command again: what was stored meanwhile is found, and not sent twice",
        ErrorKind.REJECTED: "the service read the request and refused it: compare it with what the message names"
        if not answer.status or answer.status >= 400
        else "nothing was changed: check that `endpoint` leads to the service itself, then report this to its operator",
    }
    facts = [f"provider: {error.provider}"] if isinstance(error, ServiceError) and error.provider else []
    facts += [f"request: {answer.request}"] if answer.request else []
    facts += [f"status: {answer.status}"] if answer.status else []
    facts += [f"code: {answer.code}"] if answer.code else []
    facts += [f"trace: {answer.trace_id}"] if answer.trace_id else []
    summary = "\n".join(((answer.message or "the service gave no reason").removesuffix("."), *facts))
    position = error.position if isinstance(error, ServiceError) else None
    return Failure((Diagnostic(summary, position, _emulator_hint(kind, answer.request) or hints[kind]),))


def _emulator_hint(kind: ErrorKind, request: str | None) -> str | None:
    """A hint for a connection refused on this machine: the emulator is not running."""
    url = (request or "").partition(" ")[2]
    if kind is not ErrorKind.UNSENT or not is_loopback(url):
        return None
    port = urlsplit(url).port
    start = f"reconciler emulator --port {port}" if port else "reconciler emulator"
    return f"nothing answers there: start the emulator with `{start}`, or check `endpoint` under `providers`"


def _lease(error: Exception) -> Failure | None:
    if isinstance(error, LeaseHeldError):
        holder = error.holder
        summary = f"another run holds the lease on this stack: {holder}"
        hint = (
            f"it has held it since {format_instant(holder.acquired_at)} and the lease lapses at "
            f"{format_instant(holder.expires_at)} if that run is gone; wait for it, or, if you are sure that it is "
            "dead, break it with `reconciler ledger unlock`"
        )
        return Failure((Diagnostic(summary, hint=hint),), ExitCode.LEASE_HELD)
    if isinstance(error, LeaseLostError):
        return Failure(
            (
                Diagnostic(
                    "this run lost the lease on its stack: another run took it over, or someone unlocked it",
                    hint="see `reconciler ledger list`, then run `reconciler apply` again to settle what is open",
                ),
            ),
            ExitCode.PARTIAL,
        )
    return None


def _internal_error(error: Exception) -> Failure:
    _log.debug("internal error", exc_info=error)
    return Failure(
        (
            Diagnostic(
                f"internal error: {type(error).__name__}: {error}",
                hint=f"this is a bug in reconciler: please report it to {ISSUES}, with the output of "
                "the same command under `--log-level debug` (it contains no secrets)",
            ),
        )
    )
