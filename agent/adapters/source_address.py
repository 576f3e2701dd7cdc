"""What may be said of a camera's address: everything but the secrets that people write into it."""

import re

HIDDEN = "***"
_PLACE_END = re.compile(r"[/?#;&=]")  # where host and port end
_SECRETIVE = re.compile(r"[?#;&=]")  # a path with one of these may carry a password (…/user=admin&password=…)


def masked(address: str) -> str:
    """`address` without user name and password, and without a path that looks as if it carried them; paths of files
    and devices stay as they are. Also takes the words of `[capture] camera`, with `rtsp:` before the address."""
    scheme, network, rest = address.partition("://")
    if not network:
        kind, colon, where = address.partition(":")
        if kind != "rtsp" or "@" not in where:
            return address
        scheme, network, rest = kind, colon, where
    _, user, place = rest.rpartition("@")
    end = _PLACE_END.search(place)
    host, path = (place, "") if end is None else (place[: end.start()], place[end.start() :])
    return f"{scheme}{network}{f'{HIDDEN}@' if user else ''}{host}{f'/{HIDDEN}' if _SECRETIVE.search(path) else path}"
