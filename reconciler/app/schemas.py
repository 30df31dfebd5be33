"""The published JSON Schemas, by their file names in ``schema/``."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter

from reconciler.checks.spec import CheckSpec
from reconciler.config.schema import DIALECT, stack_schema
from reconciler.drill.spec import DrillSpec
from reconciler.plan.planfile import PlanDocument
from reconciler.providers.registry import Registry


def schemas(documents: Mapping[str, type]) -> Mapping[str, Mapping[str, object]]:
    """Each schema by name: the language, the plan file, and ``documents``, the JSON output of commands."""
    return {
        "stack": stack_schema(list(Registry()), {"checks": CheckSpec, "drills": DrillSpec}),
        "plan": {"$schema": DIALECT, **PlanDocument.model_json_schema()},
        **{name: {"$schema": DIALECT, **TypeAdapter(shape).json_schema()} for name, shape in documents.items()},
    }
