"""Foreign alarms: active alarms that carry the marks of no stack, as somebody could declare them."""

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.marks import Marks
from reconciler.core.observed import Observed


class UnmanagedAlarm(NamedTuple):
    """One of them; ``fields`` are those of its resource type, as a user would write them (plain JSON values).

    ``observed`` is without marks (see ``unmarked``), its address a proposal that need not be unique.
    """

    fields: Mapping[str, object]
    observed: Observed


def no_owner(address: Address) -> Marks:
    """Marks of nobody: what is observed with them belongs to no stack."""
    return Marks("", address, "", "", "")
