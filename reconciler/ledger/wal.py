"""The write-ahead log beside a ledger file: detects damage to committed transactions.

SQLite treats a damaged frame as the point where a crash truncated the log, and drops everything after it. The two can
be distinguished: after a crash no commit follows. The format: https://www.sqlite.org/fileformat2.html, section 4.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">8I")  # magic, version, page size, checkpoint, salt (2), checksum (2)
_FRAME = struct.Struct(">6I")  # page, pages of the file after a commit (or 0), salt (2), checksum (2)
_MAGIC = 0x377F0682  # the lowest bit says that checksums are of big-endian words
_VERSION = 3_007_000
_USUAL_PAGE = 4096
_PAGE_SIZES = frozenset(512 << power for power in range(8))

_TRIES, _PAUSE = 10, 0.025  # a live writer may be in the middle of a frame

_Sum = tuple[int, int]


class Frame(NamedTuple):
    """A frame of the log's current cycle: where it starts, whether it ends a transaction, and whether it is intact."""

    start: int
    commits: bool
    is_sound: bool


class Log(NamedTuple):
    """A parsed log: its parts, and its header, reconstructed if damaged."""

    order: str
    page_size: int
    salt: _Sum
    header_is_sound: bool
    frames: tuple[Frame, ...]

    @property
    def damage(self) -> int | None:
        """The earliest possible offset of the first damaged byte, if a committed transaction is lost by it."""
        if not self.header_is_sound:
            return 0
        first = next((number for number, frame in enumerate(self.frames) if not frame.is_sound), None)
        if first is None or not any(frame.commits for frame in self.frames[first:]):
            return None
        return self.frames[first].start


def find_damage(log: Path) -> str | None:
    """A description of the damage in a log, if a committed transaction is lost by it."""
    for attempt in range(_TRIES):
        try:
            place = read(log.read_bytes()).damage
        except FileNotFoundError:
            return None
        if place is None:
            return None
        if attempt < _TRIES - 1:
            time.sleep(_PAUSE)
    return f"its write-ahead log {log.name} is altered or damaged, from byte {place:,} on"


def read(data: bytes) -> Log:
    """Read a log; one without frames holds nothing that could be lost."""
    if len(data) < _HEADER.size + _FRAME.size:
        return Log("<", _USUAL_PAGE, (0, 0), True, ())
    magic, _, page_size, _, *salt, first, second = _HEADER.unpack_from(data)
    order = ">" if magic == _MAGIC | 1 else "<"
    made = _add((0, 0), data[:24], order)
    is_sound = magic & ~1 == _MAGIC and made == (first, second) and page_size in _PAGE_SIZES
    if not is_sound:
        _, _, *salt, _, _ = _FRAME.unpack_from(data, _HEADER.size)
        page_size = _USUAL_PAGE
    frames = _frames(data, page_size, (salt[0], salt[1]), {(first, second), made}, order)
    return Log(order, page_size, (salt[0], salt[1]), is_sound, tuple(frames))


def _frames(data: bytes, page_size: int, salt: _Sum, chain: set[_Sum], order: str) -> Iterator[Frame]:
    """Read the frames; ``chain`` are the possible checksums of the part before: as stored, and as it should be."""
    size = _FRAME.size + page_size
    for start in range(_HEADER.size, len(data) - size + 1, size):
        _, pages, *mine, first, second = _FRAME.unpack_from(data, start)
        if mine[0] != salt[0] and mine[1] != salt[1]:  # left by an earlier cycle
            return
        content = data[start : start + 8] + data[start + _FRAME.size : start + size]
        made = {_add(known, content, order) for known in chain}
        is_sound = (mine[0], mine[1]) == salt and (first, second) in made
        yield Frame(start, bool(pages), is_sound)
        chain = {(first, second)} if is_sound else {(first, second), *made}


def without_damage(data: bytes) -> bytes:
    """The log without its damaged frames, so that its later transactions are read again."""
    log = read(data)
    magic = _MAGIC | (log.order == ">")
    header = _HEADER.pack(magic, _VERSION, log.page_size, 0, *log.salt, 0, 0)[:24]
    chain = _add((0, 0), header, log.order)
    kept = [header, struct.pack(">2I", *chain)]
    for frame in log.frames:
        if frame.is_sound:
            page = data[frame.start + _FRAME.size : frame.start + _FRAME.size + log.page_size]
            chain = _add(chain, data[frame.start : frame.start + 8] + page, log.order)
            kept += [data[frame.start : frame.start + 8], struct.pack(">4I", *log.salt, *chain), page]
    return b"".join(kept)


def _add(before: _Sum, data: bytes, order: str) -> _Sum:
    """Continue a checksum over whole pairs of words."""
    first, second = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
