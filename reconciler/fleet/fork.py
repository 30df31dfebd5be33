"""Forked workers: processes that start as a copy of this one, with a worker's imports already loaded.

Importing takes a new interpreter longer than planning dozens of stacks. A fork of a multi-threaded process may wait
forever for a lock that another thread held, so only a single-threaded process is forked. Only Linux lists threads.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

from reconciler.core.gc_tuning import collect_rarely
from reconciler.core.system_clock import precise_seconds, sleep
from reconciler.fleet.worker import serve

_POLL = 2
"""How often (ms) a process is polled while waiting for its end."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ForkedProcess:
    """A forked copy of this process that serves units, with the methods of ``subprocess.Popen`` that the engine
    uses.
    """

    def __init__(self, pid: int, stdin: IO[str], stdout: IO[str]) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process; returns its exit code, or minus the signal that ended it. Raises
        TimeoutExpired.
        """
        end = None if timeout is None else precise_seconds() + timeout
        while not self._has_ended(block=end is None):
            if end is not None and precise_seconds() >= end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            sleep(_POLL)
        return self.returncode or 0

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if not self._has_ended(block=False):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, *, block: bool) -> bool:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, 0 if block else os.WNOHANG)
            except ChildProcessError:  # SIGCHLD is ignored in this process, so the exit code is lost
                pid, status = self.pid, 0
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode is not None


def can_fork() -> bool:
    """Whether forking this process is safe: it has a single thread, counting those of libraries in C or Rust."""
    with suppress(OSError):
        return len(list(Path("/proc/self/task").iterdir())) == 1
    return False


def fork_worker(
    errors: IO[bytes], environ: Mapping[str, str], workers: int, others: Sequence[IO[str] | None]
) -> ForkedProcess:
    """Fork a worker that serves units; it closes ``others``, the pipe ends of earlier workers."""
    units, stdin = os.pipe()
    stdout, results = os.pipe()
    sys.stderr.flush()
    with _signals_blocked():
        pid = os.fork()
        if not pid:
            _work(errors, environ, workers, (units, results), (*others, stdin, stdout))
    os.close(units)
    os.close(results)
    return ForkedProcess(pid, os.fdopen(stdin, "w", encoding="utf-8"), os.fdopen(stdout, encoding="utf-8"))


def _work(
    errors: IO[bytes],
    environ: Mapping[str, str],
    workers: int,
    own: tuple[int, int],
    others: Sequence[IO[str] | int | None],
) -> NoReturn:
    """Run as the worker: in a new session, with the streams and signal handlers of a newly started process."""
    code = 1
    try:
        os.setsid()
        for other in others:
            with suppress(OSError):  # an earlier worker died and left units unread
                if isinstance(other, int):
                    os.close(other)
                elif other is not None:
                    other.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        units, results, told, nothing = map(_beyond_standard_streams, (*own, errors.fileno(), nothing))
        for stream, source in enumerate((nothing, told, told)):
            os.dup2(source, stream)
        _reset_signals()
        if environ is not os.environ:
            found = dict(environ)
            os.environ.clear()
            os.environ.update(found)
        gc.freeze()
        collect_rarely()
        serve(os.fdopen(units, encoding="utf-8"), os.fdopen(results, "w", encoding="utf-8"), workers)
        sys.stderr.flush()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may return to the caller, of which this is a copy
        with suppress(BaseException):
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
    finally:
        os._exit(code)


def _beyond_standard_streams(descriptor: int) -> int:
    """Duplicate a descriptor beyond those of the standard streams, which may be closed at the start."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)


def _reset_signals() -> None:
    """Handle no signal as this process does; one that it ignores stays ignored, as in a new interpreter."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals, so that the copy does not handle one with this process's handlers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
