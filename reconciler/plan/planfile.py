"""The plan file as models, which also make its schema, and the plan it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from reconciler.core.action import Action
from reconciler.core.address import Address
from reconciler.core.desired import Desired, Kind, Lifecycle
from reconciler.core.diagnostic import Diagnostic, Severity
from reconciler.core.observed import Marks, Observed, State, unmanaged_marks
from reconciler.core.operation import Operation, Verb
from reconciler.core.target import Target
from reconciler.plan.plan import Change, Difference, Plan

FORMAT_VERSION: Literal["2.2"] = "2.2"
"""The version that is written; 2.1, which has no imports, can be read too."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


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
    on_remove: Literal["clear", "forget"]
    ignore_changes: list[str]
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
    """One item to send; ``payload`` is sent byte for byte."""

    key: str
    provider: str
    verb: Verb
    payload: str
    digest: str | None
    occurrence: str | None
    target: str | None
    depends_on: str | None
    only_if_duplicate: bool
    send_by: int | None
    begins_at: int | None
    address: str | None = Field(description="The address of what it clears, if that was moved.")
    is_recorded: bool = Field(description="An event that is on record under another address: it is not sent.")


class ChangeDocument(_Document):
    """One address with an action, why, and its operations."""

    address: str
    provider: str
    action: Action
    reason: str
    drift: bool
    moved_from: str | None = Field(description="The address that the observed object had before.")
    desired: DesiredDocument | None
    begins_at: int | None = Field(description="The start time of what is pushed, in epoch milliseconds.")
    before: list[ObservedDocument]
    differences: list[DifferenceDocument]
    operations: list[OperationDocument]


class UnchangedDocument(_Document):
    """Addresses without changes."""

    address: str
    provider: str
    reason: str


class WarningDocument(_Document):
    """A warning for the reader of the plan."""

    summary: str
    hint: str | None


class PlanDocument(_Document):
    """A saved plan of `reconciler plan --out`."""

    format_version: Literal["2.1", "2.2"]
    tool_version: str
    id: str
    stack: str
    planned_at: int = Field(description="Epoch milliseconds.")
    send_by: int | None = Field(
        description="The last instant, in epoch milliseconds, at which the whole plan can still be sent."
    )
    config_digest: str
    providers: dict[str, str] = Field(description="A digest of each provider's settings, without secrets.")
    targets: dict[str, str] = Field(description="Where each provider points: its type, place and project.")
    basis: dict[str, str] = Field(description="A digest of what was observed at each address that changes.")
    changes: list[ChangeDocument]
    unchanged: list[UnchangedDocument]
    warnings: list[WarningDocument] = Field([], description="Omitted if there are none.")
    checksum: str = Field(description="A digest of the rest of the document, part by part, without the signature.")
    signature: str | None = Field(None, description="HMAC-SHA256 of the checksum, if the plan was signed.")


def plan_of(document: PlanDocument) -> Plan:
    """Build the plan from a document. Raises ValueError if an address is invalid."""
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
        targets={key: Target.parse(text) for key, text in document.targets.items()},
    )


def change_document(change: Change) -> ChangeDocument:
    """The document of a change, built without validation, which would be slow for large plans."""
    return ChangeDocument.model_construct(
        address=str(change.address),
        provider=change.provider,
        action=change.action,
        reason=change.reason,
        drift=change.drift,
        moved_from=None if change.moved_from is None else str(change.moved_from),
        desired=change.desired and _desired_document(change.desired),
        begins_at=change.begins_at,
        before=[_observed_document(found) for found in change.before],
        differences=[DifferenceDocument.model_construct(**item._asdict()) for item in change.differences],
        operations=[_operation_document(operation, change.address) for operation in change.operations],
    )


def unchanged_document(change: Change) -> UnchangedDocument:
    return UnchangedDocument.model_construct(
        address=str(change.address), provider=change.provider, reason=change.reason
    )


def warning_document(warning: Diagnostic) -> WarningDocument:
    return WarningDocument(summary=warning.summary, hint=warning.hint)


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
        on_remove=desired.lifecycle.on_remove,
        ignore_changes=list(desired.lifecycle.ignore_changes),
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


def _operation_document(operation: Operation, address: Address) -> OperationDocument:
    fields = operation._asdict()
    fields["address"] = None if operation.address == address else str(operation.address)
    return OperationDocument.model_construct(**{name: fields[name] for name in OperationDocument.model_fields})


def _change_of(stack: str, document: ChangeDocument) -> Change:
    address = Address.parse(document.address)
    moved_from = None if document.moved_from is None else Address.parse(document.moved_from)
    operations = tuple(_operation_of(operation, address) for operation in document.operations)
    before = tuple(_observed_of(stack, moved_from or address, found) for found in document.before)
    cleared = {(operation.provider, operation.target): operation for operation in operations if operation.target}
    ended = [(found, cleared.get((found.provider, found.id))) for found in before]
    return Change(
        address,
        document.action,
        document.reason,
        document.provider,
        operations,
        _desired_of(address, document.provider, document.desired) if document.desired else None,
        before,
        tuple(Difference(**dict(item)) for item in document.differences),
        document.drift,
        clears=tuple(found for found, clear in ended if clear is not None and not clear.only_if_duplicate),
        refreshes=next((found for found, clear in ended if clear is not None and clear.only_if_duplicate), None),
        begins_at=document.begins_at,
        moved_from=moved_from,
    )


def _operation_of(document: OperationDocument, address: Address) -> Operation:
    if document.address == str(address):
        raise ValueError(f"an operation of {address} names its address again")
    fields = {**dict(document), "address": address if document.address is None else Address.parse(document.address)}
    return Operation(**fields)


def _observed_of(stack: str, address: Address, found: ObservedDocument) -> Observed:
    marks = Marks(stack, address, found.digest, found.key, found.run)
    return Observed(
        found.provider,
        found.id,
        marks if found.run or found.key or found.digest else unmanaged_marks(address),
        found.state,
        found.identity,
        found.attributes,
        found.starts_at,
        found.expires_at,
    )


def _desired_of(address: Address, provider: str, document: DesiredDocument) -> Desired:
    lifecycle = Lifecycle.model_construct(
        prevent_clear=document.prevent_clear,
        create_before_clear=document.create_before_clear,
        renew_before=document.renew_before,
        on_remove=document.on_remove,
        ignore_changes=tuple(document.ignore_changes),
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
