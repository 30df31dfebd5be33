"""The BCM provider: lists and looks up alarms over HTTP (alarm history page), signed by the vendor's own signer.

It writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import requests
import requests.auth
from pydantic import BaseModel

from reconciler.core.address import Address
from reconciler.core.data_source import Item
from reconciler.core.desired import Desired
from reconciler.core.diagnostic import Diagnostic, DiagnosticError, install_command
from reconciler.core.digest import canonical
from reconciler.core.duration import as_datetime
from reconciler.core.observed import Observed
from reconciler.core.operation import Operation, ServiceErrorDetail
from reconciler.core.text import Redactor
from reconciler.providers.bcm.alarm import to_item
from reconciler.providers.bcm.query import PAGE_SIZE, BcmAlarmsQuery
from reconciler.providers.bcm.settings import BcmSettings
from reconciler.providers.http import Client, Response
from reconciler.providers.protocol import ErrorKind, Limits, ServiceError
from reconciler.providers.response import integer

_LIST = "/ah-api/v1/alarmhouse/alarm/list"
_DETAIL = "/ah-api/v1/alarmhouse/alarm"
MAX_WALKS = 4
"""How often a list is read if it changes while being read."""

Alarm = Mapping[str, object]


class BcmProvider:
    """One account of Baidu Cloud Monitor; ``now`` gives the current time in epoch milliseconds."""

    def __init__(
        self, key: str, settings: BcmSettings, client: Client, secrets: Redactor, now: Callable[[], int]
    ) -> None:
        self.key = key
        self.limits = Limits(parallelism=settings.parallelism, rate_limit=settings.rate_limit, visible_within=0)
        self._settings = settings
        self._client = client
        self._secrets = secrets
        self._now = now

    def query(self, source: str, query: BaseModel, details: Collection[str]) -> Sequence[Item]:
        if not isinstance(query, BcmAlarmsQuery):
            raise TypeError(f"{source}: expected BcmAlarmsQuery, got {type(query).__name__}")
        found = self._list(query)
        if not found or not (details or query.details):
            return [to_item(alarm) for alarm in found]
        with ThreadPoolExecutor(self._settings.parallelism, thread_name_prefix="detail") as pool:
            looked_up = pool.map(self._look_up, found)
            return [to_item({**alarm, **detail}) for alarm, detail in zip(found, looked_up, strict=True)]

    def observe(self, stack: str, desired: Sequence[Desired]) -> Iterator[Observed]:  # noqa: ARG002  # read only
        return iter(())

    def history(self, stack: str, addresses: Collection[Address]) -> Iterator[Observed]:  # noqa: ARG002  # read only
        return iter(())

    def send(self, operations: Sequence[Operation]) -> Sequence[str | None]:  # noqa: ARG002  # read only
        raise ServiceError(ErrorKind.REJECTED, ServiceErrorDetail("Baidu Cloud Monitor is read only here"))

    def read_back(self, operations: Sequence[Operation]) -> Iterator[Observed]:  # noqa: ARG002  # read only
        return iter(())

    def close(self) -> None:
        self._client.close()

    def _list(self, query: BcmAlarmsQuery) -> list[Alarm]:
        """Every alarm of every page, each id once; read again if the list changed so that one could be missed."""
        since = query.since(self._now(), self._settings.lookback)
        for _ in range(MAX_WALKS):
            answer, found = self._walk(query, since)
            if found is not None:
                return found
        raise answer.unreadable(f"the list changed each of the {MAX_WALKS} times it was read: narrow the query")

    def _walk(self, query: BcmAlarmsQuery, since: int) -> tuple[Response, list[Alarm] | None]:
        """Read all pages once: the last response, and the alarms; None if some may be missing.

        An alarm that leaves the list moves others up to a page already read; new ones push others down.
        """
        alarms: dict[object, Alarm] = {}
        before = 0
        number = 1
        while True:
            answer = self._ask("POST", _LIST, body=canonical(query.body(self._settings.user_id, since, number)))
            page, total = self._page(answer)
            if number > 1 and total is not None and total < before:
                return answer, None
            known = len(alarms)
            for position, alarm in enumerate(page):
                alarms.setdefault(_identity(alarm, number, position), alarm)
            last = len(page) < _size(answer) if total is None else len(alarms) >= total
            if last or not page:
                whole = total is None or len(alarms) >= total
                return answer, list(alarms.values()) if whole else None
            if len(alarms) == known:
                return answer, None
            answer.check_page_count(number)
            before = total or 0
            number += 1

    def _look_up(self, alarm: Alarm) -> Alarm:
        """The alarm's details ("Alarm History details"); userId and alarmId are query parameters."""
        key = alarm.get("id")
        if not isinstance(key, str | int) or key == "":
            raise ServiceError(
                ErrorKind.REJECTED,
                ServiceErrorDetail("the service shows an alarm without an id, which cannot be looked up"),
            )
        answer = self._ask("GET", _DETAIL, params=[("alarmId", str(key)), ("userId", self._settings.user_id)])
        detail = self._result(answer)
        if not isinstance(detail, dict):
            raise answer.unreadable("the answer holds no alarm")
        if str(detail.get("id", key)) != str(key):
            raise answer.unreadable(f"asked for the alarm {key}, the service answers with another")
        return detail

    def _ask(
        self, method: str, path: str, *, params: Sequence[tuple[str, str]] = (), body: str | None = None
    ) -> Response:
        return self._client.send(
            method, path, params=params, body=None if body is None else body.encode(), reading=True
        )

    def _result(self, answer: Response) -> object:
        """The result in a response. One that does not report success is an error, whatever its HTTP status."""
        value = answer.json()
        if not isinstance(value, dict) or not isinstance(value.get("success"), bool):
            raise answer.unreadable(
                "the response is not from the service: it does not say whether the request succeeded"
            )
        if not value["success"]:
            reason = value.get("msg")
            text = reason if isinstance(reason, str) and reason.strip() else "the service gave no reason"
            raise answer.unreadable(self._secrets.redact(text), ErrorKind.REJECTED)
        return value.get("result")

    def _page(self, answer: Response) -> tuple[list[Alarm], int | None]:
        """The alarms of a page, and the total number if given."""
        result = self._result(answer)
        alarms = result.get("alarms") if isinstance(result, dict) else None
        total = integer(result.get("totalCount")) if isinstance(result, dict) else None
        if alarms is None and total == 0:
            return [], 0
        if not isinstance(alarms, list) or not all(isinstance(alarm, dict) for alarm in alarms):
            raise answer.unreadable("the answer holds no list of alarms")
        return alarms, None if total is None or total < 0 else total


