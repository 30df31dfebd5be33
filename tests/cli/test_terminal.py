"""What the streams of the command look like: to a terminal, to a pipe, to a reader that goes away."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.live import ApplyProgress
from reconciler.cli.logs import Logs
from reconciler.cli.terminal import Format, Terminal
from reconciler.views.text.line import Style, line
from tests.cli.process import reconciler
from tests.cli.stacks import write

COMMAND = [sys.executable, "-m", "reconciler"]


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def screen(columns: int, **environ: str) -> tuple[Terminal, Screen]:
    stream = Screen()
    terminal = Terminal(io.StringIO(), stream, io.StringIO(), {"TERM": "xterm", **environ})
    os.environ["COLUMNS"] = str(columns)
    return terminal, stream


@pytest.fixture(autouse=True)
def _columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_signs_are_coloured_on_a_terminal() -> None:
    terminal, shown = screen(80)
    terminal.message([])
    terminal.result(Format.TEXT, text=lambda: [line(("+ ", Style.ADD), "plain")])
    assert shown.getvalue() == "\x1b[32m+ \x1b[0mplain\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(environ: dict[str, str]) -> None:
    terminal, shown = screen(80, **environ)
    terminal.result(Format.TEXT, text=lambda: [line(("+ ", Style.ADD), "plain")])
    assert shown.getvalue() == "+ plain\n"


def test_a_pipe_gets_neither_colour_nor_wrapping() -> None:
    stream = io.StringIO()
    Terminal(io.StringIO(), stream, io.StringIO(), {}).result(
        Format.TEXT, text=lambda: [line(("x " * 500, Style.ERROR))]
    )
    assert stream.getvalue() == "x " * 500 + "\n"


def test_a_long_line_is_wrapped_under_its_own_text() -> None:
    terminal, shown = screen(30, NO_COLOR="1")
    terminal.result(Format.TEXT, text=lambda: [line("name = ", '"some words that are too long"', hang=7)])
    assert shown.getvalue() == 'name = "some words that are\n       too long"\n'


def test_wide_characters_are_wrapped_by_the_cells_they_take() -> None:
    terminal, shown = screen(24, NO_COLOR="1")
    terminal.result(Format.TEXT, text=lambda: [line("磁" * 20)])
    assert shown.getvalue() == "磁" * 12 + "\n" + "磁" * 8 + "\n"


def test_markup_in_data_is_shown_and_not_obeyed() -> None:
    terminal, shown = screen(24)
    terminal.result(Format.TEXT, text=lambda: [line("[red]a[/red] " * 3)])
    assert shown.getvalue().replace("\n", " ").split() == ["[red]a[/red]"] * 3


def test_a_secret_that_would_be_wrapped_is_masked_all_the_same() -> None:
    terminal, shown = screen(24, NO_COLOR="1")
    terminal.redact(["correct horse battery staple"])
    terminal.result(Format.TEXT, text=lambda: [line("it is correct horse battery staple here")])
    assert "horse" not in shown.getvalue()


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    script = f"set -o pipefail; {sys.executable} -m reconciler plan {write(tmp_path, *map('a{}'.format, range(400)))}"
    done = subprocess.run(  # noqa: S603 - a command of ours
        ["bash", "-c", f"{script} | head -n 1"],  # noqa: S607 - found as its user finds it
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Stack tests.")
    assert done.stderr == ""


@pytest.mark.parametrize("redirection", [">&-", "<&- >&-"])
def test_a_closed_standard_output_is_one_line_and_exit_code_1(redirection: str) -> None:
    command = f"{sys.executable} -m reconciler version {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603, S607 - a command of ours, found as its user finds it
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "standard output" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_another_stream_that_is_not_there_is_no_error(closed: str) -> None:
    done = subprocess.run(  # noqa: S603 - a command of ours
        ["bash", "-c", f"{sys.executable} -m reconciler version {closed}"],  # noqa: S607 - found as its user finds it
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_text_that_the_encoding_lacks_is_escaped_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("磁盘: 1\n", encoding="utf-8")
    done = reconciler("validate", tmp_path, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert done.returncode == 1
    assert "\\u78c1" in done.stderr


@pytest.mark.parametrize("json_logs", [False, True])
def test_log_records_are_free_of_secrets_and_control_characters(json_logs: bool) -> None:
    terminal = Terminal(io.StringIO(), io.StringIO(), io.StringIO(), {})
    terminal.json_logs = json_logs
    terminal.redact(["hunter2"])
    with Logs(terminal):
        logging.getLogger("x").warning("said %s and \x1b[2J", "hunter2")
    record = terminal.stderr.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert "hunter2" not in record
    assert "(sensitive)" in record
    assert "\x1b" not in record
    assert record.count("\n") == 1
    if json_logs:
        assert json.loads(record)["level"] == "warning"


@pytest.mark.parametrize("told", ["tell", "log"])
def test_what_is_told_while_a_bar_is_drawn_stands_on_a_line_of_its_own(told: str) -> None:
    shown = Screen()
    terminal = Terminal(io.StringIO(), io.StringIO(), shown, {"TERM": "xterm", "NO_COLOR": "1"})
    with ApplyProgress(terminal) as bar, Logs(terminal):
        bar.started(2)
        if told == "tell":
            terminal.message([line(("Interrupted: the run ends.", Style.WARNING))])
        else:
            logging.getLogger("x").warning("Interrupted: the run ends.")
    before, after = shown.getvalue().split("Interrupted: the run ends.")
    assert before.rsplit("\x1b[2K", 1)[1].count("Applying") == 0, "the bar is wiped off the line first"
    assert after.startswith("\n")
    terminal.message([line("over")])
    assert shown.getvalue().endswith("over\n")


def test_on_a_real_terminal_apply_asks_and_takes_yes(tmp_path: Path) -> None:
    code, shown = on_a_terminal(["apply", str(write(tmp_path, "one"))], "yes\n")
    assert code == 0
    assert "Do you want to perform these actions?" in shown
    assert "Apply complete: 1 created." in shown
    assert "\x1b[32m" in shown


def test_on_a_real_terminal_each_check_is_seen_while_it_runs(tmp_path: Path) -> None:
    stack = write(
        tmp_path, more="data: {aom_alarms: {all: {}}}\nchecks: {calm: {data: aom_alarms.all, expect: {count: 0}}}\n"
    )
    code, shown = on_a_terminal(["check", str(stack)], "")
    assert code == 0
    assert "\x1b[?25l" in shown  # the board
    assert shown.index("aom_alarms.all") < shown.index("1 check: 1 passed.")


def test_ctrl_c_at_the_question_does_nothing_and_is_exit_code_130(tmp_path: Path) -> None:
    stack = write(tmp_path, "one")
    code, shown = on_a_terminal(["apply", str(stack)], "\x03")
    assert code == 130
    assert "Interrupted." in shown
    assert "Traceback" not in shown
    assert "Plan: 1 to create." in reconciler("plan", stack).stdout


def on_a_terminal(arguments: list[str], typed: str) -> tuple[int, str]:
    """Run the command on a pseudo-terminal, and type once it asks; once more where nothing comes of it.

    A signal between Python's last look for one and the system call that reads is not seen before the call ends.
    """
    pid, descriptor = pty.fork()
    if pid == 0:  # pragma: no cover  # the child becomes the command
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # which the test runner may have switched off
        os.execve(COMMAND[0], [*COMMAND, *arguments], {**os.environ, "TERM": "xterm", "NO_COLOR": ""})  # noqa: S606 - a command of ours
    shown, silent, sent = b"", 0, False
    while silent < 12:
        if not select.select([descriptor], [], [], 5)[0]:
            silent += 1
            sent = False
        else:
            try:
                piece = os.read(descriptor, 65_536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            shown += piece
            silent = 0
        if typed and not sent and b"Enter a value: " in shown:
            sent = os.write(descriptor, typed.encode()) > 0
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode(errors="replace")
