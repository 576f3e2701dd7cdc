"""What stands on a GNSS line when the antenna's cable breaks: damaged sentences, wrong bytes, joined lines."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from firmware_hooks.nmea import checksum
from firmware_hooks.simulated_gnss import sentences

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def garbage_lines(chance: Random, count: int) -> Iterator[bytes]:
    """`count` lines, each of which is damaged; every tenth has a checksum that is right all the same."""
    sound = [
        line
        for second in range(100)
        for line in sentences(
            NOON + timedelta(seconds=second), chance.uniform(-90, 90), chance.uniform(-180, 180)
        ).splitlines()
    ]
    for number in range(count):
        line = bytearray(sound[number % len(sound)])
        match number % 10:
            case 0:
                yield chance.randbytes(chance.randrange(90)).replace(b"\n", b"") + b"\n"
            case 1:
                yield bytes(line[: chance.randrange(len(line) - 1)]) + b"\n"
            case 2:
                body = _damaged(chance, line[1 : line.index(b"*")])
                yield b"$" + body + b"*%02X\r\n" % checksum(body)
            case _:
                yield _damaged(chance, line) + b"\r\n"


def _damaged(chance: Random, line: bytearray) -> bytes:
    sound = bytes(line)
    while bytes(line) == sound:
        for _ in range(chance.randint(1, 6)):
            line[chance.randrange(len(line))] = chance.choice(b"0123456789,.$*AVNSEWGR\xff\x00 -")
    return bytes(line)
