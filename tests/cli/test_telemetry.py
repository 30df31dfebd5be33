"""OpenTelemetry: each command as a trace that a collector decodes, by the standard variables alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.process import reconciler
from tests.cli.stacks import TOKEN, write
from tests.core.test_origin import GITHUB
from tests.emulator.handle import Emulator
from tests.servers.collector import Collector, collector
from tests.servers.ports import free_port

MORE = """\
data: {aom_alarms: {firing: {}}}
checks:
  quiet: {data: aom_alarms.firing, expect: {count: 0}}
drills:
  outage:
    steps:
    - {at: 0s, check: [quiet]}
"""


@pytest.fixture
def otel() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, emulator: Emulator) -> Path:
    return write(tmp_path / "stack", "one", "two", endpoint=emulator.url, more=MORE)


def traced(otel: Collector, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return reconciler(*arguments, env={"OTEL_EXPORTER_OTLP_ENDPOINT": otel.url, **env})


def test_an_apply_is_a_trace_of_its_plan_and_its_run(stack: Path, otel: Collector) -> None:
    done = traced(otel, "apply", stack, "--auto-approve", **GITHUB)
    assert (done.returncode, done.stderr) == (0, "")
    assert otel.paths == ["/v1/traces"]
    assert otel.resources[0]["service.name"] == "reconciler"
    root, plan, run = (otel.span(name) for name in ("reconciler apply", "plan", "apply"))
    assert {span.trace for span in otel.spans} == {root.trace}
    assert (root.parent, plan.parent, run.parent) == ("", root.id, root.id)
    assert root.attributes["reconciler.stack"] == "tests"
    assert root.attributes["process.exit.code"] == 0
    assert plan.attributes["reconciler.changes.create"] == 2
    assert run.attributes["reconciler.operations.done"] == 2
    assert run.attributes["user.name"] == "ada"
    assert run.attributes["cicd.pipeline.run.url.full"] == "https://github.com/shop/alarms/actions/runs/77"
    assert root.start <= run.start <= run.end <= root.end


def test_operations_that_are_not_done_are_events_of_a_failed_span(
    stack: Path, otel: Collector, emulator: Emulator
) -> None:
    emulator.fault("push:status=400")
    assert traced(otel, "apply", stack, "--auto-approve").returncode == 1
    run = otel.span("apply")
    assert run.failed
    assert otel.span("reconciler apply").failed
    name, told = run.events[0]
    assert (name, told["status"]) == ("operation", "failed")
    assert str(told["error"]).startswith("400")


def test_checks_and_steps_of_a_drill_are_spans(stack: Path, otel: Collector) -> None:
    assert traced(otel, "check", stack).returncode == 0
    check = otel.span("check quiet")
    assert (check.failed, check.attributes["reconciler.check.status"]) == (False, "passed")
    assert check.parent == otel.span("reconciler check").id
    otel.spans.clear()
    assert traced(otel, "drill", "run", "outage", stack, "--yes").returncode == 0
    root = otel.span("reconciler drill run")
    assert root.attributes["reconciler.drill"] == "outage"
    assert [span.parent for span in otel.spans if span.name.startswith("check ")] == [root.id]


def test_log_records_are_events_without_secrets(tmp_path: Path, otel: Collector, emulator: Emulator) -> None:
    made = write(tmp_path / "stack", "one", endpoint=f"{emulator.url}/{TOKEN}")
    assert traced(otel, "--log-level", "debug", "plan", made).returncode == 1
    root = otel.span("reconciler plan")
    assert root.failed
    messages = [str(told["message"]) for name, told in root.events if name == "log"]
    assert any("POST " in message and "(sensitive)" in message for message in messages)
    assert TOKEN not in str(otel.spans)


def test_a_trace_continues_that_of_a_pipeline_and_follows_the_variables(stack: Path, otel: Collector) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced(
        otel,
        "plan",
        stack,
        TRACEPARENT=parent,
        OTEL_SERVICE_NAME="alarms",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=staging",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Basic%20abc",
    )
    root = otel.span("reconciler plan")
    assert (root.trace, root.parent) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert otel.resources[0]["service.name"] == "alarms"
    assert otel.resources[0]["deployment.environment.name"] == "staging"
    assert otel.headers[0]["authorization"] == "Basic abc"


@pytest.mark.parametrize("off", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}], ids=str)
def test_what_the_variables_switch_off_is_off(stack: Path, otel: Collector, off: dict[str, str]) -> None:
    assert traced(otel, "plan", stack, **off).stderr == ""
    assert otel.paths == []


def test_a_collector_that_fails_is_a_warning(stack: Path, otel: Collector) -> None:
    otel.status = 400
    done = traced(otel, "plan", stack)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "OpenTelemetry: the trace could not be exported" in done.stderr


def test_a_collector_that_is_not_there_is_a_warning(stack: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    done = reconciler("plan", stack, env=env)
    assert done.returncode == 0
    assert "OpenTelemetry: the trace could not be exported" in done.stderr


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER=jaeger is not supported"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported"),
    ],
    ids=["exporter", "protocol"],
)
def test_a_setting_that_is_not_supported_is_a_warning(
    stack: Path, otel: Collector, env: dict[str, str], said: str
) -> None:
    done = traced(otel, "plan", stack, **env)
    assert done.returncode == 0
    assert said in done.stderr


def test_without_its_packages_tracing_is_a_warning_and_unasked_for_it_is_not_imported(stack: Path) -> None:
    script = (
        "import sys\n"
        "from reconciler.cli.app import run\n"
        "from reconciler.cli.terminal import Terminal\n"
        "sys.modules['opentelemetry'] = None\n"
        "code = run(['plan', sys.argv[1]], Terminal(environ={'OTEL_TRACES_EXPORTER': 'otlp'}))\n"
        "del sys.modules['opentelemetry']\n"
        "run(['plan', sys.argv[1]], Terminal(environ={}))\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
        "raise SystemExit(code)\n"
    )
    command = [sys.executable, "-c", script, str(stack)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - a command of ours
    assert done.returncode == 0, done.stderr
    assert "pip install 'alarm-reconciler[otel]'" in done.stderr
