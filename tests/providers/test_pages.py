"""No query reads pages without end, even if each of them brings something new."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from reconciler.providers import http
from reconciler.providers.protocol import ErrorKind, ServiceError
from tests.providers.aom.objects import STACK
from tests.providers.aom.objects import opened as open_aom
from tests.providers.bcm.objects import find as find_in_bcm
from tests.providers.bcm.objects import opened as open_bcm
from tests.providers.ces.objects import opened as open_ces
from tests.providers.ces.test_data_source import find as find_in_ces
from tests.providers.service import Reply, service


def aom(number: int) -> Any:
    return {"events": [{"id": f"a{number}"}], "page_info": {"next_marker": str(number + 1), "current_count": 1}}


def ces(number: int) -> Any:
    return {"events": [{"event_name": f"e{number}"}], "meta_data": {"total": number + 2}}


def bcm(number: int) -> Any:
    return {"success": True, "result": {"alarms": [{"id": f"a{number}"}], "totalCount": number + 2}}


@pytest.mark.parametrize(
    ("page", "find"),
    [
        (aom, lambda url: list(open_aom(url).observe(STACK, []))),
        (ces, lambda url: find_in_ces(open_ces(url))),
        (bcm, lambda url: find_in_bcm(open_bcm(url))),
    ],
    ids=["aom", "ces", "bcm"],
)
def test_a_query_reads_a_bounded_number_of_pages(
    page: Callable[[int], Any], find: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_PAGES", 7)
    numbers = count()
    with service(lambda asked: Reply(body=page(next(numbers)))) as running:
        with pytest.raises(ServiceError, match="the query has more than 7 pages: narrow it") as caught:
            find(running.url)
        assert len(running.asked) == 7
    assert caught.value.kind is ErrorKind.REJECTED
