"""How long to wait before trying again: exponential with full jitter, so that a district does not return as one."""

from collections.abc import Callable

NANOSECONDS = 1_000_000_000
FLOOR_S = 1  # reference/mqtt.md section 5.8: nobody retries faster than once a second
CAP_S = 60  # reference/mqtt.md section 4: 1..60 s
REFUSED_FLOOR_S, REFUSED_CAP_S = 30, 300  # likewise: 30..300 s where the broker said no
# MQTT 5 section 2.4: client id not valid, bad credentials, not authorised, bad authentication method,
# session taken over, quota exceeded, use another server
REFUSALS = frozenset({0x85, 0x86, 0x87, 0x8C, 0x8E, 0x97, 0x9C})


def retry_after_ns(attempt: int, random: Callable[[], float]) -> int:
    """Nanoseconds until attempt number `attempt` (from 1) after a failed one; `random` gives [0, 1)."""
    ceiling = min(CAP_S, 2 ** min(attempt, 10))
    return int((FLOOR_S + random() * (ceiling - FLOOR_S)) * NANOSECONDS)


def refused_after_ns(count: int, random: Callable[[], float]) -> int:
    """Nanoseconds until the next try after the broker refused on purpose, `count` times in a row."""
    ceiling = min(REFUSED_CAP_S, REFUSED_FLOOR_S * 2 ** min(count, 10))
    return int((REFUSED_FLOOR_S + random() * (ceiling - REFUSED_FLOOR_S)) * NANOSECONDS)
