"""Imports: the objects that a stack adopts, and what the services show of them."""

from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.diagnostic import Position
from reconciler.core.observed import UnmanagedAlarm


class Import(NamedTuple):
    """One ``import`` block: the declared address, and the service's id of the object to adopt."""

    destination: Address
    id: str
    position: Position | None = None


class Lookup(NamedTuple):
    """The result of looking for an object to adopt at an address.

    ``found`` are the active, unmanaged objects, newest first; without a block, all that equal what is declared.
    ``owner`` is the stack, and its address, that already owns the object of the block. ``is_over`` says that the stack
    has pushed to its address before: then the import is done, whatever is active there now. ``unable`` is why the
    provider cannot import.
    """

    found: tuple[UnmanagedAlarm, ...] = ()
    block: Import | None = None
    owner: tuple[str, str] | None = None
    is_over: bool = False
    unable: str | None = None
