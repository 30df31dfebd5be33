"""``make docs``: writes the parts of the documentation that are made from the code."""

from __future__ import annotations

from pathlib import Path

from tools.picture import picture
from tools.reference import reference

DOCS = Path(__file__).parents[1] / "docs"

if __name__ == "__main__":
    (DOCS / "language.md").write_text(reference(), encoding="utf-8")
    (DOCS / "terminal.svg").write_text(picture(), encoding="utf-8")
