"""What is written is valid and harmless whatever reads it: CI runners, encodings, full disks, comments."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reconciler.cli.terminal import COMMENT_LIMIT, SUMMARY_LIMIT
from reconciler.drill.store import RunStore
from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.process import reconciler as process
from tests.cli.run_cli import Done, reconciler
from tests.drill.records import record

FORMATS = ["text", "json", "markdown"]
STACK = """\
stack: out
providers:
  aom: {{endpoint: "{url}", project_id: out, auth: {{token: token-of-out}}, visible_within: 3s}}
resources:
  aom_alarm:
    disk:
      event_severity: Major
      resource_provider: ecs
      resource_type: vm
      resource_id: "{id}"
      annotations:
        message: |
          {message}
"""
COMMANDS = ("notes:", "::set-output name=changes::false", "  ::stop-commands::x", "a ##[add-mask]Major", "##vso[x]")


@pytest.fixture(scope="module")
def url():
    with running(Settings()) as url:
        yield url


def write(directory: Path, url: str, message: str = "full", id: str = "磁盘-😀") -> Path:
    (directory / "stack.yaml").write_text(STACK.format(url=url, message=message, id=id), encoding="utf-8")
    return directory


def runner_commands(text: str) -> list[str]:
    """The lines that a runner of GitHub Actions or Azure would carry out."""
    return [
        line
        for line in text.splitlines()
        if re.match(r"\s*::[a-z-]+( [^:]*)?::", line) or re.search(r"##[a-z]*\[[a-z-]+", line)
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_no_text_of_a_stack_is_a_command_of_a_ci_runner(tmp_path: Path, url: str, format: str) -> None:
    stack = write(tmp_path, url, "\n          ".join(COMMANDS))
    done = reconciler("plan", stack, "--format", format, env={"GITHUB_ACTIONS": "true"})
    assert done.code == 0
    assert runner_commands(done.out) == []
    if format == "json":
        message = json.loads(done.out)["changes"][0]["after"]["attributes"]["annotations"]["message"]
        assert message.splitlines() == list(COMMANDS)


def test_errors_are_still_annotations_in_a_job(tmp_path: Path, url: str) -> None:
    stack = write(tmp_path, url)
    (stack / "b.yaml").write_text("resources: {aom_alarm: {x: {'::error::y': 1}}}\n")
    done = reconciler("plan", stack, env={"GITHUB_ACTIONS": "true"})
    found = runner_commands(done.err)
    assert found
    assert all(line.startswith("::error file=") for line in found)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-16"])
def test_json_is_valid_in_every_encoding(tmp_path: Path, url: str, encoding: str) -> None:
    done = subprocess.run(  # noqa: S603 - a command of ours
        [sys.executable, "-m", "reconciler", "plan", str(write(tmp_path, url)), "--format", "json"],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout.decode(encoding))["changes"][0]["after"]["identity"]["resource_id"] == "磁盘-😀"


def test_a_full_standard_output_is_one_line_and_an_error(tmp_path: Path, url: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - a command of ours
            [sys.executable, "-m", "reconciler", "plan", str(write(tmp_path, url))],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.strip() == "error: cannot write standard output: No space left on device"


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_a_report_that_cannot_be_written_does_not_hide_that_something_was_sent(
    tmp_path: Path, url: str, command: str
) -> None:
    stack = write(tmp_path, url, id=f"disk-{command}")
    if command == "destroy":
        assert reconciler("apply", stack, "--auto-approve").code == 0
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - a command of ours
            [sys.executable, "-m", "reconciler", command, str(stack), "--auto-approve", "--format", "json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 4
    assert done.stderr.strip() == "error: cannot write standard output: No space left on device"


def test_a_failure_is_told_on_standard_error_where_standard_output_is_full(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - a command of ours
            [sys.executable, "-m", "reconciler", "plan", str(tmp_path / "gone"), "--format", "json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_markdown_fits_a_comment_and_the_summary_of_a_job(tmp_path: Path, url: str) -> None:
    stack = write(tmp_path, url, "x" * 200, id="x-${each.value | string}")
    text = (
        (stack / "stack.yaml").read_text().replace("    disk:\n", '    disk:\n      for_each: "${range(900) | list}"\n')
    )
    (stack / "stack.yaml").write_text(text)
    summary = tmp_path / "summary.md"
    summary.write_text("y" * (SUMMARY_LIMIT - 5_000))
    done = reconciler("plan", stack, "--format", "markdown", env={"GITHUB_STEP_SUMMARY": str(summary)})
    assert len(done.out) <= COMMENT_LIMIT
    assert "left out" in done.out
    assert SUMMARY_LIMIT - 5_000 < summary.stat().st_size <= SUMMARY_LIMIT


def test_a_plan_is_written_to_a_fifo_in_place(tmp_path: Path, url: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    done = process("plan", write(tmp_path, url), "--out", fifo)
    assert done.returncode == 0
    assert "reconciler apply" not in done.stderr
    reader.join(timeout=10)
    assert json.loads(read[0])["stack"] == "out"
    assert fifo.is_fifo()


def test_a_plan_is_written_to_an_open_descriptor(tmp_path: Path, url: str) -> None:
    write(tmp_path, url)
    command = (
        f"{sys.executable} -m reconciler plan {tmp_path} --out >(cat > {tmp_path}/copy) > /dev/null; wait; sleep 0.2"
    )
    subprocess.run(["bash", "-c", command], check=True, timeout=60, capture_output=True)  # noqa: S603, S607 - a command of ours, found as its user finds it
    assert json.loads((tmp_path / "copy").read_text())["stack"] == "out"


def test_a_dash_is_standard_output_and_holds_nothing_but_the_plan(tmp_path: Path, url: str) -> None:
    done = reconciler("plan", write(tmp_path, url), "--out", "-")
    assert json.loads(done.out)["stack"] == "out"
    assert "Plan: 1 to " in done.err
    assert "write /dev/stdin to read the plan from standard input" in reconciler("apply", "-").err


def test_a_junit_report_at_a_dash_is_alone_on_standard_output(tmp_path: Path, url: str) -> None:
    stack = write(tmp_path, url)
    (stack / "checks.yaml").write_text(
        "data: {aom_alarms: {q: {event_name: absent}}}\nchecks: {calm: {data: aom_alarms.q, expect: {count: 0}}}\n"
    )
    done = reconciler("check", stack, "--junit", "-")
    assert ElementTree.fromstring(done.out).get("tests") == "1"  # noqa: S314 - XML of ours
    assert "1 check: 1 passed." in done.err


@pytest.fixture
def checked(tmp_path: Path, url: str) -> Path:
    """A stack with a check, and a record of a drill."""
    stack = write(tmp_path, url)
    (stack / "checks.yaml").write_text(
        "data: {aom_alarms: {q: {event_name: absent}}}\nchecks: {calm: {data: aom_alarms.q, expect: {count: 0}}}\n"
    )
    RunStore(stack / ".reconciler").save(record())
    return stack


WRITERS = {
    "plan --out": ("plan", "--out"),
    "check --junit": ("check", "--junit"),
    "drill report --junit": ("drill", "report", "--junit"),
    "drill report --html": ("drill", "report", "--html"),
}


def written_to(file: Path | str, writer: str, stack: Path, monkeypatch: pytest.MonkeyPatch) -> Done:
    monkeypatch.chdir(stack)
    return reconciler(*WRITERS[writer], file)


def is_report(text: str, writer: str) -> bool:
    if writer.endswith("--out"):
        return json.loads(text)["stack"] == "out"
    return text.startswith("<!doctype html" if writer.endswith("--html") else "<?xml")


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_written_to_dev_null_leaves_the_device_there(
    checked: Path, writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    null = checked / "null"
    null.symlink_to(os.devnull)
    for name in (null, os.devnull):
        assert written_to(name, writer, checked, monkeypatch).code == 0
        assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_device_is_an_error_that_names_it(checked: Path, writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = written_to("/dev/full", writer, checked, monkeypatch)
    assert done.code == 1
    assert "cannot write /dev/full: No space left on device" in done.err
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("writer", WRITERS)
def test_a_fifo_gets_the_report_and_stays_a_fifo(checked: Path, writer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = checked / "fifo"
    os.mkfifo(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()))
    reader.start()
    assert written_to(fifo, writer, checked, monkeypatch).code == 0
    reader.join(timeout=30)
    assert is_report(read[0], writer)
    assert fifo.is_fifo()


@pytest.mark.parametrize("writer", WRITERS)
def test_an_open_descriptor_gets_the_report_at_its_place(
    checked: Path, writer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (checked / "copy").open("w+") as copy:
        copy.write("before\n")
        copy.flush()
        assert written_to(f"/dev/fd/{copy.fileno()}", writer, checked, monkeypatch).code == 0
    before, report = (checked / "copy").read_text().split("\n", 1)
    assert before == "before"
    assert is_report(report, writer)


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_cannot_be_replaced_is_written_in_place(
    checked: Path, writer: str, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind mount refuses to be renamed onto (EBUSY), as other mounts and directories do in words of their own."""
    mounted = checked / "mounted"
    mounted.write_text("x" * 100_000)
    inode = mounted.stat().st_ino

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(error, os.strerror(error), str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    assert written_to(mounted, writer, checked, monkeypatch).code == 0
    assert is_report(mounted.read_text(), writer)
    assert mounted.stat().st_ino == inode
    assert [file.name for file in checked.iterdir() if file.name.startswith(".mounted")] == []


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(checked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, link = checked / "real.json", checked / "link.json"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    assert written_to(link, "plan --out", checked, monkeypatch).code == 0
    assert link.is_symlink()
    assert is_report(real.read_text(), "plan --out")
    assert real.stat().st_mode & 0o777 == 0o640
