"""SM2 signatures (GB/T 32918.2, with SM3) by the system's libcrypto, through ctypes: no maintained wheel does it.

Made for OpenSSL 3; what is signed here is verified by hand with
    openssl dgst -sm3 -verify sm2.pub -sigopt distid:1234567812345678 -signature SM3SUMS.sm2 SM3SUMS
"""

import ctypes
import hashlib
import threading
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_ubyte, c_void_p, create_string_buffer
from ctypes.util import find_library

from agent.errors import EnvironmentFault
from agent.evidence.gm_sums import DISTINGUISHING_ID

MAX_SIGNATURE = 80  # DER of two 32-byte integers is at most 72
_FUNCTIONS: dict[str, tuple[type | None, list[type]]] = {
    "BIO_new_mem_buf": (c_void_p, [c_char_p, c_int]),
    "BIO_free": (c_int, [c_void_p]),
    "PEM_read_bio_PrivateKey": (c_void_p, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "EVP_PKEY_is_a": (c_int, [c_void_p, c_char_p]),
    "EVP_PKEY_free": (None, [c_void_p]),
    "EVP_PKEY_CTX_new": (c_void_p, [c_void_p, c_void_p]),
    "EVP_PKEY_CTX_set1_id": (c_int, [c_void_p, c_char_p, c_int]),
    "EVP_PKEY_CTX_free": (None, [c_void_p]),
    "EVP_MD_CTX_new": (c_void_p, []),
    "EVP_MD_CTX_set_pkey_ctx": (None, [c_void_p, c_void_p]),
    "EVP_MD_CTX_free": (None, [c_void_p]),
    "EVP_sm3": (c_void_p, []),
    "EVP_DigestSignInit": (c_int, [c_void_p, c_void_p, c_void_p, c_void_p, c_void_p]),
    "EVP_DigestSign": (c_int, [c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t]),
    "i2d_PUBKEY": (c_int, [c_void_p, POINTER(POINTER(c_ubyte))]),
    "CRYPTO_free": (None, [c_void_p, c_char_p, c_int]),
}


class Sm2Signer:
    """An SM2 key in memory; implements `agent.evidence.gm_sums.GmSigner`. Made by `load_sm2_signer`."""

    def __init__(self, library: ctypes.CDLL, key: int) -> None:
        self._library, self._lock = library, threading.Lock()
        self._key: int | None = key
        self.public_key = _public_key(library, key)
        self.key_id = hashlib.sha256(self.public_key).hexdigest()

    def sign(self, data: bytes) -> bytes:
        """The DER of an SM2 signature with SM3 over `data`; raises `EnvironmentFault`. Any thread may ask."""
        with self._lock:
            if self._key is None:
                raise EnvironmentFault("SM2 私钥已关闭，没有签名。请重新启动后再录制。")
            return self._signed(data)

    def close(self) -> None:
        """Free the key; what is asked for afterwards is refused."""
        with self._lock:
            self._library.EVP_PKEY_free(self._key)  # nothing where it is freed already
            self._key = None

    def _signed(self, data: bytes) -> bytes:
        library = self._library
        context, keyed = library.EVP_MD_CTX_new(), library.EVP_PKEY_CTX_new(self._key, None)
        try:
            ready = library.EVP_PKEY_CTX_set1_id(keyed, DISTINGUISHING_ID, len(DISTINGUISHING_ID)) == 1
            library.EVP_MD_CTX_set_pkey_ctx(context, keyed)
            ready = ready and library.EVP_DigestSignInit(context, None, library.EVP_sm3(), None, self._key) == 1
            size, signature = c_size_t(MAX_SIGNATURE), create_string_buffer(MAX_SIGNATURE)
            if not ready or library.EVP_DigestSign(context, signature, byref(size), data, len(data)) != 1:
                raise EnvironmentFault("libcrypto 的 SM2 签名失败。请检查系统的 OpenSSL（需 3.0 以上）后重试。")
            return signature.raw[: size.value]
        finally:
            library.EVP_MD_CTX_free(context)
            library.EVP_PKEY_CTX_free(keyed)


def load_sm2_signer(pem: bytes, name: str | None = None) -> Sm2Signer:
    """The signer of a PKCS8 PEM key; `name` is the library's file, by default the system's libcrypto.

    Raises `EnvironmentFault` when there is no libcrypto with SM2 or it does not take the key.
    """
    library = _library(name or find_library("crypto"))
    bio = library.BIO_new_mem_buf(pem, len(pem))
    try:
        key = library.PEM_read_bio_PrivateKey(bio, None, None, None)
    finally:
        library.BIO_free(bio)
    if not key or library.EVP_PKEY_is_a(key, b"SM2") != 1:
        raise EnvironmentFault("libcrypto 不认识这把 SM2 私钥。请重新生成 sm2.key（add-device --gm）。")
    return Sm2Signer(library, key)


def _library(name: str | None) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(name or "libcrypto.so.3")
        for function, (result, arguments) in _FUNCTIONS.items():
            found = getattr(library, function)
            found.restype, found.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise EnvironmentFault(
            f"系统没有带 SM2 的 libcrypto（{str(error)[:80]}），不能做国密签名。请安装 OpenSSL 3，或改用 default 配置。"
        ) from error
    return library


def _public_key(library: ctypes.CDLL, key: int) -> bytes:
    place = POINTER(c_ubyte)()
    size = library.i2d_PUBKEY(key, byref(place))
    if size <= 0:
        raise EnvironmentFault("libcrypto 读不出 SM2 公钥。请重新生成 sm2.key。")
    data = bytes(place[:size])
    library.CRYPTO_free(ctypes.cast(place, c_void_p), None, 0)
    return data
