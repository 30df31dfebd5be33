"""Loading drills: from the blocks under ``drills`` to valid drills, or to all their errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from reconciler.config.blocks.common import NAME
from reconciler.config.blocks.data import results
from reconciler.config.blocks.providers import Providers
from reconciler.config.blocks.resources import expand_resources
from reconciler.config.blocks.sections import Sections
from reconciler.config.blocks.validation import report
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.expressions.compiled import UnresolvedError, evaluate
from reconciler.config.stack import ProviderSchema, StackConfig
from reconciler.config.yaml.source_map import Map, Node, Value, kind
from reconciler.core.address import Address
from reconciler.core.data_source import DataConfig
from reconciler.core.desired import Desired, Kind
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, did_you_mean
from reconciler.core.duration import format_duration
from reconciler.core.resource_type import ResourceType
from reconciler.drill.drill import Drill, DrillResource, drill_address
from reconciler.drill.labels import label_type
from reconciler.drill.spec import ALL, DrillSpec, LabelsSpec, StepAction, StepSpec
from reconciler.drill.timeline import Step, Timeline, TimelineError, arrange

Find = Callable[[DataConfig], Value]
"""Runs a query that the expressions of a drill need. Raises DiagnosticError."""

_FIELDS = [info.alias or name for name, info in DrillSpec.model_fields.items()]
_KINDS = {StepAction.RAISE: Kind.ALARM, StepAction.CLEAR: Kind.ALARM, StepAction.RECORD: Kind.EVENT}
_UNFIT = {
    Kind.ALARM: ("is an alarm: it is raised and cleared", "raise"),
    Kind.SILENCE: ("is a silence: a drill raises alarms and records events", None),
    Kind.EVENT: ("is an event: it is recorded", "record"),
}


def drill_names(stack: StackConfig) -> list[str]:
    """The drills of a stack, in the order of the files."""
    section = stack.sections.get("drills")
    return [name for name, _ in section.entries()] if section is not None else []


def read_drill(stack: StackConfig, name: str, catalog: Collection[ProviderSchema], find: Find) -> Drill:
    """One drill of a stack. Raises DiagnosticError with all its errors, or if it does not exist."""
    section = stack.sections.get("drills")
    nodes = dict(section.entries()) if section is not None else {}
    if name not in nodes:
        listed = f"the drills are {', '.join(nodes)}" if nodes else "declare it under drills"
        hint = did_you_mean(name, nodes) or listed
        raise DiagnosticError(Diagnostic(f'there is no drill "{name}"', hint=hint))
    drill = _Reader(stack, catalog, find, name, nodes[name]).read()
    assert drill is not None  # noqa: S101 - narrows a type
    return drill


def validate_drills(stack: StackConfig, catalog: Collection[ProviderSchema]) -> list[tuple[str, Drill | None]]:
    """Every drill by name, as far as it can be read without a query. Raises DiagnosticError with all errors."""

    def find(_: DataConfig) -> Value:
        raise UnresolvedError

    problems: list[Diagnostic] = []
    found: list[tuple[str, Drill | None]] = []
    section = stack.sections.get("drills")
    for name, node in section.entries() if section is not None else ():
        try:
            found.append((name, _Reader(stack, catalog, find, name, node).read()))
        except DiagnosticError as error:
            problems += error.diagnostics
            if not error.diagnostics:  # an expression needs a query
                found.append((name, None))
    if problems:
        raise DiagnosticError(*problems)
    return found


@dataclass(frozen=True, slots=True)
class _Schema:
    """A provider type whose resource types carry the labels of a drill."""

    name: str
    settings: type[BaseModel]
    resource_types: Mapping[str, ResourceType]


class _Reader:
    """Reads one drill; errors are collected in ``problems``."""

    def __init__(
        self, stack: StackConfig, catalog: Collection[ProviderSchema], find: Find, name: str, node: Node
    ) -> None:
        self.stack, self.catalog, self.name, self.node = stack, catalog, name, node
        self.scope = stack.scope.with_data(results(stack.data, find))
        self.find = find
        self.problems = DiagnosticCollector(node.source_map)
        self.refused: list[Diagnostic] = []

    def read(self) -> Drill | None:
        """The drill; None if it needs a query and none can be run. Raises DiagnosticError."""
        node = self.node
        if not isinstance(node.value, Map):
            offset = node.key_offset if node.value is None else node.offset
            self.problems.add(offset, f"drill {self.name} must be a mapping, not {kind(node.value)}")
            raise DiagnosticError(*self.problems.sorted(lambda _: True))
        spec = self._spec()
        resources = self._resources(spec.labels if spec is not None else LabelsSpec.model_validate({}))
        timeline = self._timeline(spec, resources) if spec is not None else None
        if spec is not None:
            self._check_checks(spec)
        found = (*self.refused, *self.problems.sorted(lambda _: True))
        if found:
            raise DiagnosticError(*sorted(found, key=lambda one: one.position or ("", 0, 0)))
        if spec is None or timeline is None:
            return None
        return Drill(self.stack.name, self.name, spec, tuple(resources), timeline, node.key_position)

    def _spec(self) -> DrillSpec | None:
        node = self.node.without("resources")
        try:
            value = evaluate(node, self.stack.scope, results(self.stack.data, self.find))
        except DiagnosticError as error:
            self.refused += error.diagnostics
            return None
        try:
            return DrillSpec.model_validate(value)
        except ValidationError as error:
            report(error, node, _FIELDS, self.problems, model=DrillSpec, value=value, what=f"drill {self.name}")
            return None

    def _resources(self, labels: LabelsSpec) -> list[DrillResource]:
        node = self.node.child("resources")
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, Map):
            self.problems.add(node.offset, f"resources must be a mapping of types, not {kind(node.value)}")
            return []
        for type_name, inner in node.entries():
            if not isinstance(inner.value, Map):
                what = f"resources.{type_name} must be a mapping of names, not {kind(inner.value)}"
                self.problems.add(inner.key_offset, what)
            for name, each in inner.entries():
                if not re.match(NAME, name):
                    hint = "a name has letters, digits, _ and -, and does not begin with a digit"
                    self.problems.add(each.key_offset, f'"{name}" is not a name', hint)
        sections = Sections(node.source_map, named={"resources": node})
        types = {key: config.type for key, config in self.stack.providers.items()}
        providers = Providers(self.stack.providers, types)
        catalog = [self._labelled(schema, labels) for schema in self.catalog]
        expanded = expand_resources(sections, catalog, providers, self.scope, self.problems, set())
        return [self._resource(desired, node) for desired in expanded]

    def _labelled(self, schema: ProviderSchema, labels: LabelsSpec) -> ProviderSchema:
        types = {name: label_type(kind, self.name, labels) for name, kind in schema.resource_types.items()}
        return _Schema(schema.name, schema.settings, types)

    def _resource(self, desired: Desired, node: Node) -> DrillResource:
        written = desired.address
        address = drill_address(self.name, written)
        offset = (node.child(written.type) or node).child(written.name) or node
        if any(address == other.address for other in self.stack.desired):
            self.problems.add(
                offset.key_offset, f"{written} would have the address {address}, as a resource of the stack has"
            )
        if not desired.firing:
            where = offset.child("state") or offset
            self.problems.add(
                where.key_offset, f"{written} is declared cleared", "a drill raises its alarms with steps"
            )
        depends_on = tuple(drill_address(self.name, needed) for needed in desired.depends_on)
        return DrillResource(written, desired._replace(address=address, depends_on=depends_on))

    def _timeline(self, spec: DrillSpec, resources: Sequence[DrillResource]) -> Timeline | None:
        node = self.node.child("steps") or self.node
        steps = []
        for index, step in enumerate(spec.steps):
            steps.append(self._step(index, step, node.child(index) or node, resources))
        try:
            timeline = arrange(steps)
        except TimelineError as error:
            where = node.child(error.index) or node
            where = where.child("after") or where.child("name") or where
            hint = did_you_mean(steps[error.index].after or "", [step.name for step in steps])
            self.problems.add(where.offset, str(error), hint if "no step" in str(error) else None)
            return None
        if timeline.length > spec.max_duration:
            late = timeline.steps[-1]
            most = format_duration(spec.max_duration)
            self.problems.add(
                (self.node.child("max_duration") or node).key_offset,
                f"step {late.name} is planned at {format_duration(late.offset)}, and max_duration is {most}",
                "give it a longer max_duration, or an earlier step",
            )
        return timeline

    def _step(self, index: int, step: StepSpec, node: Node, resources: Sequence[DrillResource]) -> Step:
        action = step.action
        named = node.child(action.value) or node
        targets: list[Address] = []
        if action in _KINDS:
            for number, text in enumerate(step.names):
                offset = (named.child(number) or named).offset
                targets += self._targets(text, action, offset, resources)
        elif action is StepAction.CHECK:
            self._check_names(step.names, named)
        name = step.name or f"{action.value}-{index + 1}"
        return Step(
            name,
            action,
            step.at or 0,
            step.after,
            step.wait or 0,
            tuple(dict.fromkeys(targets)),
            tuple(step.names) if action is StepAction.CHECK else (),
            step.text,
            node.position,
        )

    def _targets(self, text: str, action: StepAction, offset: int, resources: Sequence[DrillResource]) -> list[Address]:
        fitting = [one.address for one in resources if one.desired.kind is _KINDS[action]]
        if text == ALL:
            return fitting
        try:
            named = Address.parse(text)
        except ValueError as error:
            self.problems.add(offset, str(error))
            return []
        covered = [one for one in resources if named.covers(one.address)]
        if not covered and not self.problems:
            known = list(dict.fromkeys(str(one.address._replace(key=None)) for one in resources))
            hint = did_you_mean(text, [*known, *(str(one.address) for one in resources)])
            self.problems.add(
                offset,
                f"the drill has no resource {text}",
                hint or (f"it has {', '.join(known)}" if known else "declare some under its resources"),
            )
        for one in covered:
            if one.desired.kind is not _KINDS[action]:
                words, verb = _UNFIT[one.desired.kind]
                hint = f"write {verb}: {text}" if verb else "declare it under resources"
                self.problems.add(offset, f"{text} {words}, not {_PAST[action]}", hint)
                break
        return [one.address for one in covered]

    def _check_checks(self, spec: DrillSpec) -> None:
        for key, names in (("before", spec.checks_before), ("after", spec.checks_after)):
            self._check_names(names, self.node.child(key) or self.node)

    def _check_names(self, names: Sequence[str], node: Node) -> None:
        section = self.stack.sections.get("checks")
        known = [name for name, _ in section.entries()] if section is not None else []
        for number, name in enumerate(names):
            if name not in known:
                hint = did_you_mean(name, known) or "declare it under checks"
                self.problems.add((node.child(number) or node).offset, f'there is no check "{name}"', hint)


_PAST = {StepAction.RAISE: "raised", StepAction.CLEAR: "cleared", StepAction.RECORD: "recorded"}
