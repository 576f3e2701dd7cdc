"""The SM2 key of a device of the gm profile, made by the system's openssl: no library of ours makes SM2 keys."""

import subprocess
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault
from provisioning.fleet.orders import SM2_KEY_NAME, SM2_PUBLIC_NAME

OPENSSL = "openssl"
TIMEOUT_S = 20.0  # ours; a key is made within milliseconds


def write_sm2_key(folder: Path) -> bool:
    """Write `sm2.key` (PKCS8 PEM, 0600) and `sm2.pub`; returns whether anything was written. The key is kept when it is
    there. Raises `EnvironmentFault` when openssl is missing or knows no SM2."""
    key, public = folder / SM2_KEY_NAME, folder / SM2_PUBLIC_NAME
    if key.exists() and public.exists():
        return False
    if not key.exists():
        durable.write_bytes(key, _openssl(b"", "genpkey", "-algorithm", "SM2"), durable.PRIVATE)
    durable.write_bytes(public, _openssl(key.read_bytes(), "pkey", "-pubout"))
    return True


def _openssl(content: bytes, *arguments: str) -> bytes:
    try:
        command = [OPENSSL, *arguments]
        done = subprocess.run(command, input=content, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(
            f"不能运行 openssl（{type(error).__name__}）。请安装 OpenSSL 3，或去掉 --gm。"
        ) from error
    if done.returncode:
        raise EnvironmentFault("系统的 openssl 不支持 SM2。请安装 OpenSSL 3，或去掉 --gm。")
    return done.stdout
