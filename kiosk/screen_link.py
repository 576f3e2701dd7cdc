"""The screen keeper's line to the kiosk's server on this machine: how is the screen, and what was seen of it."""

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping
from urllib.parse import urlencode

ASK_S = 2.0
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy this machine has for others

log = logging.getLogger(__name__)


class ServerLink:
    """The server at `url`, which ends in a slash. Nothing here raises: a server that is away is an answer too."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self) -> Mapping[str, object] | None:
        """`/healthz`; None while the server is away or answers nonsense."""
        try:
            with OPENER.open(f"{self._url}healthz", timeout=ASK_S) as answer:
                return _health(answer.read(4096))
        except (OSError, ValueError) as error:
            log.info("the kiosk's server does not answer: %s", error)
            return None

    def tell(self, said: Mapping[str, str]) -> None:
        """Tell what was seen or done, for the log of what was shown."""
        origin = {"Origin": self._url.rstrip("/")}
        request = urllib.request.Request(f"{self._url}looked", urlencode(said).encode(), origin)  # noqa: S310 - loopback
        try:
            with OPENER.open(request, timeout=ASK_S):
                return
        except (OSError, urllib.error.HTTPError) as error:
            log.info("the kiosk's server was not told: %s", error)


def _health(content: bytes) -> Mapping[str, object] | None:
    value = json.loads(content)
    return value if isinstance(value, dict) and {"painted_ms", "tag", "open"} <= value.keys() else None
