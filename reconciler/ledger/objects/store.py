"""The journal store in a bucket: one sequence of segments for all writers, and a lease by compare-and-swap.

A segment is created only if its name is free, and all writers use the same name for the next segment. A writer that is
too late gets the other's segment instead and so learns that the journal has moved on: this is the fence. Taking or
breaking the lease adds a segment that raises the floor; after it, nothing is added under an earlier fence, even by a
holder that was suspended. See docs/decisions/0014-a-journal-of-objects.md.
"""

from __future__ import annotations

import json
import secrets
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing

from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.ledger.codec import Row
from reconciler.ledger.objects.lease import LeaseObject
from reconciler.ledger.objects.link import Listed, ObjectLink
from reconciler.ledger.objects.promises import prepare
from reconciler.ledger.objects.segment import Segment, SegmentEnd, decode
from reconciler.ledger.protocol import Holder
from reconciler.ledger.store import Claim, Fence, Lease, Reading, Snapshot, StackState, Stored

_BLOCK = 256  # segments read concurrently
_ATTEMPTS = 20
_NO_BASE = "0"


class ObjectStore:
    """See ``reconciler.ledger.store.JournalStore``.

    With ``reading`` nothing is created: whatever is missing reads as empty.
    """

    def __init__(self, link: ObjectLink, stack: str, *, reading: bool = False) -> None:
        self._link = link
        self.label = self._link.label
        self._stack = stack
        self._exists = prepare(self._link, create=not reading)
        self._lease = LeaseObject(link, self._name("lease.json"))
        self._forget()
        if not reading:
            self._lease.make()

    def _forget(self) -> None:
        """Discard everything known of the journal."""
        self._tail: SegmentEnd | None = None
        self._marks: list[SegmentEnd] = []
        self._base = _NO_BASE
        self._unread: list[Stored] = []
        self._unread_after = SegmentEnd()
        self._loaded: Snapshot | None = None

    def take(self, claim: Claim, lifetime: int, over: int | None = None) -> Holder | None:
        while True:
            written = self._lease.read()
            held = None if written is None else written.holder
            if written is not None and held is not None and written.claim == claim.id:
                self._raise_floor(held.fence)
                self._lease.held = written
                return held
            now = self._link.now()
            if held is not None and held.expires_at > now and held.fence != over:
                return None
            fence = _next_fence(0 if written is None else written.fence, self._caught_up().floor)
            taken = self._lease.give(written, claim, fence, now, lifetime)
            if taken is not None:
                self._raise_floor(fence)
                return taken.holder

    def lease(self) -> Lease | None:
        written = self._lease.read() if self._exists else None
        holder = None if written is None else written.holder
        if written is None or holder is None:
            return None
        return Lease(holder, written.process, holder.expires_at <= self._link.now())

    def renew(self, fence: int, lifetime: int) -> Holder | None:
        return self._lease.renew(fence, lifetime)

    def release(self, fence: int) -> None:
        self._lease.release(fence)

    def unlock(self) -> Holder | None:
        written = self._lease.read() if self._exists else None
        holder = None if written is None else written.holder
        if holder is not None:
            # Raise the floor before freeing the lease: a crash between the two still fences the holder off.
            self._raise_floor(holder.fence + 1)
            self._lease.release(holder.fence)
        return holder

    def _may_add(self, fence: Fence | None) -> bool:
        """Whether the fence holds, as far as is known; the segments after the tail decide."""
        if fence is None:
            return True
        return self._caught.floor <= fence.number and self._lease.is_held(fence)

    def append(self, rows: Sequence[Row], after: int, fence: Fence | None) -> bool:
        tail = self._tail if self._tail is not None and self._tail.number >= after else self._caught_up()
        nonce = secrets.token_hex(8)
        while tail.number == after and self._may_add(fence):
            if self._add(Segment(nonce, tail, tail.floor, rows)):
                self._unread, self._unread_after = [], self._caught
                return True
            tail = self._caught
        return False

    def read(self, after: int) -> Reading:
        tail = self._caught_up()
        if self._unread_after.number <= after:
            rows = [stored for stored in self._unread if stored.number > after]
            self._unread, self._unread_after = [], tail
        else:
            rows = [stored for stored in self._rows_again(after) if after < stored.number <= tail.number]
        return Reading(self._link.now(), rows, tail.number)

    def fetch(self, numbers: Collection[int]) -> Mapping[int, Row]:
        wanted = set(numbers)
        names = self._names_of(wanted)
        found: dict[int, Row] = {}
        for start in range(0, len(names), _BLOCK):
            for each in self._link.get_all(names[start : start + _BLOCK]):
                stored = self._decoded(each.data).stored(0) if each is not None and each.data else []
                found |= {number: row for number, _, row in stored if number in wanted}
        if wanted - found.keys():  # compacted into a base
            again = self._rows_again(min(wanted - found.keys()) - 1)
            found |= {number: row for number, _, row in again if number in wanted}
        return found

    @property
    def _caught(self) -> SegmentEnd:
        assert self._tail is not None  # noqa: S101 - set wherever this is used
        return self._tail

    def _add(self, segment: Segment) -> bool:
        """Add a segment after the tail; if another writer did, return that segment instead."""
        data = segment.encoded()
        found = self._link.create(self._segment(segment.after.next), data)
        if found is None:
            self._pass(segment, self._link.now())
        elif not found:  # emptied by a compaction: the journal has moved on long ago
            self._forget()
            self._caught_up()
        else:
            self._pass(self._decoded(found), self._link.now())
        return found is None

    def _pass(self, segment: Segment, at: int) -> None:
        """Advance the tail over a segment that was read."""
        self._unread += segment.stored(at) if segment.base is None else self._news(segment)
        if segment.base is not None:
            self._base = segment.after.next
            self._loaded = Snapshot(segment.end.number, segment.state)
        self._tail = segment.end
        self._marks.append(segment.end)

    def _news(self, base: Segment) -> list[Stored]:
        return [stored for stored in base.base or () if stored.number > self._caught.number]

    def _raise_floor(self, fence: int) -> None:
        """Raise the floor, so that no row is added under an earlier fence."""
        nonce = secrets.token_hex(8)
        tail = self._caught_up()
        while tail.floor < fence:
            self._add(Segment(nonce, tail, fence))
            tail = self._caught

    def _caught_up(self) -> SegmentEnd:
        """Read the segments after the tail; returns the end of the journal."""
        if self._tail is None:
            self._start()
        for segment, at in self._follow(self._caught):
            self._pass(segment, at)
        return self._caught

    def _start(self) -> None:
        """Start at the latest snapshot."""
        found = self._latest_snapshot()
        start = SegmentEnd()
        if found is not None:
            self._loaded, start, self._base = found
        self._tail = self._unread_after = start
        self._marks = [start]

    def _follow(self, position: SegmentEnd, start: str | None = None) -> Iterator[tuple[Segment, int]]:
        """The segments after a position, and when each was written. Raises DiagnosticError if one is missing.

        Segments before a base may be missing or empty: the base holds what is still needed of them.
        """
        for _ in range(_ATTEMPTS if self._exists else 0):
            first, start = start or position.next, None
            listed = self._link.list_objects(self._segment(""), self._segment(first[:-1]))
            waiting = [found for found in listed if found.size and found.name >= self._segment(first)]
            for begin in range(0, len(waiting), _BLOCK):
                block = waiting[begin : begin + _BLOCK]
                found = self._link.get_all([each.name for each in block])
                for (name, _, modified), each in zip(block, found, strict=True):
                    if each is None or not each.data:  # compacted into a base meanwhile
                        break
                    segment = self._decoded(each.data)
                    if segment.base is None and name != self._segment(position.next):
                        raise self._damaged(f"row {position.number + 1} of the journal is missing")
                    # Timestamps are whole seconds, so the real instant may be up to one second later.
                    yield segment, modified if modified % 1000 else modified + 999
                    position = segment.end
                else:
                    continue
                break
            else:
                return
        if self._exists:
            raise self._damaged("segments vanish while they are read")

    def _rows_again(self, after: int) -> Iterator[Stored]:
        """The rows that follow, from segments read before."""
        place = bisect_right(self._marks, after, key=lambda mark: mark.number)
        found = self._latest_snapshot_name()
        base = _NO_BASE if found is None else found.split("/")[-2]
        start = self._marks[place - 1] if place else SegmentEnd()
        begin = None if base == _NO_BASE or start.next > base else base
        known = after
        for segment, at in self._follow(start, begin):
            for stored in segment.stored(at):
                if stored.number > known:
                    known = stored.number
                    yield stored

    def _names_of(self, numbers: Collection[int]) -> list[str]:
        """The names of the segments that hold rows; those compacted into a base are left out."""
        reach = 256
        while True:
            lowest = max(0, min(numbers) - reach)
            listed = self._link.list_objects(self._segment(""), self._segment(f"{lowest:012d}"))
            if not lowest or (listed and _first_row(listed[0]) <= min(numbers)):
                break
            reach *= 16
        firsts = [_first_row(found) for found in listed]
        places = {bisect_right(firsts, number) - 1 for number in numbers}
        # A row may be followed by segments without rows, whose names start with the number of the next segment that has
        # rows.
        named = {firsts[place] for place in places if place >= 0}
        return [found.name for found, first in zip(listed, firsts, strict=True) if first in named and found.size]

    def snapshot(self) -> Snapshot | None:
        if self._tail is None:
            self._start()
        if self._loaded is not None:
            found, self._loaded = self._loaded, None
            return found
        latest = self._latest_snapshot()
        return None if latest is None else latest[0]

    def save_snapshot(self, snapshot: Snapshot) -> None:
        self._caught_up()
        place = bisect_right(self._marks, snapshot.number, key=lambda mark: mark.number)
        self._put_snapshot(snapshot, self._marks[place - 1] if place else SegmentEnd())

    def _put_snapshot(self, snapshot: Snapshot, position: SegmentEnd) -> None:
        name = self._name(f"snapshot/{self._base}/{snapshot.number:012d}")
        older = [found.name for found in self._link.list_objects(self._name("snapshot/"))]
        if older and max(older) >= name:
            return
        header = json.dumps([self._base, position]).encode()
        self._link.create(name, header + b"\n" + snapshot.data)
        self._link.delete(older)

    def _latest_snapshot_name(self) -> str | None:
        listed = self._link.list_objects(self._name("snapshot/")) if self._exists else []
        return max((found.name for found in listed), default=None)

    def _latest_snapshot(self) -> tuple[Snapshot, SegmentEnd, str] | None:
        for _ in range(_ATTEMPTS):
            name = self._latest_snapshot_name()
            if name is None:
                return None
            found = self._link.get(name)
            if found is None:  # replaced by a compaction
                continue
            head, _, data = found.data.partition(b"\n")
            try:
                base, position = json.loads(head)
                return Snapshot(int(name.rpartition("/")[2]), data), SegmentEnd(*position), str(base)
            except (ValueError, TypeError) as error:
                raise self._damaged(f"a snapshot is altered or damaged ({error})") from error
        raise self._damaged("snapshots vanish while they are read")

    def compact(self, rows: Sequence[Stored], snapshot: Snapshot, fence: Fence) -> bool:
        tail = self._caught_up()
        nonce = secrets.token_hex(8)
        while snapshot.number == tail.number + 1 and self._may_add(fence):
            if self._add(Segment(nonce, tail, tail.floor, (), rows, snapshot.data)):
                self._unread, self._unread_after = [], self._caught
                self._put_snapshot(snapshot, self._caught)
                # Emptied, not deleted: a writer suspended since before must not find the name free.
                base = self._segment(tail.next)
                older = [found.name for found in self._link.list_objects(self._segment("")) if found.size]
                self._link.put_all([name for name in older if name < base], b"")
                return True
            tail = self._caught
        return False

    def document(self, name: str) -> str | None:
        found = self._link.get(self._name(f"documents/{name}")) if self._exists else None
        return None if found is None else found.data.decode()

    def documents(self, prefix: str) -> Mapping[str, str]:
        directory = self._name("documents/")
        listed = self._link.list_objects(directory) if self._exists else []
        names = [found.name for found in listed if found.name.startswith(directory + prefix)]
        found = self._link.get_all(names)
        return {
            name.removeprefix(directory): each.data.decode()
            for name, each in zip(names, found, strict=True)
            if each is not None
        }

    def put_document(self, name: str, text: str) -> None:
        self._link.put(self._name(f"documents/{name}"), text.encode())

    def delete_document(self, name: str) -> None:
        self._link.delete([self._name(f"documents/{name}")])

    def summary(self) -> StackState | None:
        """The state of the stack, from a few requests that read no snapshot and at most one segment; None if it does
        not exist.
        """
        if self._lease.read() is None:
            return None
        name = self._latest_snapshot_name()
        last = 0 if name is None else int(name.rpartition("/")[2])
        listed = self._link.list_objects(self._segment(""), self._segment(f"{last + 1:012d}"))
        found = self._link.get(listed[-1].name) if listed else None
        if found is not None and found.data:
            last = max(last, self._decoded(found.data).end.number)
        return StackState(self._stack, last, self.lease(), None if found is None else found.modified)

    def drop(self) -> None:
        self._link.delete([found.name for found in self._link.list_objects(self._name(""))])
        self._forget()

    def close(self) -> None:
        self._link.close()

    def _name(self, name: str) -> str:
        return f"{self._stack}/{name}"

    def _segment(self, name: str) -> str:
        return f"{self._stack}/journal/{name}"

    def _decoded(self, data: bytes) -> Segment:
        try:
            return decode(data)
        except (ValueError, TypeError, AttributeError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> DiagnosticError:
        hint = "restore it from a backup, or copy its sound rows: reconciler ledger copy"
        return DiagnosticError(Diagnostic(f"the ledger {self.label} is damaged: {what}", hint=hint))


def open_objects(url: str, stack: str, *, reading: bool = False) -> ObjectStore:
    """The store of a stack at ``s3://BUCKET/PREFIX``, ``gs://...`` or ``az://...``."""
    return ObjectStore(ObjectLink(url), stack, reading=reading)


def list_stacks(url: str) -> list[StackState]:
    """Every stack of a shared ledger, sorted by name."""
    with closing(ObjectLink(url)) as link:
        names = [name for name in link.children() if not name.startswith(".")] if prepare(link, create=False) else []
        found = link.at_once(lambda name: ObjectStore(link, name, reading=True).summary(), names)
    return [state for state in found if state is not None]


def _next_fence(last: int, floor: int) -> int:
    """The fence of the next holder: one more than the last one, which may have been unlocked.

    If the lease object was lost, the journal has the last fence.
    """
    return last + 1 if last and floor <= last + 1 else floor + 1


def _first_row(segment: Listed) -> int:
    return int(segment.name.rpartition("/")[2].partition("-")[0])
