"""Every JSON document is what its published schema says, with nothing missing and nothing more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

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
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
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

    def answer(*arguments: str | Path) -> dict[str, object]:
        return json.loads(reconciler(*arguments, "--format", "json").out)

    check("plan-output", answer("plan", stack, "--out", saved))
    check("plan-output", answer("show", saved))
    first = answer("apply", stack, saved)
    check("apply-output", first)
    check("apply-output", answer("apply", stack, saved))
    check("apply-output", answer("apply", stack, "--auto-approve"))
    check("run-output", answer("show", str(first["run"]), stack))
    check("settlement-output", answer("ledger", "settle", stack))
    check("check-output", answer("check", stack))
    check("runs-output", answer("ledger", "list", stack))
    check("prune-output", answer("ledger", "prune", stack, "--dry-run"))
    check("providers-output", answer("providers"))
    check("drill-plan-output", answer("drill", "plan", "outage", stack))
    check("drill-report-output", answer("drill", "run", "outage", stack, "--rehearse", "--yes"))
    check("drills-output", answer("drill", "list", stack))
    check("drill-status-output", answer("drill", "status", stack))
    check("drill-history-output", answer("drill", "report", "outage", stack, "--history"))
    check("diagnostics", answer("validate", stack))
    check("diagnostics", answer("validate", tmp_path / "nowhere"))
    check("apply-output", answer("destroy", stack, "--auto-approve"))


def test_the_stacks_of_a_shared_ledger_are_what_their_schema_says() -> None:
    holder = Holder("ci", "runner-1", 7, 1, 2, 3)
    stacks = [StackState("a", 5, Lease(holder, None, False), 4), StackState("b", 0, None, None)]
    check("stacks-output", stacks_document(stacks))


def test_a_key_that_no_schema_knows_would_be_noticed() -> None:
    with pytest.raises(ValidationError, match="surprise"):
        check("plan-output", plan_document(plans.STEADY) | {"surprise": 1})
