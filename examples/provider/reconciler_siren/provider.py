"""The provider: the four questions of the protocol, each one request."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

import requests

from reconciler.core.address import Address
from reconciler.core.desired import Desired
from reconciler.core.observed import Marks, Observed, State
from reconciler.core.operation import Operation, Verb
from reconciler.core.text import Redactor
from reconciler.providers.http import Client
from reconciler.providers.protocol import Limits, ProviderContext
from reconciler_siren.fields import SirenSettings


class _Token(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class SirenProvider:
    """One house. The client turns every failure into a ServiceError that says what it means."""

    def __init__(self, key: str, settings: SirenSettings, context: ProviderContext) -> None:
        self.key = key
        self.limits = Limits(batch_size=20, parallelism=2, visible_within=5_000)
        token = settings.auth.token.get_secret_value()
        self._client = Client(
            settings.endpoint,
            auth=_Token(token),
            secrets=Redactor([token]),
            user_agent=context.user_agent,
            parallelism=self.limits.parallelism,
            timeout_ms=10_000,
            now=context.now,
        )

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:
        return self._sirens("on", stack)

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:
        ended = [found for found in self._sirens("off", stack) if found.marks.address in addresses]
        yield from sorted(ended, key=lambda found: found.ended_at or 0, reverse=True)

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        clears = operations[0].verb is Verb.CLEAR
        body = f"[{','.join(operation.payload for operation in operations)}]"
        answer = self._client.send("POST", "/silence" if clears else "/sound", body=body.encode())
        ids = answer.json()
        if not isinstance(ids, list) or len(ids) != len(operations):
            raise answer.unreadable("the answer is not the ids of the sirens")
        return [str(id_) for id_ in ids]

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:
        addresses = {operation.address for operation in operations}
        return (found for found in self._sirens("on") if found.marks.address in addresses)

    def close(self) -> None:
        self._client.close()

    def _sirens(self, state: str, stack: str | None = None) -> Iterator[Observed]:
        answer = self._client.send("GET", "/sirens", params=[("state", state)])
        sirens = answer.json()
        if not isinstance(sirens, list):
            raise answer.unreadable("the answer is not a list of sirens")
        for siren in sirens:
            labels = siren.get("labels") or {}
            if labels.get("reconciler_stack") and stack in (None, labels["reconciler_stack"]):
                yield self._observed(siren, labels)

    def _observed(self, siren: Mapping[str, object], labels: Mapping[str, str]) -> Observed:
        marks = Marks(
            labels["reconciler_stack"],
            Address.parse(labels["reconciler_address"]),
            labels.get("reconciler_digest", ""),
            labels.get("reconciler_key", ""),
            labels.get("reconciler_run", ""),
        )
        until = siren.get("until")
        return Observed(
            self.key,
            str(siren["id"]),
            marks,
            State.ACTIVE if until is None else State.CLEARED,
            {"room": str(siren["room"]), "sound": str(siren["sound"])},
            {"loudness": siren["loudness"]},
            json.loads(str(siren["since"])),
            ended_at=until if isinstance(until, int) else None,
        )
