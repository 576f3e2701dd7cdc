"""Asking a time-stamping authority: over HTTP (RFC 3161 section 3.4), or through a command (an offline authority)."""

import shlex
import subprocess
import urllib.error
import urllib.request

from agent.errors import OperatorFault
from provisioning.center.time_stamping import MAX_RESPONSE_BYTES, Ask, refused

TIMEOUT_S = 20.0  # ours; an authority answers within a second
QUERY = "application/timestamp-query"


def over_http(url: str) -> Ask:
    """Ask the authority at `url`; raises `OperatorFault` when that is no HTTP address."""
    if not url.startswith(("http://", "https://")):
        raise OperatorFault(f"--tsa {url[:80]} 应是 http:// 或 https:// 开头的地址。")

    def ask(request: bytes) -> bytes:
        message = urllib.request.Request(url, request, {"Content-Type": QUERY})  # noqa: S310 - checked above
        try:
            with urllib.request.urlopen(message, timeout=TIMEOUT_S) as answer:  # noqa: S310 - checked above
                return bytes(answer.read(MAX_RESPONSE_BYTES + 1))
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise refused(f"{url}（{error}）") from error

    return ask


def by_command(line: str) -> Ask:
    """Ask a program: the request on its standard input, the response on its standard output."""
    words = shlex.split(line)
    if not words:
        raise OperatorFault("--tsa-command 是空的，应形如 'openssl ts -reply -config tsa.cnf -queryfile /dev/stdin'。")

    def ask(request: bytes) -> bytes:
        try:
            done = subprocess.run(words, input=request, capture_output=True, timeout=TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise refused(f"{words[0]}（{error}）") from error
        if done.returncode:
            complaint = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise refused(f"{words[0]} 以 {done.returncode} 结束（{''.join(complaint)}）")
        return done.stdout

    return ask
