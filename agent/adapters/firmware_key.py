"""A signing key that only the Raspberry Pi's firmware reads (OTP), through the program `rpi-fw-crypto`.

The contract, read from that program's source (raspberrypi/utils, rpifwcrypto/main.c) and its README:

    rpi-fw-crypto sign --in FILE --key-id N --alg ec      the DER signature on standard output, exit code 0
    exit code 256 - N                                     error N of RPI_FW_CRYPTO_STATUS, for instance 252: key locked

Tested against `simulated_fw_crypto` only; it has never run on a Pi. The firmware keeps the key from programs, not from
root (the README there says so): `lock_device_private_key=1` in config.txt belongs to it.
"""

import subprocess
import threading

from agent.errors import EnvironmentFault
from agent.key_places import FirmwareKey
from agent.wire.signing import certificate_key, key_id_of, load_certificate, raw_from_der

TIMEOUT_S = 5.0  # ours; the firmware signs within milliseconds
MAX_SIGNATURE = 72  # DER of two 32-byte integers
_STANDARD_INPUT = "/dev/stdin"
_WORDS = {
    3: "没有这个编号的密钥",
    4: "该密钥的签名功能已被锁定",
    5: "OTP 读取出错",
    6: "该密钥尚未写入",
    7: "密钥类型不对",
}


class FirmwareSigner:
    """A `CertifiedSigner`; one process per signature, one at a time: two per segment."""

    def __init__(self, place: FirmwareKey, chain: tuple[bytes, ...]) -> None:
        self._place = place
        self.chain = chain
        self.key_id = key_id_of(certificate_key(load_certificate(chain[0])))
        self._lock = threading.Lock()

    def sign(self, data: bytes) -> bytes:
        """ES256 over `data`: 64 bytes r || s. Raises `EnvironmentFault` when the firmware does not sign."""
        with self._lock:
            signature = self._run(data)
        try:
            return raw_from_der(signature[:MAX_SIGNATURE])
        except (ValueError, OverflowError) as error:
            name = self._place.command
            raise EnvironmentFault(f"{name} 返回的不是签名（{len(signature)} 字节）。请检查该程序。") from error

    def _run(self, data: bytes) -> bytes:
        name, number = self._place.command, str(self._place.number)
        command = [name, "sign", "--in", _STANDARD_INPUT, "--key-id", number, "--alg", "ec"]
        try:
            done = subprocess.run(command, input=data, capture_output=True, timeout=TIMEOUT_S, check=False)
        except FileNotFoundError as error:
            raise EnvironmentFault(f"找不到程序 {name}。请在树莓派上安装它，或改用其他密钥。") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EnvironmentFault(f"固件签名没有完成（{type(error).__name__}）。请重启设备后重试。") from error
        if done.returncode:
            status = 256 - done.returncode
            why = _WORDS.get(status, f"错误 {status}")
            raise EnvironmentFault(f"固件拒绝签名：{why}。请运行 rpi-fw-crypto get-key-status {number} 检查密钥。")
        return done.stdout
