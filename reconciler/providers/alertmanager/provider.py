"""The Alertmanager provider: post and query alerts and silences over API v2, at every instance of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.data_source import Item
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic, DiagnosticError
from reconciler.core.observed import ADDRESS, STACK, Observed, State, UnmanagedAlarm
from reconciler.core.operation import Operation, ServiceErrorDetail
from reconciler.providers.alertmanager.cluster import Cluster, Instance, as_one, by_owner
from reconciler.providers.alertmanager.data_sources import (
    AlertsQuery,
    GroupsQuery,
    SilencesQuery,
    StatusQuery,
    alert_items,
    group_items,
    silence_items,
    status_item,
    version_of,
)
from reconciler.providers.alertmanager.resource_types import ALERT, ANY_NAME_SINCE, odd_names, unmanaged_alert
from reconciler.providers.alertmanager.settings import AlertmanagerSettings
from reconciler.providers.alertmanager.silence import SILENCE
from reconciler.providers.alertmanager.silence_calls import SilenceCalls
from reconciler.providers.alertmanager.silence_wire import (
    Shown,
    filter_values,
    newest,
    state_of,
    told_by,
    unmanaged_silence,
)
from reconciler.providers.alertmanager.wire import (
    Alert,
    alert_id,
    end_of,
    ended_push,
    labels_of,
    owner_of,
    parse_list,
    pushed_item,
    read_instant,
)
from reconciler.providers.history import LastPush
from reconciler.providers.http import Response
from reconciler.providers.protocol import ErrorKind, Limits, ServiceError
from reconciler.providers.settings import EMBEDDED

_Answer = TypeVar("_Answer")

MAX_FILTERED = 20
"""Up to this number of addresses, the query names each one; for more, it covers the whole stack."""


MAX_MATCHER = 3_000
"""The maximum length of names in one query: proxies accept URLs of 8,000 characters."""


class AlertmanagerProvider:
    """Every instance of one Alertmanager cluster; ``now`` gives the current time in epoch milliseconds."""

    def __init__(self, key: str, settings: AlertmanagerSettings, cluster: Cluster, now: Callable[[], int]) -> None:
        self.key = key
        self.limits = Limits(
            batch_size=settings.batch_size,
            parallelism=settings.parallelism,
            rate_limit=settings.rate_limit,
            visible_within=settings.visible_within,
            request_timeout=settings.request_timeout,
            revives=True,
        )
        self._cluster = cluster
        self._path = f"{settings.path_prefix if settings.endpoints != [EMBEDDED] else ''}/api/v2"
        self._silences = SilenceCalls(cluster, self._path, self._all_silences, self._version, now)
        self._now = now
        self._reads_all = settings.marks == "annotations"
        self._versions: dict[str, tuple[int, ...]] = {}

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:
        self._check_names(desired)
        yield from self._stack_alerts(stack, ())
        yield from (found for found in self._silences.observe(self.key, stack) if found.state is State.ACTIVE)

    def observe_stacks(self, declared: Mapping[str, Sequence[Desired]]) -> Mapping[str, Sequence[Observed]]:
        """See ``SharesQueries``; a stack with names that the server may reject is left out."""
        stacks = [stack for stack, desired in declared.items() if not any(map(odd_names, desired))]
        names = [instance.name for instance in self._cluster.instances]
        found: dict[str, list[Observed]] = {}
        for some in [stacks] if self._reads_all else _several(stacks):
            answers = self._answers([] if self._reads_all else [_one_of(STACK, some)])
            for stack, shown in by_owner(answers, some).items():
                found[stack] = list(as_one(shown, names, self._cluster.quorum, self.key, stack, ALERT.name))
        for stack, silences in self._silences.observe_stacks(self.key, stacks).items():
            found[stack] += [silence for silence in silences if silence.state is State.ACTIVE]
        return found

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:
        """Silences that have ended, as long as the server keeps them; it keeps no history of alerts."""
        if any(address.type == SILENCE.name for address in addresses):
            ended = [found for found in self._silences.observe(self.key, stack) if found.state is not State.ACTIVE]
            yield from sorted(
                (found for found in ended if found.marks.address in addresses),
                key=lambda found: -(found.ended_at or 0),
            )

    def infer_history(self, pushes: Sequence[LastPush]) -> Iterator[Observed]:
        """What happened to alerts and silences that no instance shows, from their end and the starts of the
        instances.
        """
        starts = [read_instant(status.get("uptime")) for status in self._complete(self._status, every=True).values()]
        restarted = max((start for start in starts if start is not None), default=0)
        for push in pushes:
            ends = end_of(push.operation.payload)
            is_lost = all(start is not None and push.done_at < start < ends for start in starts)
            state, ended_at = State.CLEARED, None
            if is_lost:
                state, ended_at = State.LOST, restarted
            elif ends <= self._now():
                state, ended_at = State.EXPIRED, ends
            yield ended_push(push.operation, state, ended_at)

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        silences = [operation for operation in operations if operation.address.type == SILENCE.name]
        if not silences:
            self._post_alerts(operations)
            return [None] * len(operations)
        alerts = [operation for operation in operations if operation.address.type != SILENCE.name]
        if alerts:
            self._post_alerts(alerts)
        try:
            made = self._silences.send(silences)
        except ServiceError as error:
            if alerts and error.kind in (ErrorKind.BUSY, ErrorKind.UNSENT):
                raise ServiceError(ErrorKind.AMBIGUOUS, error.detail, error.retry_after) from error
            raise
        ids = dict(zip((operation.key for operation in silences), made, strict=True))
        return [ids.get(operation.key) for operation in operations]

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        silences = [operation for operation in operations if operation.address.type == SILENCE.name]
        if silences:
            yield from self._silences.read_back(self.key, silences)
            operations = [operation for operation in operations if operation.address.type != SILENCE.name]
        wanted: dict[str, set[str]] = {}
        unmarked_labels: list[dict[str, str]] = []
        for operation in operations:
            item = pushed_item(operation.payload)
            owner = owner_of(item)
            if STACK in owner:
                wanted.setdefault(owner[STACK], set()).add(owner.get(ADDRESS, ""))
            else:
                unmarked_labels.append(labels_of(item))
        for stack, addresses in sorted(wanted.items()):
            for found in self._stack_alerts(stack, addresses):
                if str(found.marks.address) in addresses:
                    # What an instance does not show has not taken effect yet.
                    yield found._replace(marks=found.marks._replace(key="")) if found.missing_at else found
        if unmarked_labels:
            yield from (found.observed for found in self._foreign() if found.observed.identity in unmarked_labels)

    def suppressed(self, operations: Sequence[Operation]) -> Mapping[str, str]:
        found = {alert.marks.key: alert.suppressed_by for alert in self.read_back(operations)}
        return {key: "; ".join(reasons) for key, reasons in found.items() if key and reasons}

    def unmanaged(self, filters: Mapping[str, Collection[str]]) -> Iterator[UnmanagedAlarm]:
        for found in self._foreign():
            labels = found.observed.identity
            if all(labels.get(name) in values for name, values in filters.items()):
                yield found
        for silence, _ in newest(self._all_silences()):
            if STACK not in told_by(silence) and state_of(silence) != "expired":
                known = filter_values(silence)
                if all(known.get(name) in values for name, values in filters.items()):
                    yield unmanaged_silence(silence, self.key)

    def owners(self, ids: Collection[str]) -> Mapping[str, tuple[str, str]]:
        owned: dict[str, Mapping[str, str]] = {}
        for alerts in self._answers([]).values():
            for alert in alerts:
                owned |= dict.fromkeys((alert_id(alert), str(alert.get("fingerprint"))), owner_of(alert))
        for found in newest(self._all_silences()):
            if state_of(found.silence) != "expired":
                owned[str(found.silence.get("id"))] = told_by(found.silence)
        marked = {id_: told for id_, told in owned.items() if id_ in ids and STACK in told}
        return {id_: (told[STACK], told.get(ADDRESS, "")) for id_, told in marked.items()}

    def query(self, source: str, query: BaseModel, details: Collection[str]) -> Sequence[Item]:  # noqa: ARG002 - protocol
        match query:
            case GroupsQuery():
                hidden = [*_hidden(query), *([("receiver", query.receiver)] if query.receiver else [])]
                params = [*(("filter", matcher) for matcher in _matchers(query)), *hidden]
                return list(group_items(self._complete(partial(self._list, "alerts/groups", params))))
            case AlertsQuery():
                return list(alert_items(self._answers(_matchers(query), _hidden(query))))
            case SilencesQuery():
                states = [query.state] if isinstance(query.state, str) else query.state
                found = silence_items(self._all_silences())
                return [item for item in found if item["state"] in states]
            case StatusQuery():
                answers = self._complete(self._status, every=True)
                return [status_item(name, answer) for name, answer in answers.items()]
        raise TypeError(f"{source}: a query of another data source: {type(query).__name__}")

    def close(self) -> None:
        self._cluster.close()

    def _check_names(self, desired: Sequence[Desired]) -> None:
        """Raise DiagnosticError for names that the server would reject; an unknown version is assumed to accept
        them.
        """
        odd = [(item, names) for item in desired if (names := odd_names(item))]
        version = self._version() if odd else ()
        if not odd or not version or version >= ANY_NAME_SINCE:
            return
        told = ".".join(map(str, version))
        raise DiagnosticError(
            *(
                Diagnostic(
                    f"{item.address}: the server (version {told}) rejects the name {names[0]!r}",
                    item.position,
                    "a name holds letters, digits and _ only, and does not begin with a digit; 0.27 and newer take any",
                    address=str(item.address),
                )
                for item, names in odd
            )
        )

    def _check_owners(self, operations: Sequence[Operation]) -> None:
        """Raise ServiceError if another owner has an alert with exactly these labels, which would be overwritten."""
        if not self._reads_all:
            return
        owners: dict[frozenset[tuple[str, str]], str | None] = {}
        for alerts in self._answers(()).values():
            for alert in alerts:
                owners[frozenset(labels_of(alert).items())] = owner_of(alert).get(STACK)
        for operation in operations:
            item = pushed_item(operation.payload)
            labels = labels_of(item)
            owner, ours = owners.get(frozenset(labels.items()), ""), owner_of(item).get(STACK)
            if owner not in ("", ours):
                whose = f"belongs to the stack {owner}" if owner else "is unmanaged"
                message = f"{operation.address} is not sent: an active alert with the same labels {whose}"
                raise ServiceError(ErrorKind.REJECTED, ServiceErrorDetail(message))

    def _post_alerts(self, operations: Sequence[Operation]) -> None:
        self._check_owners(operations)
        # A payload with two items is a list: both are sent, in order.
        items = [payload[1:-1] if payload[0] == "[" else payload for payload in (each.payload for each in operations)]
        body = b"[%s]" % ",".join(items).encode()

        def post(instance: Instance) -> None:
            instance.client.send("POST", f"{self._path}/alerts", headers=instance.headers, body=body)

        self._cluster.write(post)

    def _all_silences(self) -> Mapping[str, Sequence[Shown]]:
        """The silences at each instance that responds."""
        return self._complete(partial(self._list, "silences", ()))

    def _version(self) -> tuple[int, ...]:
        """The oldest version of the instances, queried once; empty if one is unknown."""
        if not self._versions:
            found = self._cluster.ask_all(self._status)
            self._versions = {
                name: () if isinstance(answer, ServiceError) else version_of(answer) for name, answer in found.items()
            }
        return min(self._versions.values())

    def _stack_alerts(self, stack: str, addresses: Collection[str]) -> Iterator[Observed]:
        matchers = [] if self._reads_all else [f"{STACK}={_quoted(stack)}"]
        if matchers and 0 < len(addresses) <= MAX_FILTERED:
            matchers.append(f"{ADDRESS}=~{_quoted('|'.join(map(_literal, sorted(addresses))))}")
        names = [instance.name for instance in self._cluster.instances]
        return as_one(self._answers(matchers), names, self._cluster.quorum, self.key, stack, ALERT.name)

    def _foreign(self) -> Iterator[UnmanagedAlarm]:
        """The alerts without marks, each once."""
        seen: set[str] = set()
        for found in self._answers([f'{STACK}=""']).values():
            for alert in found:
                if STACK not in owner_of(alert) and alert_id(alert) not in seen:
                    seen.add(alert_id(alert))
                    yield unmanaged_alert(alert, self.key, keeps_labels=self._reads_all)

    def _answers(self, matchers: Sequence[str], more: Sequence[tuple[str, str]] = ()) -> Mapping[str, Sequence[Alert]]:
        """The alerts at each instance that responds."""
        params = [*(("filter", matcher) for matcher in matchers), *more]
        return self._complete(partial(self._list, "alerts", params))

    def _complete(self, request: Callable[[Instance], _Answer], *, every: bool = False) -> dict[str, _Answer]:
        """Each instance's response. Raises ServiceError if fewer than the quorum respond, or fewer than all if
        required.
        """
        answers = self._cluster.ask_all(request)
        found = {name: answer for name, answer in answers.items() if not isinstance(answer, ServiceError)}
        if len(found) < (len(answers) if every else self._cluster.quorum):
            raise next(answer for answer in answers.values() if isinstance(answer, ServiceError))
        return found

    def _list(self, what: str, params: Sequence[tuple[str, str]], instance: Instance) -> list[Alert]:
        return list(parse_list(self._get(what, params, instance), what))

    def _status(self, instance: Instance) -> Alert:
        response = self._get("status", (), instance)
        answer = response.json()
        if not isinstance(answer, dict):
            raise response.unreadable("the response is not a status")
        return answer

    def _get(self, what: str, params: Sequence[tuple[str, str]], instance: Instance) -> Response:
        return instance.client.send(
            "GET", f"{self._path}/{what}", params=params, headers=instance.headers, reading=True
        )


def _several(stacks: Sequence[str]) -> Iterator[list[str]]:
    """The stacks, in groups that fit in one URL."""
    some: list[str] = []
    for stack in stacks:
        if sum(map(len, some)) + len(some) + len(stack) > MAX_MATCHER:
            yield some
            some = []
        some.append(stack)
    if some:
        yield some


def _matchers(query: AlertsQuery) -> list[str]:
    return [*query.matchers, *(_one_of(name, values) for name, values in query.labels.items())]


def _hidden(query: AlertsQuery) -> list[tuple[str, str]]:
    """The parameters that leave out suppressed alerts."""
    switches = [("silenced", query.silenced), ("inhibited", query.inhibited)]
    return [(name, "false") for name, counts in switches if not counts]


def _one_of(name: str, values: str | Sequence[str]) -> str:
    """A matcher for a label with one of these values."""
    if isinstance(values, str):
        return f"{name}={_quoted(values)}"
    return f"{name}=~{_quoted('|'.join(map(_literal, values)))}"


def _quoted(value: str) -> str:
    """A value of a matcher, quoted (the server unescapes backslash, quote and newline)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _literal(value: str) -> str:
    """An RE2 pattern that matches exactly this text."""
    return "".join(f"\\{character}" if character in r"\.+*?()|[]{}^$" else character for character in value)
