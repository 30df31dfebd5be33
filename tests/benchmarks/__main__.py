"""Run every benchmark and print one table: ``python -m tests.benchmarks [--quick] [NAME]...``."""

from __future__ import annotations

import argparse
import pkgutil
from importlib import import_module

from rich.console import Console
from rich.table import Table

from tests import benchmarks
from tests.benchmarks.row import Row


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
    for module in modules:
        if not arguments.names or module.NAME in arguments.names:
            console.print(_table(module.NAME, module.run(arguments.quick)))


def _table(name: str, rows: list[Row]) -> Table:
    table = Table(title=name, title_justify="left")
    for heading in ("work", "against", "note"):
        table.add_column(heading, overflow="fold")
    for heading in ("ours", "theirs", "ratio", "target"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        met = "" if row.target is None or row.ratio is None else " ok" if row.ratio <= row.target else " missed"
        target = "" if row.target is None else f"{row.target:.2f}{met}"
        numbers = (_number(row.ours), _number(row.theirs), _number(row.ratio), target)
        table.add_row(row.work, row.against, row.note, *numbers)
    return table


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
