"""Canaries by their address: alarms that a check raises for a moment, and that nothing declares."""

from __future__ import annotations

from reconciler.core.address import Address

NAME = "reconciler_canary"
"""The name canaries have among the resources of a stack; the key is the name of the check."""


def canary_address(check: str, kind: str) -> Address:
    """Where the canary of a check is: an address of the stack that nothing declares, so that a plan clears it."""
    return Address(kind, NAME, check)
