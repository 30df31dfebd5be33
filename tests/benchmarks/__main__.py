"""Run the benchmarks, print a table for each, and write each that ran in full into its section of docs/benchmarks.md.

``python -m tests.benchmarks [--quick] [NAME]...``
"""

from __future__ import annotations

import argparse
import compileall
import pkgutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter

from rich.console import Console

import reconciler
from tests import benchmarks
from tests.benchmarks.curves import curves
from tests.benchmarks.machine import facts, load
from tests.benchmarks.report import missed, page, section, table
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
    console.print(f"{facts()}; {load():.1f} processes want to run")
    compileall.compile_dir(str(Path(reconciler.__file__).parent), quiet=1)  # as pip does when it installs a package
    found: dict[str, Sequence[Row]] = {}
    for module in modules:
        if not arguments.names or module.NAME in arguments.names:
            machine, begun = (
                f"Measured on {facts()}; {load():.1f} processes wanted to run when it began",
                perf_counter(),
            )
            found[module.NAME] = module.run(arguments.quick)
            console.print(table(module.NAME, found[module.NAME]))
            console.print(f"{module.NAME} took {perf_counter() - begun:.0f} s")
            if not arguments.quick:
                _write(module.NAME, found[module.NAME], machine)
    if arguments.quick:
        console.print("targets are for the full work: `make bench` tells which are met")
        return
    for row in missed(found):
        console.print(f"missed: {row.work}, against {row.against}")


def _write(name: str, rows: Sequence[Row], machine: str) -> None:
    """Write a benchmark's section of the page, and its curves beside it."""
    picture = ""
    if any(row.point for row in rows):
        picture = f"benchmarks-{name}.svg"
        _replace(_PAGE.with_name(picture), curves(rows))
    before = _PAGE.read_text() if _PAGE.exists() else ""
    _replace(_PAGE, page({name: section(rows, machine, picture)}, before))


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


if __name__ == "__main__":
    main()
