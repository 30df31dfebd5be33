from __future__ import annotations

from tests.config.loading import HEAD, load, told

DEFAULTS = "defaults: {siren: {severity: Minor, volume: 3, labels: {team: ops, kind: test}}}\n"


def test_defaults_are_merged_under_every_resource_of_the_type() -> None:
    stack = load(f"{HEAD}{DEFAULTS}resources: {{siren: {{a: {{host: x}}, b: {{host: y, volume: 7, severity: Info}}}}}}")
    a, b = (item.attributes for item in stack.desired)
    assert (a["severity"], a["volume"], b["severity"], b["volume"]) == ("Minor", 3, "Info", 7)


def test_mappings_are_merged_with_own_keys_first() -> None:
    stack = load(f"{HEAD}{DEFAULTS}resources: {{siren: {{a: {{host: x, labels: {{team: web, x: y}}}}}}}}")
    assert stack.desired[0].attributes["labels"] == {"team": "web", "kind": "test", "x": "y"}


def test_defaults_may_use_expressions_and_common_keys() -> None:
    stack = load(
        f'{HEAD}defaults: {{siren: {{severity: Info, host: "${{each.key}}", lifecycle: {{prevent_clear: true}}}}}}\n'
        "resources: {siren: {a: {for_each: [x, y]}}}"
    )
    assert [item.attributes["host"] for item in stack.desired] == ["x", "y"]
    assert all(item.lifecycle.prevent_clear for item in stack.desired)


def test_the_digest_does_not_tell_a_default_from_an_own_key() -> None:
    ours = load(f"{HEAD}resources: {{siren: {{a: {{host: x, severity: Minor}}}}}}")
    default = load(f"{HEAD}defaults: {{siren: {{severity: Minor}}}}\nresources: {{siren: {{a: {{host: x}}}}}}")
    assert ours.digest == default.digest


def test_a_wrong_default_is_told_once_at_its_place() -> None:
    text = f"{HEAD}defaults: {{siren: {{volume: 99}}}}\nresources: {{siren: {{a: {{host: x, severity: Info}}}}}}"
    assert told(text) == ["3:28 volume: 99 must be at most 10"]


def test_what_can_not_stand_in_defaults_is_told() -> None:
    text = f"{HEAD}defaults:\n  siran: {{}}\n  siren:\n    for_each: [a]\n    volum: 3\n  note: text\n"
    assert told(text) == [
        '4:3 there is no resource type "siran" (did you mean "siren"?)',
        "6:5 for_each cannot stand in defaults (write it in each resource)",
        '7:5 unknown key "volum" (did you mean "volume"?)',
        "8:9 defaults.note must be a mapping of fields, not text",
    ]
