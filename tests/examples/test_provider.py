"""The example provider, installed from its own package as a third party's would be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import pytest
from jsonschema_rs import Draft202012Validator, ValidationError

EXAMPLE = Path(__file__).parents[2] / "examples" / "provider"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory it is installed into; nothing is fetched."""
    target = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(EXAMPLE)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 - a command of ours
    return target


@pytest.fixture
def siren_service(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The service: its address, and the file it keeps its sirens in."""
    spec = util.spec_from_file_location("service", EXAMPLE / "reconciler_siren" / "service.py")
    assert spec is not None and spec.loader is not None
    service = util.module_from_spec(spec)
    spec.loader.exec_module(service)
    file = tmp_path / "house.json"
    server = service.serve(file)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", file
    server.shutdown()
    thread.join()
    server.server_close()


class Shell:
    """Runs the command where the example is installed, in a copy of its stack."""

    def __init__(self, installed: Path, directory: Path, endpoint: str) -> None:
        self.directory = directory
        (directory / "stack.yaml").write_text((EXAMPLE / "stack.yaml").read_text())
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("RECONCILER_", "GITHUB_"))},
            "PYTHONPATH": str(installed),
            "RECONCILER_VAR_endpoint": endpoint,
        }

    def __call__(self, *arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "reconciler", *arguments]
        done = subprocess.run(  # noqa: S603 - a command of ours
            command, cwd=self.directory, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def reconciler(installed: Path, tmp_path: Path, siren_service: tuple[str, Path]) -> Shell:
    return Shell(installed, tmp_path, siren_service[0])


def sirens(siren_service: tuple[str, Path]) -> dict[str, int]:
    """How loud each siren is that sounds, by its room."""
    return {
        siren["room"]: siren["loudness"] for siren in json.loads(siren_service[1].read_text()) if siren["until"] is None
    }


def test_it_appears_among_the_providers_and_in_the_schema(reconciler: Shell, tmp_path: Path) -> None:
    assert re.search(r"^siren +Sirens in the rooms of a house$", reconciler("providers"), re.M)
    validator = Draft202012Validator(json.loads(reconciler("schema")))
    siren = {"stack": "house", "resources": {"siren": {"kitchen": {"room": "kitchen", "loudness": 11}}}}
    validator.validate(siren)
    siren["resources"]["siren"]["kitchen"]["loudness"] = 12  # type: ignore[index]
    with pytest.raises(ValidationError):
        validator.validate(siren)


def test_its_fields_are_checked_like_any_others(reconciler: Shell) -> None:
    said = reconciler("validate", "--var", "loudness=12", code=1)
    assert "stack.yaml:14:" in said
    assert "loudness" in said


def test_it_plans_and_applies_and_every_rule_holds_for_it(reconciler: Shell, siren_service: tuple[str, Path]) -> None:
    assert reconciler("plan").endswith("Plan: 3 to create.\n")
    reconciler("apply", "--auto-approve")
    assert sirens(siren_service) == {"kitchen": 5, "attic north": 5, "attic south": 5}
    assert "No changes. 3 alarms are as declared." in reconciler("apply", "--auto-approve")
    assert "loudness = 5 -> 7" in reconciler("plan", "--var", "loudness=7")
    reconciler("apply", "--auto-approve", "--var", "loudness=7")
    assert sirens(siren_service)["kitchen"] == 7
    assert len(json.loads(siren_service[1].read_text())) == 3
    reconciler("destroy", "--auto-approve")
    assert sirens(siren_service) == {}


def test_a_siren_somebody_silenced_is_drift(reconciler: Shell, siren_service: tuple[str, Path]) -> None:
    reconciler("apply", "--auto-approve")
    known = json.loads(siren_service[1].read_text())
    known[0]["until"] = known[0]["since"] + 1
    siren_service[1].write_text(json.dumps(known))
    said = reconciler("plan", "--refresh-only", "--detailed-exitcode", code=2)
    assert "not by this stack's ledger  [drift]" in said


def test_a_wrong_token_is_told_in_the_services_words(reconciler: Shell) -> None:
    file = reconciler.directory / "stack.yaml"
    file.write_text(file.read_text().replace("open-sesame", "guessed-token"))
    said = reconciler("plan", code=1)
    assert "wrong token" in said
    assert "status: 401" in said
    assert "guessed-token" not in said
