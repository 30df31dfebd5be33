"""Imports: which objects of the services a stack takes over, and what the services show of them."""

from typing import NamedTuple

from reconciler.core.address import Address
from reconciler.core.diagnostic import Position
from reconciler.core.observed import UnmanagedAlarm


class Import(NamedTuple):
    """One ``import`` block: the declared address, and the service's id of the object that it takes over."""

    destination: Address
    id: str
    position: Position | None = None


class Lookup(NamedTuple):
    """What a service shows of what is to be taken over at an address.

    ``found`` are the objects that are active and unmanaged, newest first; without a block, all that are the same as
    what is declared. ``owner`` is the stack, and its address, that has the object of the block already. ``is_over``
    says that the stack has pushed to its address before: then the import is done, whatever fires there now.
    ``unable`` is why the provider can import nothing.
    """

    found: tuple[UnmanagedAlarm, ...] = ()
    block: Import | None = None
    owner: tuple[str, str] | None = None
    is_over: bool = False
    unable: str | None = None
