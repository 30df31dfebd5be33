"""Unmanaged alarms: active alarms that carry the marks of no stack, as somebody could declare them."""

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.marks import Marks
from reconciler.core.observed import Observed


class UnmanagedAlarm(NamedTuple):
    """One of them; ``fields`` are those of its resource type, as a user would write them (plain JSON values).

    ``observed`` is without marks (see ``NO_OWNER``), its address a proposal that need not be unique.
    """

    fields: Mapping[str, object]
    observed: Observed


NO_OWNER = Marks("", Address("", ""), "", "", "")
"""The marks of an alarm that no stack owns, but for its address."""


def unmanaged_marks(address: Address) -> Marks:
    """The marks of an alarm that no stack owns, at a proposed address."""
    return NO_OWNER._replace(address=address)


def is_unmanaged(marks: Marks) -> bool:
    """Whether these are the marks of an alarm that no stack owns."""
    return marks._replace(address=NO_OWNER.address) == NO_OWNER
