"""Requests that a message makes the receiver send: for a certificate, and to confirm a subscription.

A URL in a message is anybody's choice until its signature is verified, so that only hosts of a fixed list are asked,
over HTTPS, without following redirects, and few times a minute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

import requests
from requests.utils import get_environ_proxies

from reconciler.receive.bucket import TokenBucket
from reconciler.receive.settings import smn_region
from reconciler.receive.smn.message import SmnError

TIMEOUT_S = 2.0
"""For a connection, and for each part of an answer: SMN waits 5 s for ours."""
MAX_ANSWER = 64 * 1024
REQUESTS_A_MINUTE = 30
_URL = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?:[/?][!-\[\]-~]*)?")


class UnreachableError(Exception):
    """The service cannot be asked now; the sender should send the message again."""


def allowed_hosts(topics: Iterable[str], more: Iterable[str]) -> frozenset[str]:
    """``HOST:PORT`` of the topics' regions, and of others named."""
    hosts = {f"smn.{smn_region(topic)}.myhuaweicloud.com" for topic in topics} | set(more)
    return frozenset((host if ":" in host else f"{host}:443").lower() for host in hosts)


def check_url(url: str, hosts: frozenset[str], field: str) -> None:
    """SmnError if a URL is not an HTTPS URL of one of the hosts."""
    match = _URL.fullmatch(url)
    if match is None or f"{match['host']}:{match['port'] or 443}".lower() not in hosts:
        raise SmnError(f"{field} is not an HTTPS URL of a host that is allowed")


class SmnClient:
    """Asks hosts of the list only; for use by several threads."""

    def __init__(self, hosts: frozenset[str], ca: Path | str | None) -> None:
        self._hosts = hosts
        self._verify: bool | str = True if ca is None else str(ca)
        self._lock = Lock()
        self._bucket = TokenBucket(REQUESTS_A_MINUTE / 60, REQUESTS_A_MINUTE)

    def get(self, url: str, field: str) -> bytes:
        """The body of a 2xx answer; SmnError if the URL or the answer is refused, UnreachableError if none comes."""
        check_url(url, self._hosts, field)
        with self._lock:
            if not self._bucket.take():
                raise UnreachableError("too many requests to SMN within a minute")
        with requests.Session() as session:
            session.trust_env = False  # no credentials of a .netrc; proxies are taken from the environment below
            try:
                with session.get(
                    url,
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                    stream=True,
                    verify=self._verify,
                    proxies=get_environ_proxies(url),
                ) as response:
                    content = response.raw.read(MAX_ANSWER + 1, decode_content=True)
            except (requests.RequestException, OSError) as error:
                raise UnreachableError(f"{field} cannot be requested: {type(error).__name__}") from error
        if response.status_code >= 500 or response.status_code == 429:
            raise UnreachableError(f"{field} answered {response.status_code}")
        if not 200 <= response.status_code < 300:
            raise SmnError(f"{field} did not answer with success")
        if len(content) > MAX_ANSWER:
            raise SmnError(f"{field} answered too much")
        return bytes(content)