def _identity(alarm: Alarm, page: int, position: int) -> object:
    key = alarm.get("id")
    return key if isinstance(key, str | int) and key != "" else (page, position)


def _size(answer: Response) -> int:
    """The size of a full page: the service may return fewer than requested, and then says so."""
    value = answer.json()
    result = value.get("result") if isinstance(value, dict) else None
    told = integer(result.get("pageSize")) if isinstance(result, dict) else None
    return told if told is not None and 0 < told <= PAGE_SIZE else PAGE_SIZE


_SIGNED = ("content-type", "host", "x-bce-date")


class BceAuth(requests.auth.AuthBase):
    """Signs requests with an access key; ``now`` gives the current time in epoch milliseconds."""

    def __init__(self, ak: str, sk: str, now: Callable[[], int]) -> None:
        try:
            from baidubce.auth.bce_credentials import BceCredentials
            from baidubce.auth.bce_v1_signer import sign
        except ImportError:
            raise DiagnosticError(
                Diagnostic(
                    "Baidu Cloud Monitor needs the vendor's signer, which is not installed",
                    hint=f"install the extra: {install_command('baidu')}",
                )
            ) from None
        # At debug level the signer logs the signing key.
        logging.getLogger("baidubce").setLevel(logging.WARNING)
        self._credentials = BceCredentials(ak, sk)
        self._sign = sign
        self._now = now

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(str(request.url or ""))
        now = as_datetime(self._now())
        headers = {"Host": parts.netloc, "x-bce-date": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if "Content-Type" in request.headers:
            headers["Content-Type"] = str(request.headers["Content-Type"])
        signature = self._sign(
            self._credentials,
            str(request.method).encode(),
            parts.path.encode(),
            {name.encode(): value.encode() for name, value in headers.items()},
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            int(now.timestamp()),
            headers_to_sign=[name.encode() for name in _SIGNED if name in {key.lower() for key in headers}],
        )
        request.headers.update(headers)
        request.headers["Authorization"] = signature.decode()
        return request
