"""The terminal: a command's streams, and the redaction of both."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import typer

from reconciler.core.text import Redactor
from reconciler.views.text.line import Line, Span

if TYPE_CHECKING:
    from reconciler.cli.ansi import AnsiRenderer
    from reconciler.cli.telemetry import Trace
    from reconciler.core.diagnostic import Diagnostic


_RUNNERS = ("GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")
# GitHub accepts ``::name::`` after white space, and ``##[name]`` anywhere; Azure and TeamCity ``##word[`` anywhere.
_AT_START = r"(?m)^(\s*)(?=::)"
_ANYWHERE = r"##(?=[A-Za-z]*\[)"


def is_ci_log(environ: Mapping[str, str]) -> bool:
    """Whether a CI runner reads this process's output."""
    return any(environ.get(name) for name in _RUNNERS)


def without_commands(text: str) -> str:
    """The text with a backslash before anything that would be a CI command."""
    return re.sub(_ANYWHERE, r"#\\#", re.sub(_AT_START, r"\1\\", text))


def without_commands_json(text: str) -> str:
    """The same for JSON text, whose meaning is unchanged: no line of it begins with a colon."""
    return re.sub(_ANYWHERE, r"#\\u0023", text)


COMMENT_LIMIT = 65_536
"""The maximum length of a comment on a pull request."""
SUMMARY_LIMIT = 1024 * 1024
"""The maximum size (bytes) of a job summary in GitHub Actions."""
_AT_ONCE = 500
"""The number of lines buffered before writing."""

_log = logging.getLogger(__name__)


