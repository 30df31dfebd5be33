"""Every JSON document is what its published schema says, with nothing missing and nothing more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema_rs import Draft202012Validator, ValidationError

from reconciler.ledger.protocol import Holder
from reconciler.ledger.store import Lease, StackState
from reconciler.views.json.document import encode
from reconciler.views.json.ledger import stacks_document
from reconciler.views.json.plan import plan_document
from reconciler.views.json.result import result_document
from tests.cli.run_cli import reconciler
from tests.cli.stacks import write
from tests.views import plans

PUBLISHED = Path(__file__).parents[2] / "schema"
CHECKS = """\
data: {aom_alarms: {firing: {}}}
drills:
  outage:
    resources:
      aom_alarm: {db: {event_severity: Info, resource_provider: rds, resource_type: db, resource_id: db-1, timeout: 5m}}
    steps: [{at: 0s, raise: aom_alarm.db}, {at: 10s, clear: all}]
checks:
  quiet: {data: aom_alarms.firing, expect: {count: 0}}
  alive: {canary: {event_severity: Info}, within: 30s}
"""


def strict(schema: object) -> object:
    """The schema, which lets further keys come, without room for them."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: strict(value) for key, value in schema.items()}
    return inner | {"additionalProperties": False} if "properties" in inner else inner


def check(name: str, document: object) -> None:
    schema = strict(json.loads((PUBLISHED / f"{name}.schema.json").read_text()))
    validator = Draft202012Validator(schema, validate_formats=True)
    validator.validate(json.loads(encode(document)))


@pytest.mark.parametrize(
    "document",
    [
        plan_document(plans.RICH._replace(problems=(plans.PROBLEM,), warnings=(plans.PROBLEM,))),
        plan_document(plans.STEADY),
    ],
    ids=["rich", "steady"],
)
def test_a_plan_is_what_its_schema_says(document: object) -> None:
    check("plan-output", document)


@pytest.mark.parametrize("done", [True, False])
def test_a_result_is_what_its_schema_says(done: bool) -> None:
    check("apply-output", result_document(plans.result(done=done, cause=plans.REFUSED), "reconciler apply"))


def test_what_the_commands_answer_is_what_their_schemas_say(tmp_path: Path) -> None:
    stack, saved = write(tmp_path / "stack", "one", more=CHECKS), tmp_path / "plan.json"

    def output_of(*arguments: str | Path) -> dict[str, object]:
        return json.loads(reconciler(*arguments, "--format", "json").out)

    check("plan-output", output_of("plan", stack, "--out", saved))
    check("plan-output", output_of("show", saved))
    first = output_of("apply", stack, saved)
    check("apply-output", first)
    check("apply-output", output_of("apply", stack, saved))
    check("apply-output", output_of("apply", stack, "--auto-approve"))
    check("run-output", output_of("show", str(first["run"]), stack))
    check("settlement-output", output_of("ledger", "settle", stack))
    check("check-output", output_of("check", stack))
    check("runs-output", output_of("ledger", "list", stack))
    check("prune-output", output_of("ledger", "prune", stack, "--dry-run"))
    check("providers-output", output_of("providers"))
    check("version-output", output_of("version"))
    check("drill-plan-output", output_of("drill", "plan", "outage", stack))
    check("drill-report-output", output_of("drill", "run", "outage", stack, "--rehearse", "--yes"))
    check("drills-output", output_of("drill", "list", stack))
    check("drill-status-output", output_of("drill", "status", stack))
    check("drill-history-output", output_of("drill", "report", "outage", stack, "--history"))
    check("diagnostics", output_of("validate", stack))
    check("diagnostics", output_of("validate", tmp_path / "nowhere"))
    check("apply-output", output_of("destroy", stack, "--auto-approve"))


def test_the_stacks_of_a_shared_ledger_are_what_their_schema_says() -> None:
    holder = Holder("ci", "runner-1", 7, 1, 2, 3)
    stacks = [StackState("a", 5, Lease(holder, None, False), 4), StackState("b", 0, None, None)]
    check("stacks-output", stacks_document(stacks))


def test_a_key_that_no_schema_knows_would_be_noticed() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        check("plan-output", plan_document(plans.STEADY) | {"surprise": 1})
