"""SMN messages as they arrive at an HTTP(S) endpoint, and their signatures.

User guide of SMN, "HTTP or HTTPS message format" and "Message signature verification": verified with the certificate's
key, by the algorithm the certificate itself is signed with. Certificates signed with SHA-1 or MD5 are refused.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from reconciler.core.duration import as_datetime
from reconciler.receive.payload import parse_json


class SmnType(StrEnum):
    """The ``type`` of an SMN message (user guide, "HTTP or HTTPS message format")."""

    CONFIRM = "SubscriptionConfirmation"
    NOTIFY = "Notification"
    UNSUBSCRIBE = "UnsubscribeConfirmation"


class SmnError(ValueError):
    """A message is rejected; the sender gets this text."""


@dataclass(frozen=True, slots=True)
class SmnMessage:
    """One message; a missing field is an empty text."""

    type: SmnType
    topic_urn: str
    message_id: str
    message: str
    subject: str
    timestamp: str
    subscribe_url: str
    signature: str
    signature_version: str
    signing_cert_url: str


def read_message(body: bytes, max_depth: int) -> SmnMessage:
    """Read a body. Raises SmnError if it is not a message of SMN."""
    try:
        value = parse_json(body, max_depth)
    except ValueError:
        raise SmnError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise SmnError("the body is not a JSON object")
    try:
        kind = SmnType(str(value.get("type")))
    except ValueError:
        raise SmnError("the body has no type that SMN knows") from None
    names = [name for name in SmnMessage.__slots__ if name != "type"]
    texts = {name: "" if value.get(name) is None else value[name] for name in names}
    if not all(isinstance(text, str) for text in texts.values()):
        raise SmnError("the body has a field that is not text")
    if not (texts["topic_urn"] and texts["message_id"]):
        raise SmnError("the body has no topic_urn or no message_id")
    return SmnMessage(kind, **texts)


def signed_text(message: SmnMessage) -> bytes:
    """The signed text: each key and its value on separate lines, sorted by key.

    An empty subject is left out.
    """
    if message.type is SmnType.NOTIFY:
        names = ["message", "message_id", *(["subject"] if message.subject else []), "timestamp", "topic_urn", "type"]
    else:
        names = ["message", "message_id", "subscribe_url", "timestamp", "topic_urn", "type"]
    return "".join(f"{name}\n{getattr(message, name)}\n" for name in names).encode("utf-8", "surrogatepass")


_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def read_certificate(content: bytes) -> x509.Certificate:
    """Read a PEM or DER certificate. Raises SmnError if it is invalid."""
    try:
        if b"-----BEGIN CERTIFICATE-----" in content:
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError:
        raise SmnError("what is at signing_cert_url is not a certificate") from None


def verify(message: SmnMessage, certificate: x509.Certificate, now: int) -> None:
    """Raise SmnError if the message is not signed with the certificate's key, or the certificate is not valid now."""
    if message.signature_version != "v1":
        raise SmnError("the signature has a version that is not known")
    moment = as_datetime(now)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise SmnError("the certificate has expired, or is not valid yet")
    try:
        signature = b64decode(message.signature, validate=True)
    except (binascii.Error, ValueError):
        raise SmnError("the signature is not base64") from None
    try:
        algorithm = certificate.signature_hash_algorithm
        key = certificate.public_key()
        if not isinstance(algorithm, _STRONG):
            raise SmnError("the certificate uses a hash that is not safe")
        if isinstance(key, rsa.RSAPublicKey):
            parameters = certificate.signature_algorithm_parameters
            scheme = parameters if isinstance(parameters, padding.PSS) else padding.PKCS1v15()
            key.verify(signature, signed_text(message), scheme, algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed_text(message), ec.ECDSA(algorithm))
        else:
            raise SmnError("the certificate has a key of a kind that is not known")
    except (UnsupportedAlgorithm, ValueError) as error:
        if isinstance(error, SmnError):
            raise
        raise SmnError("the certificate uses an algorithm that is not known") from None
    except InvalidSignature:
        raise SmnError("the signature does not match this message") from None
