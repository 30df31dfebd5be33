"""Shared queries: one query for all stacks that use the same service with the same settings."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from pydantic import BaseModel

from reconciler.core.diagnostic import DiagnosticError
from reconciler.core.target import Target
from reconciler.providers.protocol import ErrorKind, Importable, ServiceError, SharesQueries
from reconciler.providers.retry import retry_read
from reconciler.providers.settings import EMBEDDED
from reconciler.session.duplicates import unmanaged_filters
from reconciler.session.workspace import Workspace

log = logging.getLogger(__name__)

_SERVICES = 8
"""How many services are queried concurrently."""


@dataclass(slots=True)
class _Group:
    """Stacks whose providers with one key have the same settings, including credentials."""

    key: str
    settings: BaseModel
    workspaces: list[Workspace] = field(default_factory=list)


def share_queries(workspaces: Sequence[Workspace], *, unmanaged: bool = False) -> None:
    """Query each service once for all of these stacks that use it with the same settings.

    With ``unmanaged``, also for the unmanaged alarms that a plan compares with those of its stack. The next time one of
    the workspaces observes, it gets its part of the result, or the query's error. A query that the service rejects is
    repeated by each stack, since its own may be accepted. A service cannot distinguish two stacks with the same name:
    only the first shares.
    """
    groups = [group for group in _groups(workspaces) if len(group.workspaces) > 1]
    if not groups:
        return
    stop, pool = Event(), ThreadPoolExecutor(min(_SERVICES, len(groups)), "shared-query")
    try:
        list(pool.map(partial(_query, unmanaged=unmanaged, stop=stop), groups))
    finally:  # after KeyboardInterrupt a query that hangs is not waited for
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _groups(workspaces: Sequence[Workspace]) -> Iterator[_Group]:
    known: dict[tuple[str, Target], list[_Group]] = {}
    for workspace in workspaces:
        for key, config in workspace.stack.providers.items():
            if config.target.place == EMBEDDED or not workspace.provider_pool.manages(config):
                continue
            groups = known.setdefault((key, config.target), [])
            group = next((group for group in groups if group.settings == config.settings), None)
            if group is None:
                group = _Group(key, config.settings)
                groups.append(group)
            if all(other.stack.name != workspace.stack.name for other in group.workspaces):
                group.workspaces.append(workspace)
    return (group for groups in known.values() for group in groups)


def _query(group: _Group, *, unmanaged: bool, stop: Event) -> None:
    first = group.workspaces[0]
    try:
        provider = first.provider_pool.provider(first.stack.providers[group.key])
    except DiagnosticError:
        return  # each stack reports it, at its own position
    if not isinstance(provider, SharesQueries):
        return
    declared = {workspace.stack.name: workspace.declared(group.key) for workspace in group.workspaces}
    try:
        found = retry_read(group.key, partial(provider.observe_stacks, declared), first.clock, stop)
    except ServiceError as error:
        if error.kind is ErrorKind.REJECTED:
            log.info("%s: the query for %d stacks was rejected: %s", group.key, len(declared), error)
            return
        for workspace in group.workspaces:
            workspace.given[group.key] = error
        return
    for workspace in group.workspaces:
        if workspace.stack.name in found:
            workspace.given[group.key] = found[workspace.stack.name]
    if unmanaged and isinstance(provider, Importable):
        filters = unmanaged_filters(declared.values())
        try:
            alarms = retry_read(group.key, lambda: list(provider.unmanaged(filters)), first.clock, stop)
        except ServiceError as error:
            log.info("%s: the query for unmanaged alarms failed: %s", group.key, error)
            return  # each stack reports its own
        for workspace in group.workspaces:
            workspace.given_unmanaged[group.key] = alarms
