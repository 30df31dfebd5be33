"""The endpoint: decides about each message of SMN, in the order that costs an attacker most and us least."""

from __future__ import annotations

import asyncio
import logging
import time

from cryptography import x509

from reconciler.core.duration import HOUR, MINUTE, parse_instant
from reconciler.receive.settings import Settings
from reconciler.receive.smn.client import SmnClient, UnreachableError, allowed_hosts, check_url
from reconciler.receive.smn.message import SmnError, SmnMessage, SmnType, read_message
from reconciler.receive.smn.signature import read_certificate, verify

CERTIFICATE_LIFETIME_S = 3_600
MAX_CERTIFICATES = 16
CLOCK_SKEW = 15 * MINUTE
_log = logging.getLogger(__name__)


class SmnEndpoint:
    """Takes messages of the topics it was given, if SMN signed them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts = allowed_hosts(settings.smn_topics, settings.smn_hosts)
        self._client = SmnClient(self._hosts, settings.smn_ca)
        self._certificates: dict[str, tuple[float, x509.Certificate]] = {}
        self._asking = asyncio.Semaphore(4)

    async def accept(self, body: bytes) -> SmnMessage:
        """Read a message, verify it, and confirm the subscription if it asks for that.

        SmnError if it is refused, UnreachableError if it cannot be verified or confirmed now.
        """
        message = read_message(body, self._settings.max_depth)
        if message.topic_urn not in self._settings.smn_topics:
            raise SmnError("the topic is not one of those that are taken")
        self._check_age(message)
        check_url(message.signing_cert_url, self._hosts, "signing_cert_url")
        if "?" in message.signing_cert_url:  # one certificate under endless names would push the others out
            raise SmnError("signing_cert_url has a query")
        verify(message, await self._certificate(message.signing_cert_url), self._settings.clock())
        if message.type is SmnType.CONFIRM:
            await self._confirm(message)
        elif message.type is SmnType.UNSUBSCRIBE:
            _log.warning("the subscription to SMN topic %s was cancelled", message.topic_urn)
        return message

    def _check_age(self, message: SmnMessage) -> None:
        """Refuse what is older than what is remembered: it could be a delivery played back."""
        now = self._settings.clock()
        try:
            age = now - parse_instant(message.timestamp)
        except (ValueError, OverflowError):
            raise SmnError("the timestamp is not an instant") from None
        if not -CLOCK_SKEW <= age <= max(self._settings.retention, HOUR):
            raise SmnError("the message is too old, or of the future")

    async def _certificate(self, url: str) -> x509.Certificate:
        cached = self._certificates.get(url)
        if cached is not None and time.monotonic() - cached[0] < CERTIFICATE_LIFETIME_S:
            return cached[1]
        try:
            async with self._asking:
                content = await asyncio.to_thread(self._client.get, url, "signing_cert_url")
        except UnreachableError:
            if cached is not None:  # better known for long than not at all: its own dates still hold
                return cached[1]
            raise
        certificate = read_certificate(content)
        while url not in self._certificates and len(self._certificates) >= MAX_CERTIFICATES:
            del self._certificates[next(iter(self._certificates))]
        self._certificates[url] = (time.monotonic(), certificate)
        return certificate

    async def _confirm(self, message: SmnMessage) -> None:
        try:
            async with self._asking:
                await asyncio.to_thread(self._client.get, message.subscribe_url, "subscribe_url")
        except SmnError as error:
            _log.warning("the subscription to SMN topic %s is not confirmed: %s", message.topic_urn, error)
            raise
        _log.info("the subscription to SMN topic %s is confirmed", message.topic_urn)
