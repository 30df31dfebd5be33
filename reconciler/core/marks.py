"""Marks: the keys by which an observed object is known as ours (rule 1)."""

from typing import NamedTuple

from reconciler.core.address import Address

PREFIX = "reconciler_"
STACK = "reconciler_stack"
ADDRESS = "reconciler_address"
OCCURRENCE = "reconciler_occurrence"
DIGEST = "reconciler_digest"
KEY = "reconciler_key"
RUN = "reconciler_run"


class Marks(NamedTuple):
    """What an object we pushed says of itself; how a service carries it is its provider's matter.

    ``run`` is the id of the plan that pushed it, so that a payload is known to the byte when it is planned.
    """

    stack: str
    address: Address
    digest: str
    key: str
    run: str
    occurrence: str | None = None