class Format(StrEnum):
    """The formats of results."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class DataFormat(StrEnum):
    """The formats of results without Markdown."""

    TEXT = Format.TEXT.value
    JSON = Format.JSON.value


class Terminal:
    """The streams of a command; every text passes its redactor.

    Results go to standard output, everything else to standard error. If a reader closes the pipe (``| head``), that is
    no error: the rest is not written, and the command continues. Colours and wrapping are used only on a terminal.
    """

    def __init__(
        self,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.stdin = stdin or sys.stdin or _nowhere("r")
        self.stdout = stdout or sys.stdout or _missing()
        self.stderr = stderr or sys.stderr or _nowhere("w")
        self.environ = os.environ if environ is None else environ
        self.ledger: str | None = None
        self.argv: Sequence[str] = ()  # the words after the program's name
        self.format = Format.TEXT  # the format of error reports
        self.color = not self.environ.get("NO_COLOR")
        self.json_logs = False
        self.live_writer: Callable[[str], None] | None = None  # writes above a live display on standard error
        self.changed = False  # whether the run may have sent something to a service, or broken a lease
        self.broken = False  # whether writing to standard output failed
        self.full = False  # show every instance and problem, however many
        self.telemetry: Trace | None = None  # the trace of the command, if enabled
        self.redactor = Redactor()
        self._in_ci = is_ci_log(self.environ)
        self._renderers: dict[int, AnsiRenderer | None] = {}

    @classmethod
    def of(cls, ctx: typer.Context) -> Terminal:
        """The terminal of a running command."""
        found = ctx.find_object(cls)
        return found if found is not None else ctx.ensure_object(cls)

    @property
    def command(self) -> str:
        """The command line, quoted for a shell, for "to continue: ..."."""
        import shlex

        return shlex.join(["reconciler", *self.argv])

    @property
    def interactive(self) -> bool:
        """Whether a user can answer a prompt."""
        return _is_terminal(self.stdin)

    @property
    def watched(self) -> bool:
        """Whether standard error is a terminal."""
        return _is_terminal(self.stderr) and self.environ.get("TERM") != "dumb"

    def redact(self, secrets: Iterable[str]) -> None:
        """Redact these texts from now on."""
        for secret in secrets:
            self.redactor.add(secret)

    def result(
        self,
        format: Format | DataFormat,
        *,
        text: Callable[[], Iterable[Line]],
        document: Callable[[], Mapping[str, object]] | None = None,
        markdown: Callable[[], str] | None = None,
    ) -> None:
        """Write a result to standard output in one format; only that one is rendered.

        In a job of GitHub Actions, a result with Markdown is also added to the job's summary.
        """
        if format == Format.JSON and document is not None:
            self._document(document())
        elif format == Format.MARKDOWN and markdown is not None:
            self._write(self.stdout, self._fitted(markdown(), COMMENT_LIMIT))
        else:
            self._lines(self.stdout, text())
        if markdown is not None and self.environ.get("GITHUB_STEP_SUMMARY"):
            self._summarize(markdown())

    def write(self, text: str) -> None:
        """Write a text that is the result to standard output, unchanged except for secrets."""
        self._write(self.stdout, self.redactor.redact(text))

    def write_file(self, path: Path, text: str | Iterable[str], *, parents: bool = False) -> None:
        """Write a file that the user named, whole or in pieces; ``-`` is standard output. The caller redacts secrets.

        With ``parents`` missing directories are created. Raises DiagnosticError if it cannot be written.
        """
        from reconciler.core.files import write_text

        if path == Path("-"):
            for piece in [text] if isinstance(text, str) else text:
                self._write(self.stdout, piece)
            return
        with _told(path):
            if parents:
                path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)

    def check_file(self, path: Path | None, *, parents: bool = False) -> None:
        """Raise DiagnosticError if ``write_file`` would fail, as far as this can be checked beforehand."""
        if path is not None and path != Path("-"):
            from reconciler.core.files import check_writable

            with _told(path):
                check_writable(path, parents=parents)

    @property
    def repaints(self) -> bool:
        """Whether standard output is a terminal, so that it may be redrawn."""
        return _is_terminal(self.stdout) and self.environ.get("TERM") != "dumb"

    def repaint(self, lines: Iterable[Line]) -> None:
        """Replace the content of the screen, up to its height."""
        renderer = self._renderer(self.stdout)
        assert renderer is not None  # noqa: S101 - narrows a type
        shown = "".join(renderer.paint(self._redacted(line)) for line in lines)
        self._write(self.stdout, f"\x1b[H\x1b[2J{renderer.fitted(shown)}")

    def message(self, lines: Iterable[Line]) -> None:
        """Write a message beside the result, to standard error."""
        self._lines(self.stderr, lines)

    def report(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Report diagnostics; in a job of GitHub Actions also as annotations of the lines concerned."""
        if not diagnostics:
            return
        from reconciler.views.text.diagnostic import diagnostic_lines

        self.message(diagnostic_lines(diagnostics, full=self.full))
        if self.environ.get("GITHUB_ACTIONS") == "true":
            from reconciler.views.github import workflow_commands

            commands = "".join(f"{self.redactor.redact(text)}\n" for text in workflow_commands(diagnostics))
            self._write(self.stderr, commands, raw=True)

    def ask(self, lines: Iterable[Line], prompt: str) -> str:
        """Show lines and a prompt on standard error, and read one line; the end of input is an empty answer."""
        self.message(lines)
        self.prompt(prompt)
        return self.stdin.readline().strip()

    def prompt(self, text: str) -> None:
        """Write a prompt to standard error, without ending its line."""
        self._write(self.stderr, self.redactor.redact(text))

    def log(self, text: str) -> None:
        """Write a log record, already redacted, to standard error."""
        self._write(self.stderr, f"{text}\n")

    def _summarize(self, text: str) -> None:
        """Add to the job's summary, up to its limit; a failure does not fail the command."""
        path = Path(self.environ["GITHUB_STEP_SUMMARY"])
        try:
            with path.open("a", encoding="utf-8") as file:
                room = SUMMARY_LIMIT - path.stat().st_size - 1
                # A character may take four bytes.
                shown = self._fitted(text, COMMENT_LIMIT)
                if len(shown.encode()) > room:
                    shown = self._fitted(text, max(0, room // 4))
                file.write(shown + "\n" if len(shown.encode()) <= room else "")
        except OSError as error:
            _log.warning("cannot write the job's summary: %s", error.strerror)

    def _fitted(self, text: str, limit: int) -> str:
        """Redacted Markdown in at most ``limit`` characters: a mask may be longer than the secret."""
        from reconciler.views.markdown.text import fitted

        return fitted(self.redactor.redact(text), limit)

    def _document(self, document: Mapping[str, object]) -> None:
        """Write a JSON document in chunks of some hundred pieces."""
        from reconciler.views.json.document import encode_parts

        parts = encode_parts(document, self.redactor.redact_tree, ascii=not _holds_unicode(self.stdout))
        while some := "".join(islice(parts, _AT_ONCE)):
            self._write(self.stdout, without_commands_json(some) if self._in_ci else some, raw=True)

    def _lines(self, stream: TextIO, lines: Iterable[Line]) -> None:
        """Write lines in chunks of some hundred."""
        renderer, hide = self._renderer(stream), self.redactor.redact
        rest = iter(lines)
        while some := list(islice(rest, _AT_ONCE)):
            if renderer is None:
                text = "".join([f"{hide(line.text)}\n" for line in some])
            else:
                text = "".join([renderer.paint(self._redacted(line)) for line in some])
            self._write(stream, text)

    def _redacted(self, line: Line) -> Line:
        return line._replace(spans=tuple(Span(self.redactor.redact(span.text), span.style) for span in line.spans))

    def _renderer(self, stream: TextIO) -> AnsiRenderer | None:
        if id(stream) not in self._renderers:
            renderer = None
            if _is_terminal(stream):
                from reconciler.cli.ansi import AnsiRenderer

                renderer = AnsiRenderer(stream, self.color and self.environ.get("TERM") != "dumb")
            self._renderers[id(stream)] = renderer
        return self._renderers[id(stream)]

    def _write(self, stream: TextIO, text: str, *, raw: bool = False) -> None:
        if self._in_ci and not raw:
            text = without_commands(text)
        if stream is self.stderr and self.live_writer is not None:
            self.live_writer(text)
            return
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            _drop(stream)
        except OSError as error:
            _drop(stream)
            if stream is self.stdout:
                self.broken = True
                from reconciler.core.diagnostic import Diagnostic, DiagnosticError

                summary = f"cannot write standard output: {error.strerror or error}"
                raise DiagnosticError(Diagnostic(summary)) from None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Convert an error of a file that the user named to DiagnosticError."""
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError

    try:
        yield
    except OSError as error:
        hint = "check the path and its permissions"
        raise DiagnosticError(Diagnostic(f"cannot write {path}: {error.strerror or error}", hint=hint)) from None


def prepare(stream: TextIO) -> None:
    """Let a stream accept every text, in any encoding."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _holds_unicode(stream: TextIO) -> bool:
    """Whether a stream can encode every character; JSON has only its own escapes."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-").startswith("utf")


def _nowhere(mode: str) -> TextIO:
    """A replacement for a stream that was closed when the process started (``>&-``), for which Python has None."""
    return cast(TextIO, Path(os.devnull).open(mode, encoding="utf-8"))  # open as long as the process


def _missing() -> TextIO:
    """A standard output that fails on writing, like a closed one, so that a lost result is an error."""
    return open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: PTH123  # as long as the process


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _drop(stream: TextIO) -> None:
    """Discard further output of a stream, including its buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
