"""The demo and the quickstart, as a newcomer runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_demo_runs_as_it_should() -> None:
    done = subprocess.run(  # noqa: S603 - a command of ours
        [sys.executable, ROOT / "examples" / "demo.py"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("=== The demo ran as it should.\n")
    assert done.stdout.count("$ reconciler ") == 8


def test_the_quickstart_names_its_schema_for_editors() -> None:
    stack = ROOT / "examples" / "quickstart" / "stack.yaml"
    first = stack.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (stack.parent / first.partition("=")[2]).resolve() == ROOT / "schema" / "stack.schema.json"
