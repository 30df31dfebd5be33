"""The Alertmanager provider: post and query alerts over API v2, at every instance of a cluster."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.marks import ADDRESS, STACK
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation
from reconciler.core.unmanaged import UnmanagedAlarm
from reconciler.providers.alertmanager.cluster import Cluster, Instance
from reconciler.providers.alertmanager.resource_types import ALERT
from reconciler.providers.alertmanager.settings import AlertmanagerSettings
from reconciler.providers.alertmanager.wire import Alert, alert_id, alerts, labels_of, observed
from reconciler.providers.protocol import Limits, ServiceError

MAX_FILTERED = 20
"""Up to so many addresses the server is asked for just these; for more, for all of the stack."""

MISSING_AT = "missing_at"
"""The attribute that names the instances at which an alert is missing, so that the planner sees drift."""


class AlertmanagerProvider:
    """Every instance of one Alertmanager cluster; ``now`` gives the present in epoch milliseconds."""

    def __init__(self, key: str, settings: AlertmanagerSettings, cluster: Cluster, now: Callable[[], int]) -> None:
        self.key = key
        self.limits = Limits(
            batch_size=settings.batch_size,
            parallelism=settings.parallelism,
            rate_limit=settings.rate_limit,
            visible_within=settings.visible_within,
        )
        self._cluster = cluster
        self._path = f"{settings.path_prefix}/api/v2"
        self._now = now

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:  # noqa: ARG002  # filters by marks
        yield from self._stack_alerts(stack, ())

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:  # noqa: ARG002
        """Nothing: Alertmanager keeps no history of alerts."""
        yield from ()

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        body = b"[%s]" % ",".join([operation.payload for operation in operations]).encode()

        def post(instance: Instance) -> None:
            instance.client.send("POST", f"{self._path}/alerts", headers=instance.headers, body=body)

        self._cluster.write(post)
        return [None] * len(operations)

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        wanted: dict[str, set[str]] = {}
        for operation in operations:
            labels = json.loads(operation.payload)["labels"]
            wanted.setdefault(labels.get(STACK, ""), set()).add(labels.get(ADDRESS, ""))
        for stack, addresses in sorted(wanted.items()):
            for found in self._stack_alerts(stack, addresses):
                if str(found.marks.address) in addresses:
                    # Visible everywhere, or not yet: what is missing at an instance has not taken effect.
                    whole = MISSING_AT not in found.attributes
                    yield found if whole else found._replace(marks=found.marks._replace(key=""))

    def unmanaged(self, filters: Mapping[str, Collection[str]]) -> Iterator[UnmanagedAlarm]:
        from reconciler.providers.alertmanager.unmanaged import unmanaged_alert

        seen: set[str] = set()
        for alert in self._all_alerts([f'{STACK}=""']):
            labels = labels_of(alert)
            fits = all(labels.get(name) in values for name, values in filters.items())
            if STACK not in labels and fits and alert_id(alert) not in seen:
                seen.add(alert_id(alert))
                yield unmanaged_alert(alert, self.key)

    def close(self) -> None:
        self._cluster.close()

    def _stack_alerts(self, stack: str, addresses: Collection[str]) -> Iterator[Observed]:
        """The stack's alerts, those of several instances as one; what is missing at an instance says so."""
        matchers = [f"{STACK}={_quoted(stack)}"]
        if 0 < len(addresses) <= MAX_FILTERED:
            matchers.append(f"{ADDRESS}=~{_quoted('|'.join(map(_literal, sorted(addresses))))}")
        by_id: dict[str, Alert] = {}
        seen_at: Counter[str] = Counter()
        places: dict[str, list[str]] = {}
        for name, found in self._answers(matchers).items():
            for alert in found:
                key = alert_id(alert)
                by_id.setdefault(key, alert)
                seen_at[key] += 1
                places.setdefault(key, []).append(name)
        names = [instance.name for instance in self._cluster.instances]
        for key, alert in by_id.items():
            item = observed(alert, self.key, stack, ALERT.name)
            if item is None:
                continue
            if seen_at[key] < self._cluster.quorum:
                missing = [name for name in names if name not in places[key]]
                attributes = {**item.attributes, MISSING_AT: ", ".join(missing)}
                item = item._replace(attributes=attributes, marks=item.marks._replace(digest=""))
            yield item

    def _all_alerts(self, matchers: Sequence[str]) -> Iterator[Alert]:
        for found in self._answers(matchers).values():
            yield from found

    def _answers(self, matchers: Sequence[str]) -> dict[str, list[Alert]]:
        """The alerts at each instance that answers; ServiceError if fewer than the quorum do."""
        params = [("filter", matcher) for matcher in matchers]

        def get(instance: Instance) -> list[Alert]:
            response = instance.client.send(
                "GET", f"{self._path}/alerts", params=params, headers=instance.headers, reading=True
            )
            return list(alerts(response))

        answers = self._cluster.ask_all(get)
        found = {name: answer for name, answer in answers.items() if not isinstance(answer, ServiceError)}
        if len(found) < self._cluster.quorum:
            raise next(answer for answer in answers.values() if isinstance(answer, ServiceError))
        return found


def _quoted(value: str) -> str:
    """A value of a matcher, quoted (the server unescapes backslash, quote and newline)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _literal(value: str) -> str:
    """A pattern of the server's regular expressions (RE2) that matches just this text."""
    return "".join(f"\\{character}" if character in r"\.+*?()|[]{}^$" else character for character in value)
