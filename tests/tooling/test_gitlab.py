"""The jobs of the GitLab starter, run as a runner would, against a small server with GitLab's API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cli.run_cli import reconciler

HEAD, MERGE = "a" * 40, "b" * 40


class GitLab:
    """One project, with merge request 7 of it: its notes in pages of two, its last pipeline, the artifact of a job."""

    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []
        self.merged: list[dict[str, Any]] = [
            {"iid": 7, "state": "merged", "sha": HEAD, "merge_commit_sha": MERGE, "squash_commit_sha": None}
        ]
        self.pipeline: dict[str, Any] | None = {"id": 70, "project_id": 1}
        self.jobs = [{"id": 699, "name": "format"}, {"id": 700, "name": "plan"}]
        self.plan: bytes | None = None

    def get(self, path: str) -> Any:
        """What is at a path, as JSON or bytes; None where nothing is."""
        if path.startswith("/projects/1/merge_requests/7/notes?"):
            page = int(path.partition("&page=")[2])
            return self.notes[page * 2 - 2 : page * 2]
        return {
            "/user": {"id": 5},
            f"/projects/1/repository/commits/{MERGE}/merge_requests": self.merged,
            "/projects/1/merge_requests/7": {"iid": 7, "head_pipeline": self.pipeline},
            "/projects/1/pipelines/70/jobs?scope[]=success&per_page=100": self.jobs,
            "/projects/1/jobs/700/artifacts/plan.json": self.plan,
        }.get(path)

    def note(self, body: str, author: int = 5) -> None:
        self.notes.append({"id": 10 + len(self.notes), "author": {"id": author}, "body": body})

    @property
    def own(self) -> list[str]:
        return [note["body"] for note in self.notes if note["author"]["id"] == 5]


def handler(gitlab: GitLab) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = gitlab.get(self.path) if self.headers["PRIVATE-TOKEN"] == "t" else None
            self._answer(404 if found is None else 200, found)

        def do_POST(self) -> None:
            assert self.path == "/projects/1/merge_requests/7/notes"
            gitlab.note(self._body())
            self._answer(201, {})

        def do_PUT(self) -> None:
            number = int(self.path.removeprefix("/projects/1/merge_requests/7/notes/"))
            next(note for note in gitlab.notes if note["id"] == number)["body"] = self._body()
            self._answer(200, {})

        def _body(self) -> str:
            return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

        def _answer(self, status: int, found: Any) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(found if isinstance(found, bytes) else json.dumps(found).encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class Runner:
    """A checkout of the starter, and a runner that has the variables of its project."""

    def __init__(self, directory: Path, url: str, gitlab: GitLab) -> None:
        self.directory, self.url, self.gitlab = directory, url, gitlab
        assert reconciler("init", directory, "--starter", "gitops").code == 0
        self.jobs = YAML(typ="safe").load(directory / ".gitlab-ci.yml")

    def run(self, job: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "CI", "GITHUB_"))}
        env |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "CI_API_V4_URL": self.url,
            "CI_PROJECT_ID": "1",
            "CI_COMMIT_SHA": HEAD,
            "API_TOKEN": "t",
            "VAR_FILE": "environments/staging.yaml",
        }
        command = ["bash", "-eo", "pipefail", "-c", "\n".join(self.jobs[job]["script"])]
        return subprocess.run(  # noqa: S603 - a command of ours
            command, cwd=self.directory, env=env | variables, capture_output=True, text=True, timeout=120, check=False
        )

    def plan(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("plan", CI_MERGE_REQUEST_IID="7", **variables)

    def apply(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("apply", CI_COMMIT_SHA=MERGE, **variables)


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    gitlab = GitLab()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(gitlab))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Runner(tmp_path / "shop", f"http://127.0.0.1:{server.server_port}", gitlab)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_merge_request_has_one_note_for_each_environment(runner: Runner) -> None:
    gitlab = runner.gitlab
    for number in range(3):
        gitlab.note(f"talk {number}", author=6)
    assert runner.plan().returncode == 0
    (first,) = gitlab.own
    assert first.startswith(
        "<!-- reconciler plan: stack=. environment=environments/staging.yaml -->\n### Plan for `shop`"
    )
    assert "**1 to create**" in first
    assert first.endswith("\nVariables: `environments/staging.yaml`\n")
    (runner.directory / "environments/another.yaml").write_text(
        (runner.directory / "environments/staging.yaml").read_text()
    )
    assert runner.plan(VAR_FILE="environments/another.yaml").returncode == 0
    assert len(gitlab.own) == 2
    (runner.directory / "stack.yaml").write_text("stack: shop\nnonsense: 1\n")
    failed = runner.plan()
    assert failed.returncode == 1
    brought, other = gitlab.own
    assert "### Failed\n\n- **error** `stack.yaml:2:1`:" in brought
    assert "to create" not in brought
    assert "**1 to create**" in other


def test_a_note_of_somebody_else_that_has_the_marker_is_left_alone(runner: Runner) -> None:
    forged = "<!-- reconciler plan: stack=. environment=environments/staging.yaml -->\nNo changes."
    runner.gitlab.note(forged, author=6)
    assert runner.plan().returncode == 0
    assert runner.gitlab.notes[0]["body"] == forged
    assert len(runner.gitlab.own) == 1


def test_the_merge_applies_the_plan_of_its_merge_request(runner: Runner) -> None:
    assert runner.plan().returncode == 0
    saved = runner.directory / "plan.json"
    runner.gitlab.plan = saved.read_bytes()
    saved.unlink()
    applied = runner.apply()
    assert applied.returncode == 0, applied.stderr
    assert "Apply complete: 1 created." in applied.stdout
    assert saved.read_bytes() == runner.gitlab.plan


def no_merge_request(gitlab: GitLab) -> str:
    gitlab.merged[0]["merge_commit_sha"] = "c" * 40
    return "no merge request was merged as bbb"


def pipeline_of_a_fork(gitlab: GitLab) -> str:
    gitlab.pipeline = {"id": 70, "project_id": 2}
    return "merge request !7 has no pipeline in this project"


def no_job(gitlab: GitLab) -> str:
    del gitlab.jobs[1]
    return "the job plan of pipeline 70 has not succeeded"


def no_artifact(gitlab: GitLab) -> str:
    gitlab.plan = None
    return "job 700 has no plan.json any more"


@pytest.mark.parametrize("missing", [no_merge_request, pipeline_of_a_fork, no_job, no_artifact])
def test_without_a_reviewed_plan_nothing_is_applied(runner: Runner, missing: Any) -> None:
    runner.gitlab.plan = b"{}"
    why = missing(runner.gitlab)
    refused = runner.apply()
    assert refused.returncode == 1
    assert f"No reviewed plan to apply: {why}" in refused.stderr
    assert refused.stdout == ""
