"""Segments: the objects that make up a journal in an object store.

The names of segments give their order. Each starts with a header, a line of JSON, followed by the unchanged text of its
rows; the whole is compressed. An empty object replaces a segment whose rows were compacted into a later one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from reconciler.ledger.codec import Row, encode
from reconciler.ledger.store import Stored

FORMAT = 1


class SegmentEnd(NamedTuple):
    """The position after a segment.

    ``number`` is the last row's number, followed by how many segments without rows come after that row. ``floor`` is
    the lowest fence under which further rows may be added.
    """

    number: int = 0
    idle: int = 0
    floor: int = 0

    @property
    def next(self) -> str:
        """The name of the next segment, which is the same for every writer."""
        return f"{self.number + 1:012d}-{self.idle:06d}"


class Segment(NamedTuple):
    """Rows that were added in one step, a new floor, or a base.

    A base holds all rows so far in compacted form and the state they produce, under a number that no row has; its rows
    keep their own numbers and instants. ``after`` is where the previous segment ends.
    """

    nonce: str
    after: SegmentEnd
    floor: int
    rows: Sequence[Row] = ()
    base: Sequence[Stored] | None = None
    state: bytes = b""

    @property
    def end(self) -> SegmentEnd:
        given = len(self.rows) if self.base is None else 1
        if given:
            return SegmentEnd(self.after.number + given, 0, self.floor)
        return SegmentEnd(self.after.number, self.after.idle + 1, self.floor)

    def stored(self, at: int) -> list[Stored]:
        """The rows that follow, with their numbers; ``at`` is when the segment was written."""
        if self.base is not None:
            return list(self.base)
        return [Stored(number, at, row) for number, row in enumerate(self.rows, self.after.number + 1)]

    def encoded(self) -> bytes:
        """The object's content: the compressed header, rows and state."""
        rows = self.rows if self.base is None else [stored.row for stored in self.base]
        texts: list[bytes] = []
        heads = []
        for row in rows:
            body, payloads = row.body.encode(), None if row.payloads is None else row.payloads.encode()
            texts += [body, payloads or b""]
            heads.append(
                (row.step, row.run, row.at, row.digest, len(body), None if payloads is None else len(payloads))
            )
        given = None if self.base is None else [(stored.number, stored.stored_at) for stored in self.base]
        header = encode([FORMAT, self.nonce, self.after, self.floor, heads, given])
        return zlib.compress(b"".join([header.encode(), b"\n", *texts, self.state]), 1)


def decode(data: bytes) -> Segment:
    """Decode a segment. Raises ValueError if the object was altered."""
    try:
        whole = zlib.decompress(data)
        head, _, texts = whole.partition(b"\n")
        version, nonce, after, floor, heads, given = json.loads(head)
    except (zlib.error, ValueError) as error:
        raise ValueError(f"a segment is damaged ({error})") from error
    if version > FORMAT:
        raise ValueError(f"a segment was written by a newer reconciler: format {version}")
    rows, at = [], 0
    for step, run, row_at, digest, body, payloads in heads:
        told = texts[at : at + body].decode()
        at += body
        paid = None if payloads is None else texts[at : at + payloads].decode()
        at += payloads or 0
        rows.append(Row(step, run, row_at, told, paid, digest))
    if given is None:
        return Segment(nonce, SegmentEnd(*after), floor, rows)
    base = [Stored(number, stored_at, row) for (number, stored_at), row in zip(given, rows, strict=True)]
    return Segment(nonce, SegmentEnd(*after), floor, (), base, texts[at:])
