"""Reading RFC 3161 time-stamp tokens with rfc3161-client; the only file of the agent that knows it."""

import hashlib
from collections.abc import Sequence

from cryptography import x509
from rfc3161_client import TimeStampResponse, VerificationError, VerifierBuilder, decode_timestamp_response

from agent.errors import SenderFault
from agent.evidence.certificates import common_name
from agent.evidence.time_stamps import MAX_TOKEN_BYTES, TokenReader, UnknownAuthority, Witnessed
from agent.evidence.token_form import token_path
from agent.wire.signing import UNREADABLE

_GRANTED = bytes.fromhex("3003020100")  # PKIStatusInfo with status 0: RFC 3161 section 2.4.2
_SEQUENCE, _TWO_BYTES = 0x30, 0x82
_IMPRINTS = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}


def token_reader(roots: Sequence[x509.Certificate]) -> TokenReader:
    """A reader that trusts the authorities under `roots`. Their certificates must have been valid at the time that the
    token states, not today, and the signer's must be for time-stamping only (RFC 3161 section 2.3)."""

    def read(token: bytes, message: bytes) -> Witnessed:
        certificates = token_path(token)
        signer = certificates[0]
        try:
            response = _response(token)
            _check_imprint(response, message)
        except UNREADABLE as error:
            raise _broken(error) from error
        issuers = {certificate.issuer for certificate in certificates}
        anchors = [root for root in roots if root.subject in issuers]
        if not anchors:
            text = f"时间戳由 {common_name(signer)[:60]} 签发，没有给出其根证书，未予采信。请用 --tsa-root 指明。"
            raise UnknownAuthority(text)
        try:
            VerifierBuilder(roots=anchors).build().verify_message(response, message)
        except (VerificationError, *UNREADABLE) as error:
            raise _broken(error) from error
        return Witnessed(response.tst_info.gen_time, common_name(signer))

    return read


def _response(token: bytes) -> TimeStampResponse:
    """The library reads whole responses only, so the token gets its "granted" back."""
    size = len(_GRANTED) + len(token)
    if len(token) > MAX_TOKEN_BYTES or size < 0x100:
        raise ValueError("not the size of a token")
    return decode_timestamp_response(bytes([_SEQUENCE, _TWO_BYTES]) + size.to_bytes(2) + _GRANTED + token)


def _check_imprint(response: TimeStampResponse, message: bytes) -> None:
    imprint = response.tst_info.message_imprint
    name = _IMPRINTS.get(imprint.hash_algorithm.dotted_string)
    if name is None or hashlib.new(name, message).digest() != imprint.message:
        raise ValueError("a token about something else")


def _broken(error: Exception) -> SenderFault:
    return SenderFault(f"时间戳与签名不符或已损坏（{str(error)[:80]}），已拒绝。")
