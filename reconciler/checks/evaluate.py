"""Evaluates an expectation against the items that a query found."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from reconciler.checks.comparison import Condition, all_known, compare, comparison
from reconciler.checks.expectation import Count, Expectation, ExpectedNotification
from reconciler.core.data_source import NOTIFICATIONS, Item, ItemField
from reconciler.core.desired import SEVERITY_FIELDS

SHOWN = 3
"""How many items a reason names."""


class Evaluation(NamedTuple):
    """Whether an expectation holds; ``reason`` says what was found, or how ``failing_items`` violate it."""

    holds: bool
    reason: str
    failing_items: tuple[Item, ...] = ()


def evaluate(expected: Expectation, items: Sequence[Item], fields: Mapping[str, ItemField]) -> Evaluation:
    """Evaluate an expectation against all items. An unknown result does not hold."""
    failures = list(_failures(expected, items, fields))
    if failures:
        failing_items = tuple({id(item): item for failure in failures for item in failure.failing_items}.values())
        return Evaluation(False, "; ".join(failure.reason for failure in failures), failing_items)
    return Evaluation(True, f"found {len(items)}" + (f": {summarize_items(items)}" if items else ""))


def summarize_items(items: Sequence[Item]) -> str:
    """The first items, each briefly described."""
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(describe_item(item) for item in items[:SHOWN]) + more


def describe_item(item: Item) -> str:
    """An item briefly described: its name, severity and subject."""
    name = _first(item, "event_name", "policy", "policy_id", "alertname", "id") or "an item without a name"
    severity = _first(item, *SEVERITY_FIELDS, "level")
    about = _first(item, "resource_id", "instance_id", "resource_name")
    state = item.get("state")
    facts = [fact for fact in (severity, state if isinstance(state, str) else None) if fact]
    return name + (f" ({', '.join(facts)})" if facts else "") + (f" on {about}" if about else "")


def _failures(expected: Expectation, items: Sequence[Item], fields: Mapping[str, ItemField]) -> Iterator[Evaluation]:
    if expected.count is not None:
        yield from _count(expected.count, items)
    truths = {
        word: [_truth(item, conditions, fields) for item in items]
        for word in ("all", "any", "none")
        if (conditions := getattr(expected, word)) is not None
    }
    wrong = [item for item, truth in zip(items, truths.get("all", ()), strict=False) if truth is not True]
    if wrong:
        yield Evaluation(
            False, f"{len(wrong)} of {len(items)} items do not match `all`: {summarize_items(wrong)}", tuple(wrong)
        )
    if "any" in truths and not any(truth is True for truth in truths["any"]):
        yield Evaluation(
            False, f"no item matches `any` ({len(items)} checked)" + (f": {summarize_items(items)}" if items else "")
        )
    wrong = [item for item, truth in zip(items, truths.get("none", ()), strict=False) if truth is not False]
    if wrong:
        unknown = ", or may match it" if None in truths["none"] else ""
        yield Evaluation(
            False, f"{len(wrong)} of {len(items)} items match `none`{unknown}: {summarize_items(wrong)}", tuple(wrong)
        )
    if expected.notification is not None:
        yield from _notified(expected.notification, items)


def _count(wanted: int | Count, items: Sequence[Item]) -> Iterator[Evaluation]:
    count = Count(equal=wanted) if isinstance(wanted, int) else wanted
    found = len(items)
    bounds = [
        (count.equal, "exactly", count.equal is None or found == count.equal),
        (count.at_least, "at least", count.at_least is None or found >= count.at_least),
        (count.at_most, "at most", count.at_most is None or found <= count.at_most),
    ]
    for bound, words, holds in bounds:
        if not holds:
            reason = f"found {found}, expected {words} {bound}" + (f": {summarize_items(items)}" if items else "")
            yield Evaluation(False, reason, tuple(items))


def _truth(item: Item, conditions: Mapping[str, Condition], fields: Mapping[str, ItemField]) -> bool | None:
    return all_known(
        compare(_at(item, path), comparison(condition), fields[path].order if path in fields else ())
        for path, condition in conditions.items()
    )


def _notified(wanted: ExpectedNotification, items: Sequence[Item]) -> Iterator[Evaluation]:
    if not items:
        yield Evaluation(False, "found 0, so no notification was delivered")
        return
    silent = [item for item in items if not any(_delivered(sent, wanted) for sent in _sent(item))]
    if silent:
        given = ", ".join(f"{key} {value}" for key, value in wanted.model_dump(exclude_none=True).items())
        which = f" ({given})" if given else ""
        reason = f"no notification{which} was delivered for {len(silent)} of {len(items)}: {summarize_items(silent)}"
        yield Evaluation(False, reason, tuple(silent))


def _delivered(sent: Mapping[str, object], wanted: ExpectedNotification) -> bool:
    if sent.get("delivered") is not True:
        return False
    if any(
        expected is not None and sent.get(key) != expected
        for key, expected in (("type", wanted.type), ("rule", wanted.rule), ("topic", wanted.topic))
    ):
        return False
    return _among(wanted.member, sent.get("members")) and (
        _among(wanted.channel, sent.get("channels")) or wanted.channel == sent.get("channel")
    )


def _among(wanted: str | None, found: object) -> bool:
    return wanted is None or (isinstance(found, list) and wanted in found)


def _sent(item: Item) -> Iterator[Mapping[str, object]]:
    found = item.get(NOTIFICATIONS)
    return (each for each in found if isinstance(each, dict)) if isinstance(found, list) else iter(())


def _at(item: Item, path: str) -> object:
    """The value at a path; keys may contain dots themselves, so the longest key wins at each step."""
    value: object = item
    parts = path.split(".")
    while parts:
        if not isinstance(value, Mapping):
            return None
        for length in range(len(parts), 0, -1):
            key = ".".join(parts[:length])
            if key in value:
                value, parts = value[key], parts[length:]
                break
        else:
            return None
    return value


def _first(item: Item, *names: str) -> str | None:
    return next((value for name in names if isinstance(value := item.get(name), str) and value), None)
