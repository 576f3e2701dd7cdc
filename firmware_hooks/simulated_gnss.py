"""A GNSS receiver for tests and rehearsals: a pseudo-terminal that tells where and when it is told to be. Never a
default."""

import argparse
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from firmware_hooks.nmea import SIMULATED, checksum
from firmware_hooks.pseudo_terminal import PseudoTerminal

SECOND = timedelta(seconds=1)


class SimulatedGnss(PseudoTerminal):
    """Open it as a context; `device` is then `[hooks] gnss`."""

    def tell(self, utc: datetime, latitude: float, longitude: float, quality: int = 1) -> None:
        """Send the sentences of one second."""
        self.send_bytes(sentences(utc, latitude, longitude, quality))


def sentences(utc: datetime, latitude: float, longitude: float, quality: int = 1) -> bytes:
    """What a receiver sends in one second: RMC, GGA and a sentence that nobody here asks for."""
    place = f"{_angle(latitude, 2)},{'NS'[latitude < 0]},{_angle(longitude, 3)},{'EW'[longitude < 0]}"
    moment = f"{utc:%H%M%S}.{utc.microsecond // 10_000:02d}"
    return (
        sentence(f"GNRMC,{moment},{'A' if quality else 'V'},{place},0.1,,{utc:%d%m%y},,,A")
        + sentence(f"GNGGA,{moment},{place},{quality},12,0.90,51.0,M,-6.0,M,,")
        + sentence("GNGSA,A,3,01,02,03,04,05,06,07,08,09,10,11,12,1.50,0.90,1.20")
    )


def sentence(body: str) -> bytes:
    """`body` with its beginning, checksum and end."""
    return f"${body}*{checksum(body.encode()):02X}\r\n".encode("ascii")


def _angle(degrees: float, digits: int) -> str:
    whole, minutes = divmod(abs(degrees) * 60, 60)
    return f"{int(whole):0{digits}d}{minutes:08.5f}"


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main() -> None:
    """`python -m firmware_hooks.simulated_gnss --link PATH`: tells a place and this computer's time once a second,
    marked as coming from a simulator, until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--link", type=Path, required=True, help="a symbolic link to the pseudo-terminal is made here")
    parser.add_argument("--latitude", type=float, default=39.9042)
    parser.add_argument("--longitude", type=float, default=116.4074)
    words = parser.parse_args()
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    with SimulatedGnss() as gnss:
        words.link.unlink(missing_ok=True)
        words.link.symlink_to(gnss.device)
        while not ended.wait(1):
            gnss.tell(datetime.now(UTC), words.latitude, words.longitude, SIMULATED)
        words.link.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
