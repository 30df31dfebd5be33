"""The short mark: how a custom event, which has no room for marks, is known as ours (rule 1).

Also the form in which content is sent, and the one in which it is compared, since the service may rewrite it.
"""

from __future__ import annotations

import re

from reconciler.core.address import Address
from reconciler.core.digest import digest_text

_MARK = re.compile(r"reconciler-[0-9a-f]{8}-[0-9a-f]{16}")


def short_mark(stack: str, address: Address, occurrence: str) -> str:
    """36 characters of the alphabet of ``event_user``, the same on every machine for one stack, address, occurrence."""
    event = digest_text(f"{address}\n{occurrence}")
    return f"reconciler-{digest_text(stack)[:8]}-{event[:16]}"


def is_mark(user: str) -> bool:
    return _MARK.fullmatch(user) is not None


def wire_content(content: str) -> str:
    r"""Content as it is sent: where a region shows a line break as the two characters ``\n``, the words around it stay
    apart, and where it shows a line break, it is one.
    """
    return " \n ".join(re.split(r"\r\n|\r|\n", content.rstrip("\r\n")))


def comparable_content(content: str) -> str:
    r"""Content without what a region may do to its line breaks."""
    return " ".join(content.replace("\\n", "\n").split())
