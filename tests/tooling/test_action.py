"""The composite action's scripts, run as a job of GitHub Actions would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.stacks import write

ACTION = Path(__file__).parents[2] / ".github/actions/reconciler"


class Job:
    """A directory with a stack, and what a runner gives to a step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stack = write(directory / "stack", "one", "two", more='variables: {unused: {default: ""}}\n')
        (directory / "values.yaml").write_text("unused: x\n")

    def run(self, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
        output = self.directory / "output"
        output.write_text("")
        given = {"COMMAND": "plan", "PATH": "stack", "VAR_FILES": "", "PLAN_FILE": "plan.json", "ARGS": ""} | inputs
        env = {key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "GITHUB_"))}
        env |= {f"INPUT_{key}": value for key, value in given.items()}
        env |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.directory / "summary.md"),
            "RUNNER_TEMP": str(self.directory),
        }
        command = ["bash", str(ACTION / "run.sh")]
        done = subprocess.run(  # noqa: S603 - a command of ours
            command, cwd=self.directory, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        return done, dict(line.split("=", 1) for line in output.read_text().splitlines())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_a_pull_request_is_planned_and_its_merge_applies_just_that_plan(job: Job) -> None:
    planned, outputs = job.run(VAR_FILES="values.yaml\n")
    assert planned.returncode == 0, planned.stderr
    report = str(job.directory / "reconciler-report.md")
    assert outputs == {"changes": "true", "exit-code": "2", "report": report}
    assert planned.stdout == Path(report).read_text()
    assert "**2 to create**" in planned.stdout
    applied, outputs = job.run(COMMAND="apply", VAR_FILES="values.yaml")
    assert applied.returncode == 0, applied.stderr
    assert outputs["changes"] == "false"
    assert "Apply complete: 2 created." in applied.stdout
    assert (job.directory / "summary.md").read_text().count("### Plan for `tests`") == 2
    again, outputs = job.run()
    assert again.returncode == 0
    assert outputs["changes"] == "false"


def test_a_plan_is_not_applied_once_the_stack_has_moved_on(job: Job) -> None:
    job.run()
    write(job.stack, "one", "two", severity="Minor")
    applied, outputs = job.run(COMMAND="apply")
    assert applied.returncode == 1
    assert outputs["exit-code"] == "1"
    assert "declared differently" in applied.stderr


def test_drift_fails_the_job_and_no_drift_does_not(job: Job) -> None:
    job.run(COMMAND="apply", PLAN_FILE="")
    quiet, outputs = job.run(COMMAND="drift")
    assert (quiet.returncode, outputs["changes"]) == (0, "false")


def test_a_faulty_line_is_annotated(job: Job) -> None:
    write(job.stack, "one", severity="Fatal")
    done, outputs = job.run()
    assert done.returncode == 1
    report = job.directory / "reconciler-report.md"
    assert outputs == {"changes": "false", "exit-code": "1", "report": str(report)}
    assert "::error file=stack/stack.yaml,line=6,col=" in done.stderr
    assert report.read_text().startswith("### Failed\n\n- **error** `stack/stack.yaml:6:")


def test_what_an_input_says_is_never_run_as_a_command(job: Job) -> None:
    done, _ = job.run(ARGS="--var\nunused=$(touch pwned); `touch pwned`", VAR_FILES="")
    assert done.returncode == 0, done.stderr
    assert not (job.directory / "pwned").exists()


def test_a_command_that_there_is_not_is_refused(job: Job) -> None:
    done, _ = job.run(COMMAND="destroy")
    assert done.returncode == 1
    assert "command is plan, apply, check or drift" in done.stdout


class Request(NamedTuple):
    method: str
    path: str
    body: dict[str, str]


@contextmanager
def github(comments: list[dict[str, object]]) -> Iterator[tuple[str, list[Request]]]:
    """GitHub's comments on one pull request, in pages of two; what was written to it."""
    written: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = int(self.path.partition("&page=")[2] or 1)
            self.send_response(200)
            if number * 2 < len(comments):
                url = f"http://{self.headers['Host']}/repos/o/r/issues/7/comments?per_page=100&page={number + 1}"
                self.send_header("Link", f'<{url}>; rel="next"')
            self.end_headers()
            self.wfile.write(json.dumps(comments[number * 2 - 2 : number * 2]).encode())

        def _written(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            written.append(Request(self.command, self.path, body))
            self.send_response(201)
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_PATCH = _written  # noqa: N815  # the names the server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", written
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


MARKER = "<!-- reconciler plan: stack=shop environment=staging.yaml -->"


def comment(directory: Path, url: str, report: str = "### Plan for `shop`\n\n**1 to create**\n", **inputs: str) -> None:
    event = {"pull_request": {"number": 7, "head": {"sha": "c0ffee"}}}
    (directory / "event.json").write_text(json.dumps(event))
    (directory / "report.md").write_text(report)
    env = os.environ | {
        "INPUT_PATH": "./shop/",
        "INPUT_VAR_FILES": "staging.yaml\n",
        "GITHUB_API_URL": url,
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_EVENT_PATH": str(directory / "event.json"),
        "GITHUB_TOKEN": "t",
    }
    env |= {f"INPUT_{name}": value for name, value in inputs.items()}
    command = [sys.executable, str(ACTION / "comment.py"), str(directory / "report.md")]
    subprocess.run(command, env=env, check=True, timeout=60)  # noqa: S603 - a command of ours


def posted(id: int, body: str, kind: str = "Bot") -> dict[str, object]:
    return {"id": id, "user": {"type": kind}, "body": body}


def test_a_plan_becomes_a_comment(tmp_path: Path) -> None:
    another = MARKER.replace("staging", "production")
    with github([posted(1, f"{another}\n### Plan for `shop`\n"), posted(2, f"{MARKER}\n", "User")]) as (url, written):
        comment(tmp_path, url)
    ((method, path, body),) = written
    assert (method, path) == ("POST", "/repos/o/r/issues/7/comments")
    assert body["body"] == f"{MARKER}\n### Plan for `shop`\n\n**1 to create**\n\nVariables: `staging.yaml`\n"


def test_the_comment_of_an_earlier_plan_is_brought_up_to_date(tmp_path: Path) -> None:
    others = [posted(number, f"talk {number}") for number in range(4)]
    with github([*others, posted(42, f"{MARKER}\r\n### Plan for `shop`\r\n\r\nold")]) as (url, written):
        comment(tmp_path, url)
    assert [(each.method, each.path) for each in written] == [("PATCH", "/repos/o/r/issues/comments/42")]


def test_a_plan_that_failed_replaces_the_comment_of_an_earlier_one(tmp_path: Path) -> None:
    with github([posted(42, f"{MARKER}\n### Plan for `shop`\n")]) as (url, written):
        comment(tmp_path, url, "### Failed\n\n- **error** the stack is gone\n")
    ((method, _, body),) = written
    assert method == "PATCH"
    assert body["body"].startswith(f"{MARKER}\n### Failed\n")


def test_a_report_that_fills_a_comment_is_cut_to_make_room_for_its_marker(tmp_path: Path) -> None:
    with github([]) as (url, written):
        comment(tmp_path, url, "a line\n" * 9_362)
    ((_, _, body),) = written
    assert len(body["body"]) <= 65_536
    assert "more lines left out" in body["body"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"ARGS": "--var-file\nstaging.yaml"}, {"ARGS": "--var-file\nproduction.yaml"}),
        ({"ARGS": "--full\n--var-file=staging.yaml"}, {"ARGS": "--var-file=production.yaml\n--full"}),
        ({"ARGS": "--var\nenvironment=staging"}, {"ARGS": "--var\nenvironment=production"}),
        ({"ARGS": "--var=region=eu"}, {"ARGS": "--var=region=cn"}),
        ({"ENVIRONMENT": "staging"}, {"ENVIRONMENT": "production"}),
        ({"PATH": "shop"}, {"PATH": "other"}),
    ],
)
def test_comments_are_told_apart_by_whatever_tells_environments_apart(
    tmp_path: Path, one: dict[str, str], other: dict[str, str]
) -> None:
    first: list[str] = []
    for inputs in (one, other):
        with github([]) as (url, written):
            comment(tmp_path, url, **{"VAR_FILES": "common.yaml", **inputs})
        first.append(written[0].body["body"].split("\n")[0])
    assert first[0] != first[1]
    with github([posted(1, first[1]), posted(2, first[0])]) as (url, written):
        comment(tmp_path, url, **{"VAR_FILES": "common.yaml", **one})
    assert [(each.method, each.path) for each in written] == [("PATCH", "/repos/o/r/issues/comments/2")]


def test_a_variable_that_holds_the_commit_makes_no_further_comment_and_none_holds_a_secret(tmp_path: Path) -> None:
    with github([]) as (url, written):
        comment(tmp_path, url, ARGS="--var\ncommit=c0ffee\n--var\ntoken=s3cr3t-t0ken")
        comment(tmp_path, url, ARGS="--var\ncommit=deadbeef-c0ffee\n--var\ntoken=s3cr3t-t0ken")
    bodies = [each.body["body"] for each in written]
    assert bodies[0] == bodies[1]
    assert "s3cr3t" not in bodies[0]
