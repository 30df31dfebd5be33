"""The JSON Schemas that are published, by the names of their files in ``schema/``."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.checks.check import CheckSpec
from reconciler.config.schema import stack_schema
from reconciler.drill.spec import DrillSpec
from reconciler.plan.document import PlanDocument
from reconciler.providers.registry import Registry


def schemas() -> Mapping[str, Mapping[str, object]]:
    """Each schema by name."""
    plan = {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlanDocument.model_json_schema()}
    return {"stack": stack_schema(list(Registry()), {"checks": CheckSpec, "drills": DrillSpec}), "plan": plan}
