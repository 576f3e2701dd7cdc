"""`python -m agent.offloading`: the process that uploads recordings. The agent starts it, and recording comes first: it
is lower in everything than whatever records, and can be killed at any moment.

Lines of JSON on stdin, the first one `OffloadSetup`, then `{"orders": {...}}` and `{"receipted": "REC-0001-R000001"}`;
on stdout `{"uploaded": [...]}`, `{"rested": true}` when what was asked for is done, and `{"trouble": "..."}`. It ends
when stdin does.
"""

import json
import os
import queue
import random
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent import durable
from agent.adapters.recording_upload import Outside
from agent.adapters.upload_pace import UploadPace
from agent.adapters.uploader import Uploaded, Uploader
from agent.adapters.wireless import wifi_is_up
from agent.clock import Clock, system_clock
from agent.command import run_command
from agent.control.backoff import retry_after_ns
from agent.control.offload_policy import OffloadOrders, OffloadPolicy, When
from agent.errors import EnvironmentFault
from agent.object_store import ObjectStore, StoreFault, read_access
from agent.offload_setup import OffloadSetup
from agent.wire.identifiers import RecordingId, district

NICENESS = 15  # ours: below everything that records, with a little left beside a busy loop
IDLE_S = 0.25  # ours: how soon an order is followed
LIVE_RETRY_NS = 2 * 10**9  # ours: while a recording runs, the line is tried this often
STATUS_NS = 10 * 10**9  # ours: how often progress is written


class Offloading:
    """Works until stdin ends. Lines from there come through `heard`, put there by another thread."""

    def __init__(self, setup: OffloadSetup, clock: Clock, heard: "queue.SimpleQueue[str]") -> None:
        self._setup, self._clock, self._heard = setup, clock, heard
        self._orders = OffloadOrders()
        self._pace = UploadPace(setup.limit_kbps, self._now_ns)
        access = read_access(setup.url, Path(setup.credentials), Path(setup.ca) if setup.ca else None)
        outside = Outside(district(setup.district), ObjectStore(access), self._pace)
        policy = OffloadPolicy(When(setup.when), setup.live, setup.limit_kbps)
        self._uploader = Uploader(Path(setup.recordings), Path(setup.kept), outside, policy, tell_uploaded)
        self._attempt = self._next_ns = self._status_ns = 0
        self._trouble = ""

    def begin(self) -> None:
        """Tell what stands outside already."""
        self._uploader.begin()

    def turn(self) -> None:
        """Follow orders, bring one part, wait if there is no other."""
        busy = self._work() if self._now_ns() >= self._next_ns else False
        self._write_status(busy)
        self._listen(self._pace.wait_s() if busy else IDLE_S)

    def _work(self) -> bool:
        try:
            busy = self._uploader.work(self._orders, self._now_ns(), wifi=wifi_is_up(Path(self._setup.sysfs)))
        except EnvironmentFault as fault:
            self._failed(fault)
            return False
        if busy:
            self._attempt = 0
            self._say("")
        elif self._orders.asked and not self._uploader.waiting()[0]:
            tell(rested=True)
        return busy

    def _failed(self, fault: EnvironmentFault) -> None:
        if isinstance(fault, StoreFault) and fault.slow:
            self._pace.too_slow()
        self._uploader.give_up()
        self._attempt += 1
        wait_ns = retry_after_ns(self._attempt, random.SystemRandom().random)
        self._next_ns = self._now_ns() + (min(wait_ns, LIVE_RETRY_NS) if self._orders.recording else wait_ns)
        self._say(str(fault))

    def _listen(self, patience_s: float) -> None:
        try:
            line = self._heard.get(timeout=patience_s) if patience_s > 0 else self._heard.get_nowait()
            while True:
                self._hear(json.loads(line))
                line = self._heard.get_nowait()
        except queue.Empty:
            return

    def _hear(self, message: Mapping[str, Any]) -> None:
        if "receipted" in message:
            self._uploader.receipted.add(RecordingId(message["receipted"]))
        if "orders" in message:
            self._orders = OffloadOrders(**message["orders"])

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble, self._status_ns = trouble, 0
            if trouble:
                tell(trouble=trouble)

    def _write_status(self, busy: bool) -> None:
        if self._now_ns() < self._status_ns:
            return
        self._status_ns = self._now_ns() + STATUS_NS
        count, size = self._uploader.waiting()
        status = {"busy": busy, "live_bytes": self._uploader.live_sent, "trouble": self._trouble}
        content = json.dumps({**status, "waiting": count, "waiting_bytes": size}, ensure_ascii=False)
        place = Path(self._setup.status)
        if not place.is_file() or place.read_text(encoding="utf-8") != content:
            durable.write_bytes(place, content.encode(), durable.SHARED)

    def _now_ns(self) -> int:
        return self._clock.read().monotonic_ns


def tell(**message: object) -> None:
    """One line to the agent."""
    sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def tell_uploaded(done: Uploaded) -> None:
    """A recording stands outside."""
    tell(uploaded=[done.recording, done.manifest, done.files, done.size])


def main() -> None:
    """Work until stdin ends; a fault of the configuration is one line on stderr and the exit code of its root."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.nice(NICENESS)
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    setup = OffloadSetup(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_read, args=(heard,), name="orders", daemon=True).start()
    work = Offloading(setup, system_clock(), heard)
    work.begin()
    while True:
        work.turn()


def _read(heard: "queue.SimpleQueue[str]") -> None:
    for line in sys.stdin:
        heard.put(line)
    os._exit(0)  # nothing is half done that the next process would not see


if __name__ == "__main__":
    run_command(main)
