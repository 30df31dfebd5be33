"""The starter of a fleet: its pipelines do in a repository what they say, and its cluster applies it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cli.run_cli import reconciler
from tests.servers import postgres
from tests.servers.ports import free_port
from tests.tooling.test_gitlab import GitLab, handler

BIN = Path(sys.executable).parent
GH = """#!/bin/sh
echo "$@" > gh-arguments
cp plan.md gh-body
"""


def load(file: Path) -> list[Any]:
    return list(YAML(typ="safe").load_all(file))


class Repository:
    """A checkout of the starter on a branch that changes one stack."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        assert reconciler("init", directory, "--starter", "fleet").code == 0
        gh = directory / "bin/gh"
        gh.parent.mkdir()
        gh.write_text(GH)
        gh.chmod(0o755)
        self._git("init", "--quiet", "--initial-branch", "main")
        self._commit()
        self.base = self._git("rev-parse", "HEAD")
        self._git("update-ref", "refs/remotes/origin/main", "HEAD")
        stack = directory / "stacks/search/stack.yaml"
        stack.write_text(stack.read_text().replace("Minor", "Major"))
        self._commit()

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "CI", "GITHUB_"))}
        env = {**kept, "PATH": f"{self.directory / 'bin'}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(  # noqa: S603 - a command of ours
            ["bash", "-eo", "pipefail", "-c", script],  # noqa: S607 - any bash
            cwd=self.directory,
            env=env | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _commit(self) -> None:
        self._git("add", "--all")
        self._git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "A change")

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 - a command of ours
            ["git", *arguments],  # noqa: S607 - any git
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "shop")


def test_the_starter_can_be_planned_and_applied_as_it_is(tmp_path: Path) -> None:
    done = reconciler("init", tmp_path, "--starter", "fleet", "--name", "shop")
    assert f"Read it, then try: reconciler fleet plan {tmp_path}" in done.err
    assert reconciler("validate", tmp_path / "fleet.yaml").out.startswith("Valid. The fleet shop has 2 stacks")
    assert reconciler("fleet", "apply", tmp_path, "--auto-approve").code == 0
    files = [*tmp_path.glob("*.yaml"), *tmp_path.glob("stacks/*/*.yaml"), *tmp_path.glob("environments/*.yaml")]
    assert (
        reconciler("fmt", "--check", *files, tmp_path / "kubernetes/drift.yml", tmp_path / "dask/compose.yml").code == 0
    )


def test_on_github_a_pull_request_gets_the_plans_of_what_it_changes_and_the_merge_applies_it(
    repository: Repository,
) -> None:
    jobs = load(repository.directory / ".github/workflows/reconciler.yml")[0]["jobs"]
    plan, apply, drift = (jobs[name]["steps"][-1]["run"] for name in ("plan", "apply", "drift"))
    planned = repository.run(plan, GITHUB_BASE_REF="main", PULL_REQUEST="7")
    assert planned.returncode == 0, planned.stderr
    assert (repository.directory / "gh-arguments").read_text().startswith("pr comment 7 --edit-last --create-if-none")
    comment = (repository.directory / "gh-body").read_text()
    assert "stacks/search" in comment
    assert "stacks/checkout" not in comment
    applied = repository.run(apply, BEFORE=repository.base)
    assert applied.returncode == 0, applied.stderr
    assert applied.stdout.endswith("2 stacks: 2 applied (2 created). 2 unchanged stacks left out.\n"), applied.stdout
    assert repository.run(drift).returncode == 0


def test_on_gitlab_a_merge_request_gets_one_note_and_the_merge_applies_it(repository: Repository) -> None:
    jobs = load(repository.directory / ".gitlab-ci.yml")[0]
    scripts = {name: "\n".join(jobs[name]["script"]) for name in ("plan", "apply")}
    gitlab = GitLab()
    with serving(gitlab) as url:
        variables = {
            "CI_API_V4_URL": url,
            "CI_PROJECT_ID": "1",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": repository.base,
            "API_TOKEN": "t",
        }
        for _ in range(2):
            planned = repository.run(scripts["plan"], **variables)
            assert planned.returncode == 0, planned.stderr
    (note,) = gitlab.own
    assert note.startswith("<!-- reconciler fleet plan -->\n")
    assert "stacks/search" in note
    assert "stacks/checkout" not in note
    applied = repository.run(scripts["apply"], CI_COMMIT_BEFORE_SHA=repository.base)
    assert applied.returncode == 0, applied.stderr
    assert "2 stacks: 2 applied" in applied.stdout


@contextmanager
def serving(gitlab: GitLab) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(gitlab))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_cron_job_looks_for_drift_in_one_environment(repository: Repository) -> None:
    (job,) = load(repository.directory / "kubernetes/drift.yml")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    command = shlex.join(["reconciler", *container["args"]]).replace("/fleet", ".")
    done = repository.run(command, RECONCILER_LEDGER=postgres.server().schema())
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("2 stacks: 2 compared (no drift).\n"), done.stdout


def test_compose_and_kubernetes_start_the_same_cluster(repository: Repository) -> None:
    services = compose(repository)["services"]
    pods = {
        item["metadata"]["name"]: item for item in load(repository.directory / "kubernetes/dask.yml") if "spec" in item
    }
    for name in ("scheduler", "worker"):
        (container,) = pods[f"fleet-{name}"]["spec"]["template"]["spec"]["containers"]
        command = [word.replace("fleet-scheduler", "scheduler") for word in container["command"]]
        assert command[: len(services[name]["entrypoint"])] == services[name]["entrypoint"]
    (worker,) = pods["fleet-worker"]["spec"]["template"]["spec"]["containers"]
    assert worker["env"][0]["value"] == "postgresql://postgres@fleet-database/reconciler"
    assert services["worker"]["environment"]["RECONCILER_LEDGER"] == "postgresql://postgres@postgres/reconciler"


def test_the_cluster_of_the_starter_applies_the_fleet(repository: Repository) -> None:
    services = compose(repository)["services"]
    port = str(free_port())
    environment = {"RECONCILER_LEDGER": postgres.server().schema(), "DASK_LOGGING__DISTRIBUTED": "error"}

    def here(words: Sequence[str]) -> list[str]:
        return [word.replace("scheduler:8786", f"127.0.0.1:{port}").replace("8786", port) for word in words]

    comment = (repository.directory / "dask/compose.yml").read_text().partition("run --rm fleet ")[2]
    client = [*services["fleet"]["entrypoint"], *shlex.split(comment.partition("\n#\n")[0].replace("\\\n#", ""))]
    assert client[:3] == ["reconciler", "fleet", "apply"]
    loopback = {"scheduler": ["--host", "127.0.0.1"], "worker": ["--host", "127.0.0.1", "--no-nanny"]}
    processes = [
        start([*here(services[name]["entrypoint"]), *loopback[name]], repository.directory, environment)
        for name in ("scheduler", "worker")
    ]
    try:
        done = repository.run(shlex.join(here(client)))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("4 stacks: 4 applied (4 created).\n"), done.stdout


def compose(repository: Repository) -> Mapping[str, Any]:
    (found,) = load(repository.directory / "dask/compose.yml")
    return dict(found)


def start(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a command of ours
        [str(BIN / command[0]), *command[1:]],
        cwd=directory,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
