"""A real daemon with a button, a receiver and a card reader on serial lines: what they say stands in the recording."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.clock import system_clock
from agent.wire.instant import TimeState
from firmware_hooks.frames import Colour, Press, Show, Tamper
from firmware_hooks.simulated_card_reader import SimulatedCardReader
from firmware_hooks.simulated_gnss import SECOND, SimulatedGnss
from firmware_hooks.simulated_mcu import SimulatedMcu
from tests.agent.test_app import Site
from tests.agent.test_officer_end_to_end import RECORDING, verified
from tests.support.center import until

HERE = (39.9042, 116.4074)


class Equipped:
    """A site with everything on its lines. The receiver tells a time three days ahead of this computer's."""

    def __init__(self, site: Site, gnss: SimulatedGnss, cards: SimulatedCardReader) -> None:
        self.site, self.gnss, self.cards = site, gnss, cards
        self.seen: list[Show] = []

    def lamp(self, colour: Colour) -> bool:
        self.seen += self.site.mcu.shown(0.01)
        return bool(self.seen) and self.seen[-1].colour is colour

    def tell(self, ended: threading.Event) -> None:
        """A receiver's second, four times a second: what it tells is the same as fast."""
        while not ended.wait(0.25):
            self.gnss.tell(datetime.now(UTC).replace(microsecond=0) + timedelta(days=3), *HERE)


@pytest.fixture
def equipped(tmp_path: Path) -> Iterator[Equipped]:
    with SimulatedMcu() as mcu, SimulatedGnss() as gnss, SimulatedCardReader() as cards:
        site = Site(tmp_path, mcu)
        config = site.config.read_text()
        more = f'[hooks]\ngnss = "{gnss.device}"\ncard = "{cards.device}"\n'
        site.config.write_text(config.replace("[hooks]\n", more))
        yield Equipped(site, gnss, cards)
        site.end()


def test_fragments_carry_where_and_when_the_receiver_said(equipped: Equipped) -> None:
    site, ended = equipped.site, threading.Event()
    teller = threading.Thread(target=equipped.tell, args=(ended,))
    daemon = site.daemon().ready()
    until(lambda: equipped.lamp(Colour.GREEN), "a green lamp")
    teller.start()
    equipped.cards.show("04AABBCC", times=3)
    until(lambda: "stored card/" in daemon.text(), "the card is stored")
    site.mcu.press()
    until(lambda: equipped.lamp(Colour.RED), "a red lamp")
    before = site.segment_bytes()
    until(lambda: site.segment_bytes() > before + 100_000, "fragments with positions are on the disk")
    site.mcu.press(Press.LONG)
    site.mcu.send(Tamper(True))
    until(lambda: "key-mark/" in daemon.text() and "casing/" in daemon.text(), "mark and casing are stored")
    site.mcu.press()
    folder = site.state / "recordings" / RECORDING
    until(lambda: (folder / "SHA256SUMS.p7s").exists(), "the seal")
    ended.set()
    teller.join()
    assert daemon.stop() == 0
    assert equipped.lamp(Colour.OFF)
    assert daemon.text().count("stored card/") == 1  # held three times, shown once

    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    places = [line["position"] for line in lines if "position" in line]
    assert places
    assert {(place["latitude"], place["longitude"], place["quality"]) for place in places} == {
        (399042000, 1164074000, 1)
    }
    told = [line["captured"] for line in lines]
    ahead = datetime.fromisoformat(told[-1]["wall"]) - datetime.now(UTC)
    if system_clock().read().state is TimeState.NTP:  # this computer knows better, and says that the receiver lies
        assert "stored clock-disputed/" in daemon.text()
        assert abs(ahead) < timedelta(hours=1)
    else:
        assert told[-1]["state"] == "gnss"
        assert timedelta(days=2, hours=23) < ahead < timedelta(days=3) + SECOND
    assert any(event["kind"] == "marker" and event["note"] == "重点标记" for line in lines for event in line["events"])
    report = verified(folder, site)
    assert report["layers"]["integrity"]["ok"], report
