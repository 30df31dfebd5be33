"""The library in processes of its own: what its import costs, and the example of its page."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.cli.stacks import write

ROOT = Path(__file__).parents[2]


def test_importing_the_package_imports_nothing_else() -> None:
    script = (
        "import sys; before = set(sys.modules); import reconciler; "
        "print(sorted(set(sys.modules) - before)); reconciler.Stack; print(reconciler.Stack.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - a command of ours
    assert done.stdout == "['reconciler']\nStack\n"


def test_the_example_of_the_page_runs_as_written(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    (tmp_path / "stacks").mkdir()
    write(tmp_path / "stacks" / "checkout", "one")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(blocks) >= 2
    for block in blocks:
        done = subprocess.run(  # noqa: S603 - a command of ours
            [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
