"""Writing a file that a user names: replaced as a whole, or written in place if it is no regular file."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]+)")
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
# A mounted file cannot be renamed onto (EBUSY); a directory may not allow new files although the file is writable.
_IN_PLACE = frozenset([errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS])
_BLOCK = 1 << 20


def write_text(path: Path, text: str | Iterable[str], mode: int = 0o600, *, durable: bool = True) -> None:
    """Give a file this text, whole or piece by piece. Raises OSError.

    It is on the disk then, unless it need not be ``durable``: a crash of the machine leaves the old text or the new.

    A regular file is replaced as a whole, by way of a temporary name beside it: it keeps its permissions, and stays a
    link if it is one; a new file has ``mode``, by default readable by its owner only. FIFOs, devices, open descriptors
    (``/dev/fd/N``, ``/dev/stdout``) and files that cannot be replaced, such as bind mounts, are written in place.
    """
    data = (piece.encode("utf-8") for piece in ([text] if isinstance(text, str) else text))
    descriptor = _descriptor(path)
    if descriptor is not None:
        _write_to(os.dup(descriptor), data)
    elif path.exists() and not stat.S_ISREG(path.stat().st_mode):
        _write_to(os.open(path, os.O_WRONLY), data)
    else:
        _replace(path.resolve(), data, mode, durable=durable)


def check_writable(path: Path, *, parents: bool = False) -> None:
    """Raise OSError if ``write_text`` would, as far as that can be known before; with ``parents`` missing directories
    will be made.
    """
    if _descriptor(path) is not None:
        return
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.exists():
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    directory = path.resolve().parent
    while parents and not directory.exists():
        directory = directory.parent
    if not directory.exists():
        raise FileNotFoundError(errno.ENOENT, f"there is no directory {path.parent}")
    if not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{directory} is not a directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _descriptor(path: Path) -> int | None:
    """The number of the open descriptor that a path names."""
    name = os.path.normpath(path.absolute())
    found = _DESCRIPTOR.fullmatch(name)
    return int(found[1]) if found else _STANDARD.get(name)


def _replace(path: Path, data: Iterable[bytes], mode: int, *, durable: bool) -> None:
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    except OSError as error:
        if error.errno not in _IN_PLACE or not path.exists():
            raise
        _write_to(os.open(path, os.O_WRONLY | os.O_TRUNC), data)
        return
    try:
        _write_to(descriptor, data, sync=durable)
        with suppress(FileNotFoundError):
            mode = path.stat().st_mode & 0o7777
        Path(temporary).chmod(mode)
        try:
            Path(temporary).replace(path)
        except OSError as error:
            if error.errno not in _IN_PLACE:
                raise
            with Path(temporary).open("rb") as written:
                _write_to(os.open(path, os.O_WRONLY | os.O_TRUNC), iter(lambda: written.read(_BLOCK), b""))
            Path(temporary).unlink()
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _write_to(descriptor: int, data: Iterable[bytes], *, sync: bool = False) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(data)
        file.flush()
        if sync:
            os.fsync(descriptor)
