"""The authority's keys in a PKCS#11 token (an HSM, a smart card, SoftHSM). The only file of the package that knows
python-pkcs11.

`TokenPrivateKey` is an `ec.EllipticCurvePrivateKey` whose `sign` asks the token, which is all that the builders of
certificates, requests and revocation lists need. The private half is never read, copied or exported.
"""

import hashlib
from typing import Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from agent.errors import EnvironmentFault, OperatorFault
from agent.key_places import TokenKey

try:
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters
except ImportError as error:  # the extra `pkcs11` is not installed
    raise OperatorFault(
        "机构密钥在 PKCS#11 令牌中，但没有安装其程序库。请执行 pip install 'liuhen[pkcs11]'。"
    ) from error

PIN_FAULTS = (pkcs11.PinIncorrect, pkcs11.PinLenRange, pkcs11.PinInvalid, pkcs11.PinLocked, pkcs11.PinExpired)


class TokenPrivateKey(ec.EllipticCurvePrivateKey):
    """A P-256 key in a token. Each signature has a session of its own, which ends with it: a login is the whole
    process's (PKCS #11 section 5.6), and a session that stays open keeps everybody else's PIN from being asked."""

    def __init__(self, place: TokenKey, pin: bytes, public: ec.EllipticCurvePublicKey) -> None:
        self._place, self._pin, self._public = place, pin, public

    def sign(
        self, data: bytes | bytearray | memoryview, signature_algorithm: ec.EllipticCurveSignatureAlgorithm
    ) -> bytes:
        """DER ECDSA over SHA-256 of `data`; raises `EnvironmentFault` when the token does not sign, `OperatorFault` for
        another hash."""
        hashed = signature_algorithm.algorithm
        if not isinstance(hashed, hashes.SHA256):
            raise OperatorFault("机构密钥只以 SHA-256 签名。请检查程序版本。")
        place = self._place
        with _session(place, self._pin) as session:
            try:
                held = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=place.label, id=place.key_id)
                raw = bytes(held.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA))
            except (pkcs11.PKCS11Error, OSError, RuntimeError) as error:
                raise _unanswered(place.token, error) from error
        half = len(raw) // 2
        return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """256."""
        return self._public.curve.key_size

    def exchange(self, *_: Any) -> NoReturn:
        """Refused: the key signs and does nothing else."""
        raise _unexportable()

    def private_numbers(self) -> NoReturn:
        """Refused: the key does not leave its token."""
        raise _unexportable()

    def private_bytes(self, *_: Any) -> NoReturn:
        """Refused: the key does not leave its token."""
        raise _unexportable()

    def __copy__(self) -> "TokenPrivateKey":
        return self

    def __deepcopy__(self, _: Any) -> "TokenPrivateKey":
        return self


def open_token_key(place: TokenKey, pin: bytes) -> TokenPrivateKey:
    """The key at `place`; raises `OperatorFault` for a wrong PIN or a key that is not there, `EnvironmentFault` when
    the token does not answer."""
    with _session(place, pin) as session:
        return TokenPrivateKey(place, pin, _public(session, place))


def make_token_key(place: TokenKey, pin: bytes) -> TokenPrivateKey:
    """A new P-256 key at `place`, made by the token and not extractable; one that is there already is taken."""
    with _session(place, pin) as session:
        try:
            session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=place.label, id=place.key_id)
        except pkcs11.NoSuchKey:
            _generate(session, place)
        except pkcs11.MultipleObjectsReturned as error:
            raise OperatorFault(f"令牌 {place.token} 中有多把 {place.label}。请用 id= 指明一把。") from error
        return TokenPrivateKey(place, pin, _public(session, place))


def _generate(session: Any, place: TokenKey) -> None:
    try:
        curve = encode_named_curve_parameters("secp256r1")
        domain = session.create_domain_parameters(pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True)
        secret = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
        domain.generate_keypair(store=True, label=place.label, id=place.key_id, private_template=secret)
    except (pkcs11.PKCS11Error, OSError, RuntimeError) as error:
        raise _unanswered(place.token, error) from error


def _session(place: TokenKey, pin: bytes) -> Any:
    try:
        token = pkcs11.lib(str(place.module)).get_token(token_label=place.token)
        try:
            return token.open(rw=True, user_pin=pin.strip().decode(errors="replace"))
        except pkcs11.UserAlreadyLoggedIn:  # a login is the process's, not the session's (PKCS #11, section 5.6)
            return token.open(rw=True)
    except PIN_FAULTS as error:
        raise OperatorFault(f"令牌 {place.token} 不接受 PIN。请改正 {place.pin_source}，勿反复重试。") from error
    except (pkcs11.PKCS11Error, OSError, RuntimeError) as error:
        raise _unanswered(place.token, error) from error


def _public(session: Any, place: TokenKey) -> ec.EllipticCurvePublicKey:
    try:
        session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=place.label, id=place.key_id)
        public = session.get_key(pkcs11.ObjectClass.PUBLIC_KEY, label=place.label, id=place.key_id)
        point = bytes(public[pkcs11.Attribute.EC_POINT])
    except (pkcs11.NoSuchKey, pkcs11.MultipleObjectsReturned) as error:
        name = place.label or (place.key_id or b"").hex()
        raise OperatorFault(f"令牌 {place.token} 中没有（或不止一把）密钥 {name}。请核对 object= 与 id=。") from error
    except (pkcs11.PKCS11Error, OSError, RuntimeError) as error:
        raise _unanswered(place.token, error) from error
    point = point if point[:1] == b"\x04" and len(point) == 65 else point[2:]  # some tokens give an OCTET STRING
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def _unanswered(name: str, error: Exception) -> EnvironmentFault:
    return EnvironmentFault(
        f"令牌 {name} 没有应答（{type(error).__name__}）。请检查是否插好、module-path 是否正确后重试。"
    )


def _unexportable() -> OperatorFault:
    return OperatorFault("令牌中的机构密钥不能导出。")
