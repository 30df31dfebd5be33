"""The files that tie us into other tools are valid where those tools say what is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GITOPS = ROOT / "reconciler/cli/starters/gitops"
FLEET = GITOPS.parent / "fleet"
BIN = Path(sys.executable).parent


def run(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - a command of ours
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("github-actions", ".github/actions/reconciler/action.yml"),
        ("github-workflows", GITOPS / "dot_github/workflows/reconciler.yml"),
        ("gitlab-ci", GITOPS / "dot_gitlab-ci.yml"),
        ("github-workflows", FLEET / "dot_github/workflows/reconciler.yml"),
        ("gitlab-ci", FLEET / "dot_gitlab-ci.yml"),
        ("compose-spec", FLEET / "dask/compose.yml"),
    ],
)
def test_a_pipeline_is_valid_by_its_schema(schema: str, file: str | Path) -> None:
    transform = ["--data-transform", "gitlab-ci"] if schema == "gitlab-ci" else []
    run(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *transform, file)


def test_the_workflows_and_the_action_are_safe_to_run(tmp_path: Path) -> None:
    workflow = tmp_path / ".github/workflows"
    workflow.mkdir(parents=True)
    for starter in (GITOPS, FLEET):
        text = (starter / "dot_github/workflows/reconciler.yml").read_text()
        (workflow / f"{starter.name}.yml").write_text(text)
    action = ".github/actions/reconciler/action.yml"
    run(BIN / "zizmor", "--offline", "--config", ".github/zizmor.yml", workflow, action)


def test_the_image_is_made_as_hadolint_advises() -> None:
    run(BIN / "hadolint", "Dockerfile")


def test_the_image_runs_as_nobody_special_and_starts_the_command() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert 'ENTRYPOINT ["reconciler"]' in lines
    assert lines[-1] == 'CMD ["--help"]'


@pytest.mark.parametrize("version", ["1.31", "1.36"])
def test_the_manifests_are_valid_for_kubernetes(version: str) -> None:
    files = [GITOPS / "kubernetes/drift.yml", FLEET / "kubernetes/drift.yml", FLEET / "kubernetes/dask.yml"]
    run(BIN / "kubernetes-validate", "--strict", "--no-warn", "-k", version, *files)


@pytest.mark.parametrize("version", ["1.31", "1.36"])
def test_the_receivers_deployment_is_valid_for_kubernetes(version: str) -> None:
    receiver = ROOT / "examples/delivery/kubernetes/receiver.yml"
    run(BIN / "kubernetes-validate", "--strict", "--no-warn", "-k", version, receiver)


@pytest.mark.parametrize("schema", ["pre-commit-hooks", "pre-commit-config"])
def test_the_hooks_are_ones_that_pre_commit_takes(schema: str) -> None:
    config = schema == "pre-commit-config"
    file = GITOPS / "dot_pre-commit-config.yaml" if config else ROOT / ".pre-commit-hooks.yaml"
    run(BIN / "pre-commit", "validate-config" if config else "validate-manifest", file)
