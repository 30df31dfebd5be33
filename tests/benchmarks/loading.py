"""Loading a stack, against what it costs to only read the same YAML with the libraries' C loaders."""

from __future__ import annotations

import warnings
from pathlib import Path

from ruamel.yaml.cyaml import CSafeLoader

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.load import load_stack
from reconciler.config.stack import Inputs
from reconciler.config.yaml.document import read_document
from reconciler.config.yaml.source_map import Source, SourceMap
from reconciler.providers.registry import Registry
from tests.benchmarks.rounds import alternate
from tests.benchmarks.row import Row, compared
from tests.benchmarks.stacks import for_each, written_out

NAME = "loading"


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a few alarms and one round."""
    alarms, rounds = (200, 1) if quick else (10_000, 5)
    text, each = written_out(alarms), for_each(alarms)
    catalog = tuple(Registry())

    def stack(source: bytes) -> object:
        return load_stack([Source("stack.yaml", source)], Path(), catalog, Inputs())

    def read() -> object:
        texts = SourceMap()
        return read_document(Source("stack.yaml", text), texts, DiagnosticCollector(texts))

    def ruamel() -> object:
        return CSafeLoader(text).get_single_data()

    work = {"stack": lambda: stack(text), "each": lambda: stack(each), "read": read, "ruamel.yaml": ruamel}
    try:
        import yaml
    except ImportError:
        note = "PyYAML is not installed: compared with ruamel.yaml only"
        others = ["ruamel.yaml"]
    else:
        note = ""
        others = ["ruamel.yaml", "PyYAML"]
        work["PyYAML"] = lambda: yaml.load(text, yaml.CSafeLoader)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = alternate(work, rounds)
    lines = text.count(b"\n")
    return [
        compared(
            what,
            f"{other} yaml.load(CSafeLoader) of the {lines:,} lines",
            seconds[name],
            seconds[other],
            target,
            note=note,
        )
        for name, what, target in (
            ("stack", f"load {alarms:,} alarms, {lines:,} lines, to a checked stack", 0.5),
            ("read", "the same, YAML to values with positions only", 0.5),
            ("each", f"load {alarms:,} alarms from one for_each", None),
        )
        for other in others
    ]
