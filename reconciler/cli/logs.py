"""Logs: records on standard error, as text or JSON, free of secrets and control characters."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from enum import StrEnum

from reconciler.cli.terminal import Terminal
from reconciler.core.text import printable, printable_json


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The format of records."""

    TEXT = "text"
    JSON = "json"


class _Formatter(logging.Formatter):
    """Formats a record on one line; a traceback only at debug level."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self.terminal = terminal

    def format(self, record: logging.LogRecord) -> str:
        redact = self.terminal.redactor
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        detail = None
        if record.exc_info and logging.getLogger().isEnabledFor(logging.DEBUG):
            detail = redact.redact(self.formatException(record.exc_info))
        message = redact.redact(record.getMessage())
        if self.terminal.json_logs:
            members = {"time": moment, "level": record.levelname.lower(), "logger": record.name, "message": message}
            if detail:
                members["detail"] = detail
            return printable_json(json.dumps(members, ensure_ascii=False))
        lines = [f"{moment} {record.levelname.lower():7} {record.name}: {printable(message)}"]
        lines += [f"  {printable(text)}" for text in (detail or "").splitlines()]
        return "\n".join(lines)


class _Handler(logging.Handler):
    """Writes to the terminal's standard error."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._terminal.log(self.format(record))
        except Exception:  # noqa: BLE001  # a record must not end a command, and there is nowhere left to complain
            return


class Logs:
    """The logging of one command."""

    def __init__(self, terminal: Terminal) -> None:
        self._handler = _Handler(terminal)
        self._handler.setFormatter(_Formatter(terminal))
        self._before = logging.WARNING

    def __enter__(self) -> None:
        self._before = logging.getLogger().level
        logging.getLogger().addHandler(self._handler)
        logging.getLogger().setLevel(logging.WARNING)
        logging.captureWarnings(True)

    def __exit__(self, *_: object) -> None:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().setLevel(self._before)
