"""The plan as a document: the JSON a plan file holds, as pydantic models that also make its schema."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind, Lifecycle
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.digest import digest
from reconciler.core.marks import Marks
from reconciler.core.observed import Observed, State
from reconciler.core.operation import Operation, Verb
from reconciler.plan.plan import Change, Difference, Plan

FORMAT_VERSION: Literal["1.0"] = "1.0"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DesiredDocument(_Document):
    """What is declared at an address."""

    kind: Kind
    firing: bool
    identity: dict[str, str]
    attributes: Mapping[str, object]
    digest: str
    occurrence: str | None
    prevent_clear: bool
    create_before_clear: bool
    renew_before: int | None = Field(description="Milliseconds.")
    depends_on: list[str] = Field(description="The addresses that are pushed before it.")


class ObservedDocument(_Document):
    """An object the service showed; instants are epoch milliseconds."""

    provider: str
    id: str
    digest: str
    key: str
    run: str
    state: State
    identity: dict[str, str]
    attributes: Mapping[str, object]
    starts_at: int
    expires_at: int | None


class DifferenceDocument(_Document):
    """One attribute that differs."""

    path: str
    old: JsonValue
    new: JsonValue
    forces_replace: bool


class OperationDocument(_Document):
    """One item to send; ``payload`` is sent to the byte."""

    key: str
    provider: str
    verb: Verb
    payload: str
    digest: str | None
    occurrence: str | None
    target: str | None
    after: str | None
    unless_refreshed: bool
    send_by: int | None
    begins_at: int | None


class ChangeDocument(_Document):
    """One address with an action, why, and its operations."""

    address: str
    provider: str
    action: Action
    reason: str
    drift: bool
    desired: DesiredDocument | None
    before: list[ObservedDocument]
    differences: list[DifferenceDocument]
    operations: list[OperationDocument]


class UnchangedDocument(_Document):
    """Addresses that need nothing."""

    address: str
    provider: str
    reason: str


class WarningDocument(_Document):
    """What the reader of the plan should know besides."""

    summary: str
    hint: str | None


class PlanDocument(_Document):
    """A saved plan of `reconciler plan --out`."""

    format_version: Literal["1.0"]
    tool_version: str
    id: str
    stack: str
    planned_at: int = Field(description="Epoch milliseconds.")
    send_by: int | None = Field(description="The last instant, in epoch milliseconds, at which all of it can be sent.")
    config_digest: str
    providers: dict[str, str] = Field(description="A digest of each provider's settings, without secrets.")
    basis: dict[str, str] = Field(description="A digest of what was observed at each address touched.")
    changes: list[ChangeDocument]
    unchanged: list[UnchangedDocument]
    warnings: list[WarningDocument] = Field([], description="Left out where there are none.")
    checksum: str = Field(description="A digest of everything else in the document.")


def document_of(plan: Plan, tool_version: str) -> PlanDocument:
    """The document of a plan, with its checksum."""
    document = PlanDocument(
        format_version=FORMAT_VERSION,
        tool_version=tool_version,
        id=plan.id,
        stack=plan.stack,
        planned_at=plan.planned_at,
        send_by=plan.send_by,
        config_digest=plan.config_digest,
        providers=dict(plan.providers),
        basis=dict(plan.basis),
        changes=[_change_document(change) for change in plan.pending],
        unchanged=[
            UnchangedDocument(address=str(change.address), provider=change.provider, reason=change.reason)
            for change in plan.changes
            if change.action is Action.NO_OP
        ],
        warnings=[WarningDocument(summary=warning.summary, hint=warning.hint) for warning in plan.warnings],
        checksum="",
    )
    return document.model_copy(update={"checksum": checksum(document)})


def checksum(document: PlanDocument) -> str:
    """What the document's ``checksum`` must be."""
    return digest(document.model_dump(mode="json", exclude={"checksum", *absent(document)}))


def absent(document: PlanDocument) -> frozenset[str]:
    """The members a document does without: files from before there were warnings stay what they are."""
    return frozenset() if document.warnings else frozenset({"warnings"})


def plan_of(document: PlanDocument) -> Plan:
    """The plan a document holds; raises ValueError where an address can't be read."""
    changes = [_change_of(document.stack, change) for change in document.changes]
    unchanged = [
        Change(Address.parse(item.address), Action.NO_OP, item.reason, item.provider) for item in document.unchanged
    ]
    return Plan(
        document.id,
        document.stack,
        document.planned_at,
        document.config_digest,
        (*changes, *unchanged),
        document.basis,
        document.providers,
        warnings=tuple(
            Diagnostic(warning.summary, hint=warning.hint, severity=Severity.WARNING) for warning in document.warnings
        ),
    )


def _change_document(change: Change) -> ChangeDocument:
    return ChangeDocument.model_construct(
        address=str(change.address),
        provider=change.provider,
        action=change.action,
        reason=change.reason,
        drift=change.drift,
        desired=change.desired and _desired_document(change.desired),
        before=[_observed_document(found) for found in change.before],
        differences=[DifferenceDocument.model_construct(**item._asdict()) for item in change.differences],
        operations=[_operation_document(operation) for operation in change.operations],
    )


def _desired_document(desired: Desired) -> DesiredDocument:
    return DesiredDocument.model_construct(
        kind=desired.kind,
        firing=desired.firing,
        identity=dict(desired.identity),
        attributes=desired.attributes,
        digest=desired.digest,
        occurrence=desired.occurrence,
        prevent_clear=desired.lifecycle.prevent_clear,
        create_before_clear=desired.lifecycle.create_before_clear,
        renew_before=desired.lifecycle.renew_before,
        depends_on=[str(address) for address in desired.depends_on],
    )


def _observed_document(found: Observed) -> ObservedDocument:
    return ObservedDocument.model_construct(
        provider=found.provider,
        id=found.id,
        digest=found.marks.digest,
        key=found.marks.key,
        run=found.marks.run,
        state=found.state,
        identity=dict(found.identity),
        attributes=found.attributes,
        starts_at=found.starts_at,
        expires_at=found.expires_at,
    )


def _operation_document(operation: Operation) -> OperationDocument:
    fields = operation._asdict()
    return OperationDocument.model_construct(**{name: fields[name] for name in OperationDocument.model_fields})


def _change_of(stack: str, document: ChangeDocument) -> Change:
    address = Address.parse(document.address)
    return Change(
        address,
        document.action,
        document.reason,
        document.provider,
        tuple(Operation(address=address, **dict(operation)) for operation in document.operations),
        _desired_of(address, document.provider, document.desired) if document.desired else None,
        tuple(
            Observed(
                found.provider,
                found.id,
                Marks(stack, address, found.digest, found.key, found.run),
                found.state,
                found.identity,
                found.attributes,
                found.starts_at,
                found.expires_at,
            )
            for found in document.before
        ),
        tuple(Difference(**dict(item)) for item in document.differences),
        document.drift,
    )


def _desired_of(address: Address, provider: str, document: DesiredDocument) -> Desired:
    lifecycle = Lifecycle.model_construct(
        prevent_clear=document.prevent_clear,
        create_before_clear=document.create_before_clear,
        renew_before=document.renew_before,
    )
    return Desired(
        address,
        provider,
        document.kind,
        document.firing,
        document.identity,
        document.attributes,
        document.digest,
        document.occurrence,
        lifecycle,
        depends_on=tuple(Address.parse(text) for text in document.depends_on),
    )
