"""The calls on silences: each is sent to one instance, which replicates the change to the others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from reconciler.core.observed import ADDRESS, KEY, STACK, Observed, State
from reconciler.core.operation import Operation, ServiceErrorDetail, Verb
from reconciler.providers.alertmanager.cluster import Cluster, Instance
from reconciler.providers.alertmanager.silence import matchers_text, with_marked_comment
from reconciler.providers.alertmanager.silence_wire import (
    Newest,
    Shown,
    matchers_of,
    newest,
    observed_silence,
    state_of,
    told_by,
    unmanaged_silence,
)
from reconciler.providers.alertmanager.wire import read_instant
from reconciler.providers.http import Response
from reconciler.providers.protocol import ErrorKind, ServiceError

_ANNOTATED_SINCE = (0, 32)
"""The first version that keeps annotations of silences."""


class SilenceCalls:
    """Posts, expires and lists silences.

    ``listed`` gives all silences of each instance that responds, ``version`` the oldest version of the instances, empty
    if one is unknown.
    """

    def __init__(
        self,
        cluster: Cluster,
        path: str,
        listed: Callable[[], Mapping[str, Sequence[Shown]]],
        version: Callable[[], tuple[int, ...]],
        now: Callable[[], int],
    ) -> None:
        self._cluster = cluster
        self._path = path
        self._listed = listed
        self._version = version
        self._now = now

    def send(self, operations: Sequence[Operation]) -> list[str | None]:
        """Post or expire silences one by one; returns their ids.

        The service would create a second silence for a repeated post. So the silences are queried first: one that was
        already posted is left unchanged, and one at the same address with the same matchers is updated in place. Raises
        ServiceError, which is ambiguous if some of several were accepted.
        """
        pushes = any(operation.verb is Verb.PUSH for operation in operations)
        present = [found for found in newest(self._listed()) if state_of(found.silence) != "expired"] if pushes else []
        ids: list[str | None] = []
        for operation in operations:
            try:
                ids.append(self._push(operation, present) if operation.verb is Verb.PUSH else self._expire(operation))
            except ServiceError as error:
                if ids and error.kind in (ErrorKind.BUSY, ErrorKind.UNSENT):
                    raise ServiceError(ErrorKind.AMBIGUOUS, error.detail, error.retry_after) from error
                raise
        return ids

    def observe(self, provider: str, stack: str) -> Iterator[Observed]:
        """The stack's silences, each once, including ended ones; instances that differ are named."""
        yield from self.observe_stacks(provider, [stack])[stack]

    def observe_stacks(self, provider: str, stacks: Collection[str]) -> Mapping[str, Sequence[Observed]]:
        """The silences of each stack, as ``observe`` yields them, from one listing."""
        names = [instance.name for instance in self._cluster.instances]
        shown: dict[str, list[Observed]] = {stack: [] for stack in stacks}
        for found in newest(self._listed()):
            owner = told_by(found.silence).get(STACK, "")
            seen = observed_silence(found.silence, provider, owner) if owner in shown else None
            if seen is None:
                continue
            if seen.state is State.ACTIVE and len(found.instances) < self._cluster.quorum:
                seen = seen._replace(missing_at=tuple(name for name in names if name not in found.instances))
            shown[owner].append(seen)
        return shown

    def read_back(self, provider: str, operations: Sequence[Operation]) -> Iterator[Observed]:
        """What is visible at the addresses of the operations, and the targets of clears while an instance shows
        them.
        """
        payloads = [json.loads(operation.payload) for operation in operations]
        told = [payload["annotations"] for payload in payloads if "annotations" in payload]
        places = {(marks[STACK], marks[ADDRESS]) for marks in told}
        targets = {operation.target for operation in operations if operation.verb is Verb.CLEAR}
        answers = self._listed()
        lingering = {
            str(silence.get("id")) for shown in answers.values() for silence in shown if state_of(silence) != "expired"
        }
        for found in newest(answers):
            marks = told_by(found.silence)
            seen = observed_silence(found.silence, provider, marks.get(STACK, ""))
            if seen is None or (marks[STACK], marks.get(ADDRESS)) not in places:
                if found.silence.get("id") not in targets:
                    continue
                seen = seen or unmanaged_silence(found.silence, provider).observed
            if seen.state is not State.ACTIVE and seen.id in targets & lingering:
                seen = seen._replace(state=State.ACTIVE)  # an instance has not received its end yet
            if len(found.instances) < self._cluster.quorum:  # the push has not reached all instances yet
                seen = seen._replace(marks=seen.marks._replace(key=""))
            if seen.state is State.ACTIVE:
                yield seen

    def _push(self, operation: Operation, present: Collection[Newest]) -> str | None:
        item = json.loads(operation.payload)
        told = item["annotations"]
        here = [
            found
            for found in present
            if all(told_by(found.silence).get(name) == told[name] for name in (STACK, ADDRESS))
        ]
        for found in here:
            if told_by(found.silence).get(KEY) == told[KEY]:
                return str(found.silence.get("id"))
        wanted = matchers_text(matchers_of(item))
        same = [found for found in here if matchers_text(matchers_of(found.silence)) == wanted]
        old = min(same, key=_newest_first, default=None)
        if old is not None:
            item["id"] = old.silence.get("id")
            if state_of(old.silence) == "active" and (read_instant(item["startsAt"]) or 0) <= self._now():
                item["startsAt"] = old.silence.get("startsAt")  # with another matcher the server would replace it
        if self._version() < _ANNOTATED_SINCE:
            item = with_marked_comment(item)
        holders = old.instances if old else ()
        response = self._at_one(self._in_order(holders), "POST", "silences", item)
        answer = response.json() if response is not None else None
        identifier = answer.get("silenceID") if isinstance(answer, dict) else None
        return identifier if isinstance(identifier, str) else None

    def _expire(self, operation: Operation) -> str | None:
        identifier = json.loads(operation.payload)["id"]
        if re.fullmatch(r"[0-9A-Za-z-]+", identifier):
            self._at_one(self._cluster.instances, "DELETE", f"silence/{identifier}", None)
        return None

    def _in_order(self, holders: Collection[str]) -> list[Instance]:
        """The instances, those first that have the silence."""
        return sorted(self._cluster.instances, key=lambda instance: instance.name not in holders)

    def _at_one(
        self, instances: Sequence[Instance], method: str, what: str, item: Mapping[str, object] | None
    ) -> Response | None:
        """Make the request at the first instance that is reachable and, to expire a silence, has it.

        Returns None if no instance has it. A request that one instance may have accepted is never sent to another.
        """
        body = None if item is None else json.dumps(item).encode()
        unreachable: ServiceError | None = None
        for instance in instances:
            try:
                return instance.client.send(method, f"{self._path}/{what}", headers=instance.headers, body=body)
            except ServiceError as error:
                if error.kind is ErrorKind.UNSENT:
                    unreachable = unreachable or error
                elif item is not None or not _is_unknown(error.detail):
                    raise
        if unreachable is not None:
            raise unreachable
        return None


def _is_unknown(detail: ServiceErrorDetail) -> bool:
    """Whether the instance does not have a silence of this id: 404, or 500 with a text in old versions."""
    return detail.status == 404 or (detail.status == 500 and "silence not found" in detail.message)


def _newest_first(found: Newest) -> tuple[int, str]:
    return -(read_instant(found.silence.get("startsAt")) or 0), str(found.silence.get("id"))
