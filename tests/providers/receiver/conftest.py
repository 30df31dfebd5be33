"""A running receiver, as the receiver's own tests start it."""

from tests.receive.conftest import receiver, start_receiver

__all__ = ["receiver", "start_receiver"]
