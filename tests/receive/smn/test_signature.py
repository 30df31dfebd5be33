"""Which certificates a signature is verified with."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from reconciler.receive.smn.message import SmnError, SmnMessage, SmnType, read_certificate, signed_text, verify

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)


def message(signature: bytes = b"") -> SmnMessage:
    texts = ("urn:smn:r:p:t", "m1", "text", "", "2026-05-01T12:00:00Z", "", b64encode(signature).decode(), "v1", "")
    return SmnMessage(SmnType.NOTIFY, *texts)


def builder(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> x509.CertificateBuilder:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "smn")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(NOW - timedelta(days=1))
    return made.not_valid_after(NOW + timedelta(days=1))


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA512()])
def test_the_certificates_own_algorithm_is_used(key: rsa.RSAPrivateKey, algorithm: hashes.SHA256) -> None:
    certificate = builder(key).sign(key, algorithm)
    verify(message(key.sign(signed_text(message()), padding.PKCS1v15(), algorithm)), certificate, NOW_MS)


def test_a_certificate_signed_with_pss_makes_signatures_with_pss(key: rsa.RSAPrivateKey) -> None:
    certificate = builder(key).sign(key, hashes.SHA256(), rsa_padding=PSS)
    verify(message(key.sign(signed_text(message()), PSS, hashes.SHA256())), certificate, NOW_MS)


def test_a_certificate_of_an_elliptic_curve_is_taken() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    certificate = builder(curve).sign(curve, hashes.SHA384())
    verify(message(curve.sign(signed_text(message()), ec.ECDSA(hashes.SHA384()))), certificate, NOW_MS)


def test_a_certificate_of_another_kind_is_refused() -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(SmnError):
        verify(message(other.sign(signed_text(message()))), builder(other).sign(other, None), NOW_MS)


@pytest.mark.parametrize("days", [-2, 2])
def test_a_certificate_that_does_not_hold_now_is_refused(key: rsa.RSAPrivateKey, days: int) -> None:
    certificate = builder(key).sign(key, hashes.SHA256())
    signature = key.sign(signed_text(message()), padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(SmnError, match="expired, or is not valid yet"):
        verify(message(signature), certificate, NOW_MS + days * 86_400_000)


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\x30\x03"]
)
def test_a_file_that_is_no_certificate_is_refused(content: bytes) -> None:
    with pytest.raises(SmnError, match="not a certificate"):
        read_certificate(content)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_certificate_is_read_in_either_encoding(key: rsa.RSAPrivateKey, encoding: Encoding) -> None:
    certificate = builder(key).sign(key, hashes.SHA256())
    assert read_certificate(certificate.public_bytes(encoding)) == certificate


def test_the_signed_text_is_that_of_the_user_guide() -> None:
    assert signed_text(message()).decode() == (
        "message\ntext\nmessage_id\nm1\ntimestamp\n2026-05-01T12:00:00Z\ntopic_urn\nurn:smn:r:p:t\ntype\nNotification\n"
    )
