"""Golden files: what a view must write, stored beside the tests.

After a change that is meant, write them anew with ``UPDATE_GOLDEN=1 pytest tests/views`` and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).parent / "golden"


def assert_golden(name: str, text: str) -> None:
    """Compare with the stored file of that name."""
    path = _FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
