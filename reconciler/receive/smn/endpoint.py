"""The endpoint: checks each message of SMN, the cheapest test first, and sends the requests it asks for.

A URL in a message can be forged until its signature is verified. So certificates and confirmations are requested only
from a fixed list of hosts, over HTTPS, without following redirects, and a few times a minute.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

import requests
from cryptography import x509
from requests.utils import get_environ_proxies

from reconciler.core.duration import HOUR, MINUTE, SECOND, in_seconds, parse_instant
from reconciler.core.system_clock import monotonic
from reconciler.core.target import domain_of
from reconciler.receive.intake import TokenBucket
from reconciler.receive.settings import Settings, smn_region
from reconciler.receive.smn.message import SmnError, SmnMessage, SmnType, read_certificate, read_message, verify

TIMEOUT = 2 * SECOND
"""Timeout of a connection, and of each part of a response: SMN waits 5 s for ours."""
MAX_ANSWER = 64 * 1024
REQUESTS_A_MINUTE = 30
_URL = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?:[/?][!-\[\]-~]*)?")


class UnreachableError(Exception):
    """The service is unreachable now; the sender should send the message again."""


def allowed_hosts(topics: Iterable[str], more: Iterable[str]) -> frozenset[str]:
    """``HOST:PORT`` of the topics' regions, and of other hosts named."""
    regions = {smn_region(topic) for topic in topics}
    hosts = {f"smn.{region}.{domain_of(region)}" for region in regions} | set(more)
    return frozenset((host if ":" in host else f"{host}:443").lower() for host in hosts)


def check_url(url: str, hosts: frozenset[str], field: str) -> None:
    """Raise SmnError unless a URL is an HTTPS URL of one of the hosts."""
    match = _URL.fullmatch(url)
    if match is None or f"{match['host']}:{match['port'] or 443}".lower() not in hosts:
        raise SmnError(f"{field} is not an HTTPS URL of a host that is allowed")


class SmnClient:
    """Requests URLs of listed hosts only; thread-safe."""

    def __init__(self, hosts: frozenset[str], ca: Path | str | None) -> None:
        self._hosts = hosts
        self._verify: bool | str = True if ca is None else str(ca)
        self._lock = Lock()
        self._bucket = TokenBucket(REQUESTS_A_MINUTE / 60, REQUESTS_A_MINUTE)

    def get(self, url: str, field: str) -> bytes:
        """The body of a 2xx response. Raises SmnError if the URL or the response is rejected, UnreachableError without
        a response.
        """
        check_url(url, self._hosts, field)
        with self._lock:
            if not self._bucket.take_token():
                raise UnreachableError("too many requests to SMN within a minute")
        with requests.Session() as session:
            session.trust_env = False  # no credentials from .netrc; proxies are read from the environment below
            try:
                with session.get(
                    url,
                    timeout=in_seconds(TIMEOUT),
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
            raise SmnError(f"{field} did not respond with success")
        if len(content) > MAX_ANSWER:
            raise SmnError(f"{field} sent too large a response")
        return bytes(content)


CERTIFICATE_LIFETIME = HOUR
MAX_CERTIFICATES = 16
CLOCK_SKEW = 15 * MINUTE
_log = logging.getLogger(__name__)


class SmnEndpoint:
    """Accepts messages of the configured topics that are signed by SMN."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts = allowed_hosts(settings.smn_topics, settings.smn_hosts)
        self._client = SmnClient(self._hosts, settings.smn_ca)
        self._certificates: dict[str, tuple[int, x509.Certificate]] = {}
        self._asking = asyncio.Semaphore(4)

    async def accept(self, body: bytes) -> SmnMessage:
        """Read a message, verify it, and confirm the subscription if it asks for that.

        Raises SmnError if it is rejected, UnreachableError if it cannot be verified or confirmed now.
        """
        message = read_message(body, self._settings.max_depth)
        if message.topic_urn not in self._settings.smn_topics:
            raise SmnError("the topic is not one of those that are taken")
        self._check_age(message)
        check_url(message.signing_cert_url, self._hosts, "signing_cert_url")
        if "?" in message.signing_cert_url:  # otherwise one certificate under many names could evict the others
            raise SmnError("signing_cert_url has a query")
        verify(message, await self._certificate(message.signing_cert_url), self._settings.clock())
        if message.type is SmnType.CONFIRM:
            await self._confirm(message)
        elif message.type is SmnType.UNSUBSCRIBE:
            _log.warning("the subscription to SMN topic %s was cancelled", message.topic_urn)
        return message

    def _check_age(self, message: SmnMessage) -> None:
        """Reject a message older than the remembered ones, since it could be a replay."""
        now = self._settings.clock()
        try:
            age = now - parse_instant(message.timestamp)
        except (ValueError, OverflowError):
            raise SmnError("the timestamp is not an instant") from None
        if not -CLOCK_SKEW <= age <= max(self._settings.retention, HOUR):
            raise SmnError("the message is too old, or from the future")

    async def _certificate(self, url: str) -> x509.Certificate:
        cached = self._certificates.get(url)
        if cached is not None and monotonic() - cached[0] < CERTIFICATE_LIFETIME:
            return cached[1]
        try:
            async with self._asking:
                content = await asyncio.to_thread(self._client.get, url, "signing_cert_url")
        except UnreachableError:
            if cached is not None:  # kept although old, if it cannot be fetched: its own dates still apply
                return cached[1]
            raise
        certificate = read_certificate(content)
        while url not in self._certificates and len(self._certificates) >= MAX_CERTIFICATES:
            del self._certificates[next(iter(self._certificates))]
        self._certificates[url] = (monotonic(), certificate)
        return certificate

    async def _confirm(self, message: SmnMessage) -> None:
        try:
            async with self._asking:
                await asyncio.to_thread(self._client.get, message.subscribe_url, "subscribe_url")
        except SmnError as error:
            _log.warning("the subscription to SMN topic %s is not confirmed: %s", message.topic_urn, error)
            raise
        _log.info("the subscription to SMN topic %s is confirmed", message.topic_urn)
