"""A stack from its text to desired values."""

from __future__ import annotations

from reconciler.core.address import Address
from reconciler.core.diagnostic import Position
from tests.config.loading import HEAD, load

STACK = (
    HEAD
    + """\
variables:
  release: {default: r1}
locals:
  hosts: [ecs-1, ecs-2]
resources:
  siren:
    latency:
      for_each: "${local.hosts}"
      severity: Major
      host: "${each.value}"
      labels: {text: "p99 on ${each.key}"}
    quiet: {severity: Info, host: x, state: cleared}
  note:
    released: {occurrence: "${var.release}", text: "release ${var.release}", depends_on: [siren.latency]}
"""
)


def test_a_stack_is_expanded_to_one_desired_value_per_address() -> None:
    stack = load(STACK)
    assert [str(item.address) for item in stack.desired] == [
        'siren.latency["ecs-1"]',
        'siren.latency["ecs-2"]',
        "siren.quiet",
        "note.released",
    ]
    first, _, quiet, note = stack.desired
    assert first.attributes["host"] == "ecs-1"
    assert first.attributes["labels"] == {"text": "p99 on ecs-1"}
    assert first.position == Position("stack.yaml", 9, 5)
    assert (first.firing, quiet.firing) == (True, False)
    assert note.occurrence == "r1"
    assert note.depends_on == (Address("siren", "latency"),)
    assert stack.secrets == {"a-secret-token"}
