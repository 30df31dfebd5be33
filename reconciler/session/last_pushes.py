"""The last pushes of a stack, from its ledger, for services that keep no history of alarms."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.core.address import Address
from reconciler.core.operation import Status, Verb
from reconciler.ledger.protocol import Entry, Ledger, is_at
from reconciler.providers.history import LastPush

MOST_RUNS = 50
"""How many runs are read, newest first."""


def last_pushes(ledger: Ledger, addresses: Collection[Address], targets: Mapping[str, str]) -> list[LastPush]:
    """The last done push at each address that this stack did not clear later, at the current targets."""
    last: dict[Address, Entry] = {}
    for run in ledger.runs()[:MOST_RUNS]:
        newest: dict[Address, Entry] = {}
        for entry in ledger.entries(run.id):
            operation = entry.operation
            if operation.address in addresses and entry.status is Status.DONE and is_at(entry, targets):
                known = newest.get(operation.address)
                if known is None or operation.verb is Verb.PUSH:  # a run clears the earlier alarm before its own push
                    newest[operation.address] = entry
        for address, entry in newest.items():
            last.setdefault(address, entry)
        if len(last) == len(addresses):
            break
    return [
        LastPush(entry.operation, entry.ended_at or entry.intended_at)
        for entry in last.values()
        if entry.operation.verb is Verb.PUSH
    ]


def pushed_addresses(ledger: Ledger, addresses: Collection[Address], targets: Mapping[str, str]) -> frozenset[Address]:
    """The addresses to which this stack has pushed at the current targets, with any outcome."""
    found: set[Address] = set()
    for run in ledger.runs()[:MOST_RUNS]:
        if len(found) == len(addresses):
            break
        for entry in ledger.entries(run.id):
            operation = entry.operation
            is_done = operation.verb is Verb.PUSH and entry.status is Status.DONE and not operation.is_recorded
            if is_done and operation.address in addresses and is_at(entry, targets):
                found.add(operation.address)
    return frozenset(found)
