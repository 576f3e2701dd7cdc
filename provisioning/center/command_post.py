"""The receiver's side of commands: brings them to the broker, again whenever a device comes up, until its events say
what became of them. A device subscribes anew on every connection, so what it missed must be sent again."""

import json
from datetime import datetime

from agent.errors import SenderFault
from agent.wire.topics import STATE, parse_device_topic
from provisioning.center.command_book import REPLAYED, TOLD, CommandBook, Events, Sent

MAX_PUBLISHED = 20  # ours, at once; a device works off its commands in order


class CommandPost:
    """Belongs to the receiver's loop."""

    def __init__(self, book: CommandBook, events: Events) -> None:
        self._book, self._events = book, events
        self._published: set[tuple[str, int]] = set()
        self._looked: set[str] = set()

    def forget(self) -> None:
        """A new connection of ours: what was under way may be lost."""
        self._published.clear()

    def heard(self, topic: str) -> None:
        """Something came on `topic`: events may answer, and a device whose state came may have missed commands."""
        try:
            parsed = parse_device_topic(topic)
        except SenderFault:
            return
        self._looked.discard(parsed.device)
        if parsed.channel == STATE:
            self._published = {one for one in self._published if one[0] != parsed.device}

    def due(self, now: datetime) -> list[Sent]:
        """What is to be published now, by device and number. What is answered or past its end is closed."""
        open_ones: list[Sent] = []
        for sent in self._book.waiting():
            if now > sent.command.expires_at:
                self._book.close(sent)
            else:
                open_ones.append(sent)
        closed = self._closed(open_ones)
        ready = [one for one in open_ones if one not in closed and _key(one) not in self._published][:MAX_PUBLISHED]
        self._published |= {_key(one) for one in ready}
        return ready

    def _closed(self, waiting: list[Sent]) -> list[Sent]:
        closed = []
        for device in sorted({one.command.device for one in waiting} - self._looked):
            self._looked.add(device)
            told = [json.loads(body) for body in self._events.of_types(device, TOLD)]
            done = {event["data"].get("counter") for event in told}
            refused = {event["data"].get("digest") for event in told if event["data"].get("code") != REPLAYED}
            for sent in (one for one in waiting if one.command.device == device):
                if sent.command.counter in done or sent.digest in refused:
                    self._book.close(sent)
                    closed.append(sent)
        return closed


def _key(sent: Sent) -> tuple[str, int]:
    return sent.command.device, sent.command.counter
