"""The section ``guards``: limits for the whole stack, for a resource type, and the endpoints that are allowed."""

from __future__ import annotations

from tests.config.loading import HEAD, load, told


def test_guards_of_a_type_and_endpoints_are_read() -> None:
    guards = load(f"{HEAD}guards: {{endpoints: [embedded], types: {{siren: {{max_clears: 10%}}}}}}\n").guards
    assert guards.endpoints == ("embedded",)
    assert guards.types["siren"].max_clears == "10%"


def test_a_guard_of_an_unknown_type_is_told_at_its_place() -> None:
    assert told(f"{HEAD}guards: {{types: {{sirn: {{max_clears: 1}}}}}}\n") == [
        '3:18 there is no resource type "sirn" (did you mean "siren"?)'
    ]
