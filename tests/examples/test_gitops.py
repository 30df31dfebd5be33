"""The pipelines of the GitOps example, which are those that the starter writes."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.run_cli import reconciler
from tests.e2e.readme import EXAMPLES

GITOPS = EXAMPLES / "gitops"


@pytest.mark.parametrize("file", [".github/workflows/reconciler.yml", ".gitlab-ci.yml", "kubernetes/drift.yml"])
def test_the_example_has_the_pipelines_of_the_starter(tmp_path: Path, file: str) -> None:
    assert reconciler("init", tmp_path / "new", "--starter", "gitops").code == 0
    assert (GITOPS / file).read_text() == (tmp_path / "new" / file).read_text()


def test_the_example_validates_as_its_hooks_would() -> None:
    config = (GITOPS / ".pre-commit-config.yaml").read_text()
    arguments = shlex.split(config.rpartition("args: [")[2].partition("]")[0].replace(",", " "))
    files = [GITOPS / each if each.startswith("environments") else each for each in arguments]
    assert reconciler("validate", GITOPS, *files).code == 0


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_every_environment_of_the_example_is_valid_and_laid_out_well(environment: str) -> None:
    file = GITOPS / "environments" / f"{environment}.yaml"
    assert reconciler("validate", GITOPS, "--var-file", file, "--var", "commit=4f1c2aa").code == 0
    assert reconciler("fmt", "--check", GITOPS, file) == (0, "", "")
