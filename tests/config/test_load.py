"""A stack from its text to desired values."""

from __future__ import annotations

import gc

from reconciler.config.expressions.compiled import evaluate
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


def fields(text: str) -> dict[str, object]:
    """The fields of each siren, by address."""
    return {str(item.address): item.attributes for item in load(HEAD + text).desired}


def test_for_each_takes_a_mapping_or_a_list_of_texts_and_numbers() -> None:
    stack = load(
        HEAD
        + """\
resources:
  siren:
    map: {for_each: {a: {host: x}, b: {host: y}}, severity: Info, host: "${each.value.host}", notes: "${each.key}"}
    list: {for_each: [1, "b c", "ü"], severity: Info, host: h, notes: "${each.key}"}
    none: {for_each: [], severity: Info, host: h}
"""
    )
    found = {str(item.address): (item.attributes["host"], item.attributes["notes"]) for item in stack.desired}
    assert found == {
        'siren.map["a"]': ("x", "a"),
        'siren.map["b"]': ("y", "b"),
        'siren.list["1"]': ("h", 1),
        'siren.list["b c"]': ("h", "b c"),
        'siren.list["ü"]': ("h", "ü"),
    }


def test_a_resource_that_is_not_enabled_is_not_there_and_not_evaluated() -> None:
    text = """\
locals: {on: false, none: []}
resources:
  siren:
    off: {enabled: false, severity: Info, host: h}
    never: {enabled: "${local.on}", severity: Info, host: "${local.none[0]}"}
    some: {for_each: [a, b], enabled: "${each.key == 'b'}", severity: Info, host: h, depends_on: [siren.off]}
"""
    assert list(fields(text)) == ['siren.some["b"]']


def test_a_value_that_is_one_expression_keeps_its_type_in_a_resource() -> None:
    text = """\
locals: {volume: 7, labels: {a: b}, zip: "001"}
resources:
  siren:
    one:
      {severity: Info, host: h, volume: "${local.volume}", labels: "${local.labels}", notes: ["${local.zip}", "$${x}"]}
"""
    (found,) = fields(text).values()
    assert isinstance(found, dict)
    assert (found["volume"], found["labels"], found["notes"]) == (7, {"a": "b"}, ["001", "${x}"])


def test_a_provider_is_chosen_by_name_where_several_fit() -> None:
    text = """\
stack: demo
providers:
  horn: {endpoint: e, auth: {token: t}}
  eu: {type: horn, endpoint: f, auth: {token: t}}
resources: {siren: {one: {severity: Info, host: h, provider: eu}}}
"""
    stack = load(text)
    assert stack.desired[0].provider == "eu"
    assert {key: config.type for key, config in stack.providers.items()} == {"horn": "horn", "eu": "horn"}


def test_lifecycle_and_guards_are_read() -> None:
    text = (
        HEAD
        + """\
guards: {max_changes: 3, severities: [Info]}
resources: {siren: {one: {severity: Info, host: h, lifecycle: {prevent_clear: true, renew_before: 5m}}}}
"""
    )
    stack = load(text)
    assert stack.guards.max_changes == 3
    assert stack.desired[0].lifecycle.prevent_clear
    assert stack.desired[0].lifecycle.renew_before == 300_000


def test_an_accepted_section_is_handed_on_with_its_places_and_evaluated_later() -> None:
    text = HEAD + 'locals: {n: 2}\nchecks:\n  one: {expect: {count: "${local.n + 1}"}}\n'
    stack = load(text, sections=["checks"])
    node = stack.sections["checks"].child("one")
    assert node is not None
    assert node.key_position == Position("stack.yaml", 5, 3)
    assert evaluate(node, stack.scope) == {"expect": {"count": 3}}


def test_the_collector_is_left_as_it_was_found() -> None:
    assert gc.isenabled()
    load(STACK)
    assert gc.isenabled()
