"""Changes in Git: which stacks have files that changed since a commit."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath

from reconciler.config.blocks.sections import read_sections
from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.config.yaml.source_map import Source, SourceMap
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.text import sanitize

_NULL_COMMIT = re.compile("0{40}|0{64}")
"""What GitHub and GitLab name as the commit before the first push to a branch."""
_INCLUDE = re.compile(rb"""^["']?include["']?[ \t]*:""", re.MULTILINE)


def changed_files(directory: Path, ref: str) -> frozenset[Path]:
    """The absolute paths of all files that changed on this branch since it left ``ref``.

    Includes uncommitted, untracked and deleted files, and both names of a renamed file. All files if ``ref`` is the
    null commit. Raises DiagnosticError if Git fails.
    """
    top = Path(_git(directory, "rev-parse", "--show-toplevel")[0])
    untracked = _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    if _NULL_COMMIT.fullmatch(ref):
        return frozenset(top / name for name in (*_git(top, "ls-files", "-z"), *untracked))
    if _run(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").returncode:
        raise DiagnosticError(_unknown_ref(top, ref))
    base = _run(top, "merge-base", ref, "HEAD")
    if base.returncode:
        hint = (
            "fetch more of the history: git fetch --unshallow" if _is_shallow(top) else "name a commit of its history"
        )
        raise DiagnosticError(Diagnostic(f"--changed-since {ref}: it has no commit in common with HEAD", hint=hint))
    changed = _git(top, "diff", "--name-only", "--no-renames", "-z", base.stdout.decode().strip())
    return frozenset(top / name for name in (*changed, *untracked))


def is_changed(stack: Path, extra: Collection[Path], changed: Collection[Path]) -> bool:
    """Whether files of a stack changed: its own, those it includes, or ``extra`` ones such as its var-files."""
    if any(has_changed(file, changed) for file in extra):
        return True
    root = (stack if stack.is_dir() else stack.parent).resolve()
    if stack.is_dir() and any(file.parent == root and file.suffix in (".yaml", ".yml") for file in changed):
        return True  # also a file that was deleted
    names = (root / name for name in _includes(stack))
    return any(has_changed(file, changed) for file in (*_own_files(stack), *names))


def has_changed(file: Path, changed: Collection[Path]) -> bool:
    """Whether a file changed, or the file that it is a link to."""
    return file.resolve() in changed or file.parent.resolve() / file.name in changed


def _own_files(stack: Path) -> list[Path]:
    return sorted((*stack.glob("*.yaml"), *stack.glob("*.yml"))) if stack.is_dir() else [stack]


def _includes(stack: Path) -> Iterator[str]:
    """The files that a stack includes, as written in it; a file that cannot be read has none."""
    sources = [Source(str(file), file.read_bytes()) for file in _own_files(stack) if file.is_file()]
    root = stack if stack.is_dir() else stack.parent
    if not any(_INCLUDE.search(source.text) for source in sources):
        return
    names: list[str] = []
    source_map = SourceMap()
    read_sections(sources, (), _reader(root, names), source_map, DiagnosticCollector(source_map))
    yield from names


def _reader(root: Path, names: list[str]) -> Callable[[str], Source]:
    def read(name: str) -> Source:
        names.append(str(PurePosixPath(name)))
        return Source(name, (root / name).read_bytes())

    return read


def _unknown_ref(top: Path, ref: str) -> Diagnostic:
    summary = f"--changed-since {ref}: there is no such commit in this clone"
    if _is_shallow(top):
        is_relative = re.search(r"[~^@]", ref)  # such as HEAD~1, which cannot be fetched by this name
        fetch = "--unshallow" if is_relative else f"--depth 100 origin {ref.removeprefix('origin/')}"
        return Diagnostic(
            f"{summary}, which is shallow",
            hint=f"fetch it: git fetch {fetch}, or check out with the whole "
            "history (actions/checkout: fetch-depth: 0; GitLab: GIT_DEPTH: 0)",
        )
    return Diagnostic(summary, hint="check its name, or fetch it: git fetch origin")


def _is_shallow(top: Path) -> bool:
    return _git(top, "rev-parse", "--is-shallow-repository") == ["true"]


def _git(directory: Path, *arguments: str) -> list[str]:
    """The output of a Git command, item by item. Raises DiagnosticError if it fails."""
    done = _run(directory, *arguments)
    if done.returncode:
        reason = sanitize(done.stderr.decode("utf-8", "replace")).removeprefix("fatal: ")
        raise DiagnosticError(
            Diagnostic(f"--changed-since needs a Git repository: {reason}", hint="run it in a clone of the stacks")
        )
    separator = "\0" if "-z" in arguments else "\n"
    return [item for item in done.stdout.decode("utf-8", "surrogateescape").split(separator) if item]


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - a program of the user's own
            ["git", "-C", str(directory), *arguments],  # noqa: S607 - wherever it is installed
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise DiagnosticError(
            Diagnostic("--changed-since needs Git, and there is no git command", hint="install it")
        ) from None
