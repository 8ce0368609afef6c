"""Time stamps [RFC 3161]: an authority's word that an entry existed at a moment.

The registry's clock is the registry's word.  An authority that both sides trust gives a better one:
it signs the entry's hash and the time, and learns nothing else.  What is checked: the imprint, the
signature, that the signer's certificate is for time stamps and nothing else, and its chain to a
root that the verifier names, at the moment of the stamp.  Whether a certificate was revoked is not:
that needs a network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from assay.errors import Unproved, UnreadableProof

EXTRA = "crypto"
LARGEST = 2**20  # bytes of a response
SHA256 = "2.16.840.1.101.3.4.2.1"
GRANTED = 0


@dataclass(frozen=True, slots=True)
class Stamped:
    """What an authority said."""

    moment: str  # ISO 8601, UTC
    authority: str  # the name in the certificate that signed
    serial: int  # the authority's number of the stamp


def request(message: bytes) -> bytes:
    """What an authority is sent (application/timestamp-query); it asks for certificates, too."""
    builder = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
    made: bytes = builder.build().as_bytes()
    return made


def roots(path: Path) -> list[x509.Certificate]:
    """The certificates in a PEM file.

    Raises UnreadableProof where there are none, OSError where it cannot be read.
    """
    content = path.read_bytes()
    try:
        found: list[x509.Certificate] = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise UnreadableProof(f"{path}: no certificates in PEM") from error
    return found


def check(response: bytes, message: bytes, trusted: Sequence[x509.Certificate]) -> Stamped:
    """What the stamp says of ``message``.

    Raises UnreadableProof where it is none, Unproved where it is of something else or its signature
    does not lead to one of the trusted certificates.
    """
    answer = decode(response)
    token = answer.tst_info
    imprint = token.message_imprint
    if imprint.hash_algorithm.dotted_string != SHA256:
        raise Unproved("the time stamp is not of a SHA-256")
    if imprint.message != hashlib.sha256(message).digest():
        raise Unproved("the time stamp is of something else")
    verifier = VerifierBuilder(roots=list(trusted)).build()
    try:
        verifier.verify_message(answer, message)
        signer = _signer(answer)
    except (VerificationError, ValueError) as error:
        raise Unproved(f"the time stamp does not hold: {error}") from error
    moment = token.gen_time.astimezone(UTC).isoformat()
    return Stamped(moment, signer.subject.rfc4514_string(), token.serial_number)


def decode(response: bytes) -> TimeStampResponse:
    """A response in which the authority granted a stamp.  Raises UnreadableProof."""
    if len(response) > LARGEST:
        raise UnreadableProof(f"is no time stamp: more than {LARGEST} bytes")
    try:
        answer = decode_timestamp_response(response)
        status, said = answer.status, " ".join(answer.status_string)
        if status == GRANTED:
            _ = answer.tst_info, answer.signed_data
    except ValueError as error:
        raise UnreadableProof("is no time stamp, or a damaged one") from error
    if status != GRANTED:
        raise UnreadableProof(f"the authority granted no time stamp: status {status} {said}")
    return answer


def _signer(answer: TimeStampResponse) -> x509.Certificate:
    (info,) = answer.signed_data.signer_infos
    certificates = map(x509.load_der_x509_certificate, answer.signed_data.certificates)
    for certificate in certificates:
        if (certificate.issuer, certificate.serial_number) == (info.issuer, info.serial_number):
            if not for_stamps_alone(certificate):
                raise ValueError("the signer's certificate is not for time stamps alone")
            return certificate
    raise ValueError("the signer's certificate is not in it")


def for_stamps_alone(certificate: x509.Certificate) -> bool:
    """Whether a certificate may sign time stamps, and nothing else [§2.3]."""
    uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return [*uses] == [x509.ExtendedKeyUsageOID.TIME_STAMPING]
