"""Targets: the service that a provider block points at. What is learned of a service is kept per target (rule 14)."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple, Protocol, Self, runtime_checkable
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

_DEFAULT_PORTS = {"http": 80, "https": 443}


def domain_of(region: str) -> str:
    """The domain under which Huawei Cloud serves a region."""
    is_european = region.startswith("eu-west-1") and len(region) == len("eu-west-1NN") and region[-2:].isdecimal()
    return "myhuaweicloud.eu" if is_european else "myhuaweicloud.com"


class Target(NamedTuple):
    """A service that a provider block points at, without secrets.

    ``type`` is the provider type. ``place`` is the endpoint's canonical URL, the region, or ``embedded``. ``project``
    is the id of the project or account there, empty if the service has none.
    """

    type: str
    place: str
    project: str = ""

    def __str__(self) -> str:
        """The canonical text: equal targets have equal texts, and ``parse`` reads it back."""
        return " ".join(quote(part, safe="/:,[]@%") for part in self if part)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a target from its canonical text. Raises ValueError for anything else."""
        parts = text.split(" ")
        if len(parts) not in (2, 3) or not all(parts):
            raise ValueError(f"{text!r} is not a target: expected TYPE PLACE or TYPE PLACE PROJECT")
        return cls(*parts)

    @property
    def label(self) -> str:
        """The target for readers: ``aom cn-north-4, project 0a1b``."""
        return f"{self.type} {self.place}{f', project {self.project}' if self.project else ''}"


@runtime_checkable
class HasPlace(Protocol):
    """Settings that define their own target."""

    @property
    def place(self) -> str:
        """The region or the endpoint in canonical form."""

    @property
    def project(self) -> str:
        """The id of the project or account, or an empty text."""


def target_of(provider_type: str, settings: BaseModel) -> Target:
    """The target of a provider's settings.

    Settings without ``place`` are read by convention: ``endpoint``, ``endpoints``, ``url`` or ``region``, and
    ``project_id``.
    """
    if isinstance(settings, HasPlace):
        return Target(provider_type, _plain(settings.place), _plain(settings.project))
    place = next((text for name in ("endpoint", "endpoints", "url", "region") if (text := _text(settings, name))), "-")
    return Target(provider_type, _plain(place), _plain(_text(settings, "project_id")))


def canonical_endpoint(url: str) -> str:
    """An endpoint in canonical form: host in lower case, no default port, no credentials, no trailing slash."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return url
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _text(settings: BaseModel, name: str) -> str:
    value = getattr(settings, name, None)
    if isinstance(value, str):
        return canonical_endpoint(value)
    if isinstance(value, Iterable):
        return ",".join(sorted(canonical_endpoint(str(item)) for item in value))
    return "" if value is None else canonical_endpoint(str(value))


def _plain(text: str) -> str:
    """The text without characters that the canonical text cannot hold."""
    return quote(text, safe="/:,[]@%")


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
