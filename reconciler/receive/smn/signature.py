"""Signatures of SMN messages: verified with the certificate's key, by the algorithm the certificate itself is signed
with, as the user guide's sample does. Certificates signed with SHA-1 or MD5 are refused.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from reconciler.receive.smn.message import SmnError, SmnMessage, signed_text

_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def read_certificate(content: bytes) -> x509.Certificate:
    """The certificate of a PEM or DER file; SmnError if it is none."""
    try:
        if b"-----BEGIN CERTIFICATE-----" in content:
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError:
        raise SmnError("what is at signing_cert_url is not a certificate") from None


def verify(message: SmnMessage, certificate: x509.Certificate, now: int) -> None:
    """SmnError if the message is not signed by the certificate's key, or the certificate does not hold now."""
    if message.signature_version != "v1":
        raise SmnError("the signature has a version that is not known")
    moment = datetime.fromtimestamp(now / 1000, UTC)
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
        raise SmnError("the signature is not of this message") from None
