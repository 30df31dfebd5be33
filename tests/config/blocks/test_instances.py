"""How many instances a stack may have."""

from __future__ import annotations

import pytest

from reconciler.config.blocks.resources import LIMIT_VARIABLE
from tests.config.loading import HEAD, load, problems

STACK = f'{HEAD}resources: {{siren: {{a: {{for_each: "${{range(5)}}", host: "h${{each.key}}", severity: Info}}}}}}'


def test_a_stack_may_have_as_many_instances_as_the_environment_allows() -> None:
    assert len(load(STACK, environ={LIMIT_VARIABLE: "5"}).desired) == 5


def test_one_instance_more_is_refused_at_its_resource() -> None:
    (found,) = problems(STACK, environ={LIMIT_VARIABLE: "4"})
    assert found.summary == "with this, the stack has more than 4 instances"
    assert found.position is not None
    assert found.hint == "split the stack, or raise the limit with RECONCILER_MAX_INSTANCES"


@pytest.mark.parametrize("given", ["0", "-1", "many", "1e6", "1.5", "\u0663x"])
def test_a_limit_that_is_no_number_is_named(given: str) -> None:
    (found,) = problems(STACK, environ={LIMIT_VARIABLE: given})
    assert found.summary == f"RECONCILER_MAX_INSTANCES is {given!r}, not a whole number"
    assert found.hint == "give it a number such as 2000000, or unset it"
