"""Run the benchmarks, print a table for each, and write them to docs/benchmarks.md where all of them ran in full.

``python -m tests.benchmarks [--quick] [NAME]...``
"""

from __future__ import annotations

import argparse
import compileall
import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from rich.console import Console

import reconciler
from tests import benchmarks
from tests.benchmarks.machine import facts, load
from tests.benchmarks.report import missed, page, table
from tests.benchmarks.row import Row

_PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="run these only")
    parser.add_argument("--quick", action="store_true", help="less work and fewer rounds, to see that they run")
    arguments = parser.parse_args()
    names = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"]
    modules = [
        module for module in (import_module(f"tests.benchmarks.{name}") for name in names) if hasattr(module, "run")
    ]
    known = {module.NAME for module in modules}
    if unknown := set(arguments.names) - known:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=180)
    machine = f"Measured on {facts()}; {load():.1f} processes wanted to run when it began"
    console.print(machine)
    compileall.compile_dir(str(Path(reconciler.__file__).parent), quiet=1)  # as pip does when it installs a package
    found: dict[str, Sequence[Row]] = {}
    for module in modules:
        if not arguments.names or module.NAME in arguments.names:
            found[module.NAME] = module.run(arguments.quick)
            console.print(table(module.NAME, found[module.NAME]))
    for row in missed(found):
        console.print(f"missed: {row.work}, against {row.against}")
    if not arguments.quick and not arguments.names:
        _write(found, machine)
        console.print(f"written to {_PAGE.relative_to(Path.cwd())}")


def _write(found: Mapping[str, Sequence[Row]], machine: str) -> None:
    """Write the page; what somebody wrote about the results, between two comments, is kept."""
    words = ""
    if _PAGE.exists():
        _, begun, rest = _PAGE.read_text().partition(_BEGIN)
        words = f"{_BEGIN}{rest.partition(_END)[0]}{_END}" if begun else ""
    temporary = _PAGE.with_suffix(".tmp")
    temporary.write_text(page(found, machine, words))
    temporary.replace(_PAGE)


_BEGIN, _END = "<!-- by hand -->", "<!-- measured -->"

if __name__ == "__main__":
    main()
