"""Loading a stack, against what it costs to only read the same YAML with the libraries' C loaders."""

from __future__ import annotations

import warnings
from pathlib import Path
from statistics import median

from ruamel.yaml.cyaml import CSafeLoader

from reconciler.config.document import read_document
from reconciler.config.inputs import Inputs
from reconciler.config.load import load_stack
from reconciler.config.place import Texts
from reconciler.config.problems import Problems
from reconciler.config.source import Source
from reconciler.providers.registry import Registry
from tests.benchmarks.rounds import alternate
from tests.benchmarks.row import Row

NAME = "loading"

_ALARM = """\
    alarm_{number}:
      state: firing
      event_severity: Major
      resource_provider: ecs
      resource_type: vm
      resource_id: ecs-{number}
      metadata:
        team: checkout
        shard: s{shard}
      annotations:
        message: "p99 above 2 s on ecs-{number}"
      timeout: 30m
"""
_HEAD = """\
stack: bench
providers:
  aom: {endpoint: embedded, project_id: demo, auth: {token: not-a-secret}}
resources:
  aom_alarm:
"""
_EACH = """\
    each:
      for_each: "${range(COUNT)}"
      event_severity: Major
      resource_provider: ecs
      resource_type: vm
      resource_id: "ecs-${each.value}"
      metadata: {team: checkout}
      annotations: {message: "p99 above 2 s on ecs-${each.value}"}
      timeout: 30m
"""


def written_out(alarms: int) -> bytes:
    """A stack of so many alarms of twelve lines each."""
    return (_HEAD + "".join(_ALARM.format(number=n, shard=n % 17) for n in range(alarms))).encode()


def run(quick: bool) -> list[Row]:
    """Compare; ``quick`` takes a few alarms and one round."""
    alarms, rounds = (200, 1) if quick else (10_000, 5)
    text = written_out(alarms)
    each = (_HEAD + _EACH.replace("COUNT", str(alarms))).encode()
    catalog = tuple(Registry())

    def stack(source: bytes) -> object:
        return load_stack([Source("stack.yaml", source)], Path(), catalog, Inputs())

    def read() -> object:
        texts = Texts()
        return read_document(Source("stack.yaml", text), texts, Problems(texts))

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
    rows = []
    for name, what, target in (
        ("stack", f"load {alarms:,} alarms, {lines:,} lines, to a checked stack", 0.5),
        ("read", "the same, YAML to values with positions only", 0.5),
        ("each", f"load {alarms:,} alarms from one for_each", None),
    ):
        for other in others:
            against = f"{other} yaml.load(CSafeLoader) of the {lines:,} lines"
            ratios = [mine / theirs for mine, theirs in zip(seconds[name], seconds[other], strict=True)]
            spread = f"ratios {min(ratios):.2f} to {max(ratios):.2f}, median {median(ratios):.2f}"
            ours, theirs = min(seconds[name]), min(seconds[other])
            rows.append(
                Row(what, against, ours, theirs, ours / theirs, target, f"{spread}{'; ' + note if note else ''}")
            )
    return rows
