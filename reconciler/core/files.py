"""Writing a file that a user names: replaced atomically, or written in place if it is not a regular file."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_DESCRIPTOR = r"/(?:dev|proc/self)/fd/([0-9]+)"
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
# A mounted file cannot be renamed onto (EBUSY); a directory may not allow new files although the file is writable.
_IN_PLACE = frozenset([errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS])
_BLOCK = 1 << 20


def write_text(path: Path, text: str | Iterable[str], mode: int = 0o600, *, durable: bool = True) -> None:
    """Write text to a file, whole or in pieces. Raises OSError.

    The text is on disk on return, unless ``durable`` is false: after a crash of the machine the file has the old or the
    new text. A regular file is replaced by way of a temporary file beside it; it keeps its permissions, and stays a
    link if it is one. A new file has ``mode``, by default readable by its owner only. FIFOs, devices, open descriptors
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
    """Raise OSError if ``write_text`` would fail, as far as this can be checked; with ``parents`` missing directories
    will be created.
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
    """The number of the open descriptor that a path refers to."""
    name = os.path.normpath(path.absolute())
    found = re.fullmatch(_DESCRIPTOR, name)
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
