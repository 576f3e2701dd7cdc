"""Whether a chain of certificates found beside a signature leads to a root that was given, and fits an evidence key.

Nothing in a file is trusted because it stands there: the root comes from the verifier, never from the file.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtensionOID, NameOID

from agent.errors import SenderFault
from agent.wire.signing import MAX_CHAIN, UNREADABLE, certificate_key, load_certificate

UNDERSTOOD = frozenset({ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE, ExtensionOID.BASIC_CONSTRAINTS})
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336


@dataclass(frozen=True)
class TrustedChain:
    """A verified path; `not_before` and `not_after` are where all its certificates are valid together."""

    leaf: x509.Certificate
    root: x509.Certificate
    not_before: datetime
    not_after: datetime

    @property
    def subject(self) -> str:
        """The common name of the leaf: the device id."""
        return common_name(self.leaf)

    def covers(self, moment: datetime) -> bool:
        """Whether every certificate of the path is in date at `moment`."""
        return self.not_before <= moment <= self.not_after


def trust_chain(chain: Sequence[bytes], roots: Sequence[x509.Certificate]) -> TrustedChain:
    """The path from `chain` (DER, leaf first) to one of `roots`, signatures, constraints and usages verified; dates are
    left to the caller, who knows the time that counts. Raises `SenderFault` when there is no such path."""
    if not 1 <= len(chain) <= MAX_CHAIN:
        raise SenderFault("签名没有附带合适的证书链，不予信任。")
    try:
        return _path([load_certificate(entry) for entry in chain], roots)
    except UNREADABLE as error:
        raise SenderFault("签名所附证书无法读取，不予信任。") from error


def common_name(certificate: x509.Certificate) -> str:
    """The first common name of the subject, empty when there is none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _path(certificates: list[x509.Certificate], roots: Sequence[x509.Certificate]) -> TrustedChain:
    for certificate in certificates:
        _check_critical(certificate)
    _check_leaf(certificates[0])
    for depth, (certificate, issuer) in enumerate(itertools.pairwise(certificates)):
        _check_issued(certificate, issuer, depth)
    root = _root_of(certificates, roots)
    path = [*certificates, root]
    begin = max(certificate.not_valid_before_utc for certificate in path)
    end = min(certificate.not_valid_after_utc for certificate in path)
    return TrustedChain(certificates[0], root, begin, end)


def _root_of(certificates: list[x509.Certificate], roots: Sequence[x509.Certificate]) -> x509.Certificate:
    last, depth = certificates[-1], len(certificates) - 1
    fault = SenderFault("签名证书不属于所给的根证书，不予信任；请确认使用的是该区的 root.pem。")
    for root in (root for root in roots if root.subject == last.issuer):  # an authority made anew has the same name
        try:
            _check_issued(last, root, depth)
        except SenderFault as error:
            fault = error
        else:
            return root
    raise fault


def _check_critical(certificate: x509.Certificate) -> None:
    """RFC 5280 section 4.2: what is critical and not understood makes a certificate worthless."""
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in UNDERSTOOD:
            raise SenderFault(f"签名证书带有不认识的关键扩展（{extension.oid.dotted_string[:60]}），不予信任。")


def _check_leaf(leaf: x509.Certificate) -> None:
    certificate_key(leaf)
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise SenderFault("签名证书缺少规定的扩展，不予信任。") from error
    if constraints.ca or not usage.digital_signature or usage.key_cert_sign or DOCUMENT_SIGNING not in purposes:
        raise SenderFault("签名证书不是证据签名证书，不予信任。")


def _check_issued(certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> None:
    """`below` is how many CA certificates stand between the issuer and the leaf."""
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound, *UNREADABLE) as error:
        raise SenderFault("签名证书链不连贯，不予信任。") from error
    too_long = constraints.path_length is not None and below > constraints.path_length
    if not constraints.ca or not usage.key_cert_sign or too_long:
        raise SenderFault("签名证书的签发者无权签发，不予信任。")
