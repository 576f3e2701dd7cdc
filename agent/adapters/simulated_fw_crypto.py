#!/usr/bin/env python3
"""A stand-in for `rpi-fw-crypto` where there is no Raspberry Pi; chosen explicitly by `fwcrypto:1?command=...`.

It speaks the command line and the exit codes that `firmware_key` relies on. The "fuses" are PEM files: key N is
`otp-N.pem` in the folder that the environment variable LIUHEN_SIMULATED_OTP names; `otp-N.locked` locks it.
"""

import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

FOLDER = "LIUHEN_SIMULATED_OTP"
EINVAL, NOT_FOUND, LOCKED = 2, 3, 4  # RPI_FW_CRYPTO_STATUS


def main(arguments: list[str]) -> int:
    """`sign --in FILE --key-id N --alg ec`; the exit code."""
    options = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    if arguments[:1] != ["sign"] or options.get("--alg") != "ec" or not {"--in", "--key-id"} <= options.keys():
        return _refused(EINVAL)
    otp = Path(os.environ[FOLDER]) / f"otp-{int(options['--key-id'])}.pem"
    if otp.with_suffix(".locked").exists():
        return _refused(LOCKED)
    if not otp.exists():
        return _refused(NOT_FOUND)
    key = load_pem_private_key(otp.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return _refused(EINVAL)
    sys.stdout.buffer.write(key.sign(Path(options["--in"]).read_bytes(), ec.ECDSA(hashes.SHA256())))
    return 0


def _refused(status: int) -> int:
    sys.stderr.write(f"Failed to sign data\nLast crypto error: {status}\n")
    return 256 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
