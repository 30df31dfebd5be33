"""What is published: one wheel, the same each time it is built, and its dependencies pinned."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reconciler.core.diagnostic import NAME

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ROOT / ".ci" / "requirements"
IN_THE_IMAGE = ("server", "postgres", "dask", "objectstore", "huaweicloud", "baidu")


def build(directory: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)  # noqa: S603 - a command of ours
    [wheel] = directory.glob("*.whl")
    return wheel


def test_two_builds_of_one_commit_give_the_same_wheel(tmp_path: Path) -> None:
    first, second = build(tmp_path / "first"), build(tmp_path / "second")
    assert first.name.startswith("alarm_reconciler-")
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()
    names = zipfile.ZipFile(first).namelist()
    assert "reconciler/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]


def locked(file: Path) -> dict[str, str]:
    """The pinned version of each distribution in a lock file."""
    pins = [line.split(" ")[0] for line in file.read_text().splitlines() if "==" in line and not line.startswith(" ")]
    return {canonicalize_name(name.partition("[")[0]): version for name, version in (pin.split("==") for pin in pins)}


def wanted(extras: tuple[str, ...]) -> list[Requirement]:
    """Every requirement of the project with these extras; those that name an extra of our own are followed."""
    optional = PROJECT["project"]["optional-dependencies"]
    found: list[Requirement] = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    for extra in extras:
        for requirement in map(Requirement, optional[extra]):
            found += wanted(tuple(sorted(requirement.extras))) if requirement.name == NAME else [requirement]
    return found


@pytest.mark.parametrize(("file", "extras"), [("dev.txt", ("dev",)), ("image.txt", IN_THE_IMAGE)])
def test_every_dependency_is_pinned_to_a_version_that_satisfies_it(file: str, extras: tuple[str, ...]) -> None:
    pins = locked(LOCKS / file)
    for requirement in wanted(extras):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not in {file}: run `make lock`"
        assert requirement.specifier.contains(pin, prereleases=True), f"{requirement} against {pin}: run `make lock`"


@pytest.mark.parametrize("file", sorted(LOCKS.glob("*.txt")), ids=lambda file: file.name)
def test_every_pin_has_hashes(file: Path) -> None:
    entries = [
        entry for entry in file.read_text().replace("\\\n", " ").splitlines() if "==" in entry and entry[0] != " "
    ]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_image_installs_what_is_pinned_for_it() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert " ".join(f"--extra {extra}" for extra in IN_THE_IMAGE) in makefile


def test_the_release_comes_with_a_bill_of_materials(tmp_path: Path) -> None:
    out = tmp_path / "sbom.json"
    command = [
        sys.executable,
        "-m",
        "cyclonedx_py",
        "requirements",
        str(LOCKS / "image.txt"),
        "--of",
        "JSON",
        "-o",
        str(out),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)  # noqa: S603 - a command of ours
    components = {component["name"]: component["version"] for component in json.loads(out.read_text())["components"]}
    assert components.keys() >= {"pydantic", "requests", "ruamel-yaml"}
