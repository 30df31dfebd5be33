"""The lease in an object store: one object that is only replaced by compare-and-swap.

Each version has a generation and a unique nonce, since equal content would have an equal ETag; after a lost response a
writer recognizes its own version by the nonce. Instants are by the store's clock.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger.objects.link import ObjectLink, Tag
from reconciler.ledger.protocol import Holder
from reconciler.ledger.store import Claim, Fence


class Written(NamedTuple):
    """A version of the lease: its content, and the tag that identifies it; ``fence`` is the latest holder's."""

    content: Mapping[str, Any]
    tag: Tag

    @property
    def holder(self) -> Holder | None:
        found = self.content
        return None if found["owner"] is None else Holder(*(found[name] for name in Holder._fields))

    @property
    def fence(self) -> int:
        return int(self.content["fence"])

    @property
    def claim(self) -> str | None:
        claim: str | None = self.content["claim"]
        return claim

    @property
    def process(self) -> str | None:
        process: str | None = self.content["process"]
        return process


class LeaseObject:
    """The lease of one stack; ``held`` is the version by which this process holds it, as far as it knows."""

    def __init__(self, link: ObjectLink, name: str) -> None:
        self._link = link
        self._name = name
        self.held: Written | None = None

    def make(self) -> None:
        """Create the object, without a holder, if it does not exist."""
        if self.read() is None:
            self._link.create(self._name, _encoded({**_free(0), "generation": 0}))

    def read(self) -> Written | None:
        """The latest version; None if the object does not exist."""
        found = self._link.get(self._name)
        if found is None:
            return None
        try:
            content = json.loads(found.data)
            int(content["fence"] + content["generation"])
            if content["owner"] is not None:
                int(content["expires_at"])
                Holder(*(content[name] for name in Holder._fields))
            return Written({**_free(0), **content}, found.tag)
        except (ValueError, TypeError, KeyError) as error:
            hint = "if no run is active, remove the object: the next run creates it again"
            what = f"the lease {self._link.label}/{self._name} is altered or damaged"
            raise DiagnosticError(Diagnostic(what, hint=hint)) from error

    def give(self, over: Written | None, claim: Claim, fence: int, now: int, lifetime: int) -> Written | None:
        """Replace a version by the lease of a claim; None if another writer has replaced it."""
        given = {**claim._asdict(), "claim": claim.id, "fence": fence, "acquired_at": now, "expires_at": now + lifetime}
        self.held = self._write(over, given)
        return self.held

    def renew(self, fence: int, lifetime: int) -> Holder | None:
        """See ``reconciler.ledger.store.JournalStore``."""
        written = self.held if self.held is not None and self.held.fence == fence else self.read()
        while written is not None and written.holder is not None and written.fence == fence:
            self.held = self._write(written, {**written.content, "expires_at": self._link.now() + lifetime})
            if self.held is not None:
                return self.held.holder
            written = self.read()
        self.held = None
        return None

    def release(self, fence: int) -> None:
        """See ``reconciler.ledger.store.JournalStore``."""
        self.held = None
        written = self.read()
        while written is not None and written.holder is not None and written.fence == fence:
            if self._write(written, _free(fence)) is not None:
                return
            written = self.read()

    def is_held(self, fence: Fence) -> bool:
        """Whether the holder of this fence has the lease, and, if required, it has not expired. It is read if this
        process does not know a later state.
        """
        for known in (None,) if self.held is None else (self.held, None):
            written = known or self.read()
            holder = None if written is None else written.holder
            if holder is not None and holder.fence == fence.number:
                self.held = written
                if not fence.running or holder.expires_at > self._link.now():
                    return True
        return False

    def _write(self, over: Written | None, content: Mapping[str, Any]) -> Written | None:
        """Replace a version; None if it is no longer the latest."""
        generation = 0 if over is None else over.content["generation"]
        new = {**content, "generation": generation + 1, "nonce": secrets.token_hex(8)}
        if over is None:
            written = self.read() if self._link.create(self._name, _encoded(new)) is None else None
            return written if written is not None and written.content["nonce"] == new["nonce"] else None
        tag = self._link.replace(self._name, _encoded(new), over.tag)
        return None if tag is None else Written(new, tag)


def _free(fence: int) -> dict[str, Any]:
    """A lease without a holder."""
    return {**dict.fromkeys((*Holder._fields, "claim", "process")), "fence": fence}


def _encoded(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content).encode()
