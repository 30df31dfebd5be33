"""Differences: the attributes in which an observed object differs from its declaration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from reconciler.core.desired import FREE_KEYS, Desired
from reconciler.core.digest import content_digest
from reconciler.core.observed import Observed
from reconciler.ledger.protocol import AS_SENT
from reconciler.plan.plan import Change, Difference

_NESTED = (Mapping, list, tuple)
_CUT = 64
"""The minimum length of a text that a service may have truncated."""


def differences(desired: Desired, observed: Observed) -> tuple[Difference, ...]:
    """Every attribute that differs, by path; a difference in the identity, or in the provider, forces a replace."""
    moved = _flat({"provider": observed.provider}, {"provider": desired.provider}, forces_replace=True)
    identity = _flat(observed.identity, desired.identity, forces_replace=True)
    attributes = _deep(observed.attributes, desired.attributes)
    return (*moved, *identity, *sorted(attributes, key=lambda difference: difference.path))


def shown_differences(change: Change) -> tuple[Difference, ...]:
    """The differences between a change's declaration and the alarm it is compared with, preferably one seen through its
    own provider.
    """
    desired = change.desired
    if desired is None or not change.before:
        return ()
    here = [found for found in change.before if found.provider == desired.provider]
    return differences(desired, (here or change.before)[0])


def keep_ignored(desired: Desired, active: Sequence[Observed]) -> Desired:
    """What is declared, with the attributes under lifecycle.ignore_changes as the newest alarm shows them."""
    shown = next((found for found in active if found.provider == desired.provider), None)
    if shown is None or not desired.lifecycle.ignore_changes:
        return desired
    identity, attributes = dict(desired.identity), dict(desired.attributes)
    for path in desired.lifecycle.ignore_changes:
        head, _, key = path.partition(".")
        if head in attributes or head in shown.attributes:
            _carry(attributes, shown.attributes, path)
        else:
            _carry(identity, shown.identity, key if head in FREE_KEYS and key else path)
    kept = desired._replace(identity=identity, attributes=attributes)
    if not differences(kept, shown):
        return kept._replace(digest=shown.marks.digest)
    return kept._replace(digest=content_digest(desired.address.type, identity, attributes))


def _carry(to: dict[str, Any], source: Mapping[str, object], path: str) -> None:
    """Copy the value at a path from one mapping to the other; its keys may contain dots."""
    head, _, rest = path.partition(".")
    nested, shown = to.get(head, {}), source.get(head, {})
    if rest and path not in to and path not in source and isinstance(nested, dict) and isinstance(shown, dict):
        to[head] = {**nested}
        _carry(to[head], shown, rest)
    elif path in source:
        to[path] = source[path]
    else:
        to.pop(path, None)


def is_altered(desired: Desired, observed: Observed) -> bool:
    """Whether the content of an object differs from the declaration, for whatever reason."""
    return observed.attributes != desired.attributes or observed.identity != desired.identity


def is_edited(desired: Desired, observed: Observed, shown: str | None) -> bool:
    """Whether a user edited the content of an alarm whose digest still matches the declaration.

    ``shown`` is the digest of what the service showed when the push was verified, from the ledger: a difference from it
    is an edit, a change made by the service is not. If it is None, a heuristic decides: services omit or add
    attributes, and trim, truncate or respell them.
    """
    if not is_altered(desired, observed):
        return False
    if shown is not None:
        content = content_digest(observed.marks.address.type, observed.identity, observed.attributes)
        return shown == AS_SENT or content != shown
    return any(
        not (found.old is None and "." not in found.path) and not _is_normalised(found.old, found.new)
        for found in differences(desired, observed)
    )


def _is_normalised(old: object, new: object) -> bool:
    """Whether a service may have changed ``new`` to ``old`` by itself."""
    if new is None:
        return True
    if isinstance(old, _NESTED) or isinstance(new, _NESTED):
        return False
    shown, sent = (" ".join(str(value).split()).casefold() for value in (old, new))
    return shown == sent or (old is not None and len(shown) >= _CUT and sent.startswith(shown.rstrip(".…")))


def _flat(old: Mapping[str, str], new: Mapping[str, str], forces_replace: bool) -> Iterator[Difference]:
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield Difference(key, old.get(key), new.get(key), forces_replace)


def _deep(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Difference]:
    """Compare flat values directly, and nested ones part by part."""
    nested_old: dict[str, object] = {}
    nested_new: dict[str, object] = {}
    for key in old.keys() | new.keys():
        before, after = old.get(key), new.get(key)
        if type(before) is type(after) and before == after:
            continue
        if _is_flat_mapping(before) and _is_flat_mapping(after):
            for name in before.keys() | after.keys():
                if before.get(name) != after.get(name):
                    yield Difference(f"{key}.{name}", before.get(name), after.get(name))
        elif isinstance(before, _NESTED) or isinstance(after, _NESTED):
            nested_old.update({key: before} if key in old else {})
            nested_new.update({key: after} if key in new else {})
        else:
            yield Difference(key, before, after)
    if nested_old or nested_new:
        yield from _taken_apart(nested_old, nested_new)


def _is_flat_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values())


def _taken_apart(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Difference]:
    from deepdiff import DeepDiff  # slow to import, and needed only for nested values
    from deepdiff.helper import NotPresent

    tree = DeepDiff(old, new, view="tree", threshold_to_diff_deeper=0)
    for group in tree.values():
        for level in group:
            path = ".".join(str(part) for part in level.path(output_format="list"))
            before = None if isinstance(level.t1, NotPresent) else level.t1
            after = None if isinstance(level.t2, NotPresent) else level.t2
            yield Difference(path, before, after)
