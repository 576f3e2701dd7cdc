"""A signing key in a PKCS#11 token: an HSM, a smart card, SoftHSM. The only file that knows python-pkcs11.

One session under one lock: the loop and the recorder's thread both sign, and a PKCS#11 session is not for two at once.
After a fault the session is let go and the next signature opens another, so a card that was taken out and put back
works again without a restart. A PIN that was refused once is not tried again: cards lock after a few wrong ones.
At the start it is an operator's fault, so that nothing starts the program again with the same PIN.
"""

import hashlib
import threading
from typing import Any

from agent.errors import EnvironmentFault, OperatorFault
from agent.key_places import TokenKey
from agent.wire.signing import certificate_key, key_id_of, load_certificate

try:
    import pkcs11
except ImportError as error:  # the extra `pkcs11` is not installed
    raise OperatorFault("配置使用 PKCS#11 密钥，但没有安装其程序库。请执行 pip install 'liuhen[pkcs11]'。") from error


PIN_FAULTS = (pkcs11.PinIncorrect, pkcs11.PinLenRange, pkcs11.PinInvalid, pkcs11.PinLocked, pkcs11.PinExpired)


class PinRefused(EnvironmentFault):
    """The token refused the PIN, or is locked: trying again only makes it worse."""


class TokenSigner:
    """A `CertifiedSigner`. ECDSA over a SHA-256 made here: every token can do that, and no data leaves but a digest."""

    def __init__(self, place: TokenKey, pin: bytes, chain: tuple[bytes, ...]) -> None:
        self._place, self._pin = place, pin.strip()
        self.chain = chain
        self.key_id = key_id_of(certificate_key(load_certificate(chain[0])))
        self._lock = threading.Lock()
        self._session: pkcs11.Session | None = None
        self._key: Any = None  # pkcs11.PrivateKey; its mechanisms are mixed in at run time
        self._pin_fault = ""

    def sign(self, data: bytes) -> bytes:
        """ES256 over `data`: 64 bytes r || s. Raises `EnvironmentFault` when the token does not sign, as `PinRefused`
        when that is because of the PIN."""
        digest = hashlib.sha256(data).digest()
        with self._lock:
            if self._pin_fault:
                raise PinRefused(self._pin_fault)
            try:
                key = self._key or self._open()
                return bytes(key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
            except PIN_FAULTS as error:
                self._let_go()
                self._pin_fault = self._about_pin(error)
                raise PinRefused(self._pin_fault) from error
            except (pkcs11.PKCS11Error, OSError, RuntimeError) as error:
                self._let_go()
                raise EnvironmentFault(self._words(error)) from error

    def close(self) -> None:
        """Let the session go; the next signature would open another."""
        with self._lock:
            self._let_go()

    def _open(self) -> Any:
        place = self._place
        token = pkcs11.lib(str(place.module)).get_token(token_label=place.token)
        self._session = token.open(user_pin=self._pin.decode(errors="replace"))
        self._key = self._session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=place.label, id=place.key_id)
        return self._key

    def _let_go(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except pkcs11.PKCS11Error:  # the token is gone, and the session with it
                return

    def _words(self, error: Exception) -> str:
        place = self._place
        if isinstance(error, pkcs11.NoSuchKey | pkcs11.MultipleObjectsReturned):
            name = place.label or (place.key_id or b"").hex()
            return f"令牌 {place.token} 中没有（或不止一把）私钥 {name}。请核对 object= 与 id=。"
        why = type(error).__name__
        return f"令牌 {place.token} 不能签名（{why}）。请检查令牌是否插好、module-path 是否正确后重试。"

    def _about_pin(self, error: Exception) -> str:
        place = self._place
        if isinstance(error, pkcs11.PinLocked):
            return f"令牌 {place.token} 的 PIN 已锁定。请用管理 PIN（SO PIN）解锁或更换令牌后再启动。"
        return f"令牌 {place.token} 的 PIN 不对。请改正 {place.pin_source} 的内容后再启动，勿反复重试。"
