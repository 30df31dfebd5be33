"""``--metrics``: a file for node_exporter's textfile collector, read with Prometheus' own parser."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.core.duration import MINUTE
from reconciler.views.metrics import Sample, merged, parse, render
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.emulator.handle import Emulator

MORE = """\
data: {aom_alarms: {firing: {}}}
checks:
  quiet: {data: aom_alarms.firing, expect: {count: 0}}
  alive: {canary: {event_severity: Info}, within: 30s}
drills:
  outage:
    resources:
      aom_alarm:
        down: {resource_provider: ecs, resource_type: vm, resource_id: r1, event_severity: Major, timeout: 30m}
    steps:
    - {at: 0s, raise: [aom_alarm.down]}
    - {at: 100ms, clear: [aom_alarm.down]}
"""


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Path:
    return write(tmp_path / "stack", "one", "two", endpoint=emulator.url, more=MORE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "reconciler.prom"


def values(file: Path) -> dict[str, float]:
    """Every sample by its name and its labels but the stack, as Prometheus reads the file."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(file.read_text(encoding="utf-8")):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "stack"}
            key = " ".join([sample.name.removeprefix("reconciler_"), *labels.values()])
            assert key not in found
            found[key] = sample.value
    return found


def test_a_plan_tells_of_alarms_drift_and_pending_changes(stack: Path, file: Path, emulator: Emulator) -> None:
    assert reconciler("plan", stack, "--metrics", file).code == 0
    found = values(file)
    assert (found["alarms firing"], found["alarms not_firing"]) == (0, 2)
    assert (found["pending_changes create"], found["drifted_objects"]) == (2, 0)
    assert "last_apply_success" not in found
    reconciler("apply", stack, "--auto-approve")
    emulator.advance(45 * MINUTE)
    assert reconciler("plan", stack, "--refresh-only", "--metrics", file).code == 0
    found = values(file)
    assert (found["alarms not_firing"], found["drifted_objects"], found["last_apply_success"]) == (2, 2, 1)


def test_an_apply_tells_what_fires_after_it(stack: Path, file: Path, emulator: Emulator) -> None:
    emulator.fault("push:status=400,nth=1")
    text = (stack / "stack.yaml").read_text()
    (stack / "stack.yaml").write_text(text.replace("project_id:", "batch_size: 1, parallelism: 1, project_id:"))
    assert reconciler("apply", stack, "--auto-approve", "--metrics", file).code == 4
    found = values(file)
    assert (found["alarms firing"], found["alarms not_firing"], found["pending_changes create"]) == (1, 1, 1)
    assert (found["last_apply_success"], found["last_apply_operations failed"]) == (0, 1)
    assert reconciler("apply", stack, "--auto-approve", "--metrics", file).code == 0
    assert values(file)["last_apply_success"] == 1
    assert reconciler("destroy", stack, "--auto-approve", "--metrics", file).code == 0
    assert values(file)["alarms firing"] == 0


def test_a_plan_keeps_what_the_file_knows_of_a_later_apply(stack: Path, file: Path) -> None:
    reconciler("apply", stack, "--auto-approve", "--metrics", file)
    reconciler("apply", stack, "--auto-approve", "--metrics", file)  # had nothing to do: no ledger knows it
    later = values(file)["last_apply_timestamp_seconds"]
    reconciler("plan", stack, "--metrics", file)
    assert values(file)["last_apply_timestamp_seconds"] == later


def test_a_status_tells_the_same_as_a_plan(stack: Path, file: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    assert reconciler("status", stack, "--metrics", file).code == 0
    assert (values(file)["alarms firing"], values(file)["last_apply_success"]) == (2, 1)


def test_checks_tell_whether_they_passed_and_how_long_a_canary_took(stack: Path, file: Path) -> None:
    reconciler("apply", stack, "--auto-approve")
    assert reconciler("check", stack, "--metrics", file).code == 3
    found = values(file)
    assert (found["check_passed quiet"], found["check_passed alive"]) == (0, 1)
    assert found["canary_visible_seconds alive"] >= 0
    assert found["canary_cleared_seconds alive"] >= 0
    assert reconciler("check", stack, "alive", "--metrics", file).code == 0
    assert values(file)["check_passed quiet"] == 0  # of a check that did not run, the last result stays


def test_a_check_that_could_not_be_queried_is_neither(stack: Path, file: Path, emulator: Emulator) -> None:
    emulator.fault("query:status=401")
    assert reconciler("check", stack, "quiet", "--metrics", file).code == 1
    assert math.isnan(values(file)["check_passed quiet"])


def test_a_drill_tells_how_long_its_alarms_took(stack: Path, file: Path) -> None:
    done = reconciler("drill", "run", "outage", stack, "--yes", "--metrics", file)
    assert done.code == 0, done.err
    found = values(file)
    assert found["drill_passed outage"] == 1
    address = next(key for key in found if key.startswith("drill_alarm_visible_seconds "))
    assert address.split()[1:] == ["aom_alarm.down", "outage"]


def test_commands_and_stacks_share_a_file(tmp_path: Path, stack: Path, file: Path, emulator: Emulator) -> None:
    other = write(tmp_path / "other", "three", stack="other", endpoint=emulator.url)
    for command in (("apply", stack, "--auto-approve"), ("check", stack), ("plan", other)):
        reconciler(*command, "--metrics", file)
    reconciler("plan", stack, "--metrics", file)
    stacks = {sample.labels["stack"] for sample in parse(file.read_text())}
    assert stacks == {"tests", "other"}
    names = {sample.name for sample in parse(file.read_text()) if sample.labels["stack"] == "tests"}
    assert {"reconciler_last_apply_success", "reconciler_check_passed", "reconciler_alarms"} <= names


def test_node_exporter_may_read_the_file(stack: Path, file: Path) -> None:
    reconciler("plan", stack, "--metrics", file)
    assert file.stat().st_mode & 0o777 == 0o644


def test_metrics_that_cannot_be_written_are_a_warning(stack: Path, tmp_path: Path) -> None:
    done = reconciler("plan", stack, "--metrics", tmp_path / "missing" / "reconciler.prom")
    assert done.code == 0
    assert "warning: cannot write metrics to " in done.err


def test_names_follow_prometheus_rules(stack: Path, file: Path) -> None:
    for command in (("apply", stack, "--auto-approve"), ("check", stack)):
        reconciler(*command, "--metrics", file)
    for family in text_string_to_metric_families(file.read_text()):
        assert re.fullmatch(r"reconciler_[a-z]+(_[a-z]+)*", family.name)
        assert not family.name.endswith(("_total", "_count", "_sum", "_ms", "_milliseconds"))


def test_labels_of_any_text_survive() -> None:
    odd = Sample("reconciler_alarms", {"stack": 'a"b\\n\\\nc,d="e"} 1', "state": "firing"}, 2.5)
    (family,) = text_string_to_metric_families(render([odd]))
    assert family.samples[0].labels == odd.labels
    assert list(parse(render([odd]))) == [odd]


def test_lines_of_others_and_damaged_ones_are_left_out() -> None:
    text = 'up 1\nreconciler_alarms{stack="a"} x\nreconciler_other{stack="a"} 1\n'
    assert merged(text, []) == ""
