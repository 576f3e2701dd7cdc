"""Order D's figure of the party's receipt: how long a kiosk takes to answer one, offline, from a list of 100 000."""

import itertools
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

from agent.duty.party_receipt import PartyReceipt, sign_receipt
from agent.duty.receipt_list import ReceiptAnswer, part_name, seal_part, split_answers
from agent.wire.identifiers import DeviceId, Digest, recording_id
from kiosk.receipt import receipt_view
from kiosk.receipt_folder import ReceiptFolder
from tests.benchmarks.figures import Bench, Row
from tests.kiosk.bench import XINGHE
from tests.kiosk.bench import Bench as District

RECEIPTS, LOOKUPS, TARGET_MS = 100_000, 300, 50
DEVICE, NOW = DeviceId("REC-0001"), datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def receipt_lookup(bench: Bench) -> list[Row]:
    """From the scanned text to the answer: signature of the receipt, one part of the list read from its file, its
    signature and every row of it checked. Half of the lookups by the QR code, half by the short code; each may fall
    into another part, and nothing is remembered between two."""
    count = RECEIPTS // 10 if bench.quick else RECEIPTS
    place, folder = District(), bench.folder / "receipts"
    folder.mkdir(exist_ok=True)
    bench.tell(f"{count} receipts")
    receipts = [
        PartyReceipt(
            XINGHE, DEVICE, n, "星河区综合行政执法局", f"T-{n}", recording_id(DEVICE, n), 640, Digest("ab" * 32), NOW
        )
        for n in range(1, count + 1)
    ]
    answers = (ReceiptAnswer(one.short_code, "explained-gap", 2, date(2028, 11, 22)) for one in receipts)
    parts = [seal_part(part, place.receiver.signer) for part in split_answers(XINGHE, NOW, answers)]
    for number, data in enumerate(parts):
        (folder / part_name(number)).write_bytes(data)
    asked = random.Random(7).sample(receipts, LOOKUPS)
    texts = [
        sign_receipt(one, place.recorder.signer) if scanned else one.short_code
        for one, scanned in zip(asked, itertools.cycle((True, False)), strict=False)
    ]
    trust, read = place.trust(), ReceiptFolder(folder).part
    bench.tell(f"{LOOKUPS} lookups")
    times = [_took(lambda text=text: receipt_view(text, read, NOW, trust, XINGHE)) for text in texts]  # type: ignore[misc]
    median, worst = (value([wall for wall, _ in times]) for value in (statistics.median, max))
    busiest = max(core for _, core in times)
    note = f"offline, nothing kept in memory; list of {sum(map(len, parts)) / 1e6:.1f} MB; worst of {LOOKUPS} "
    note += f"{worst:.1f} ms, at most {busiest:.1f} ms of it processor"
    met = median <= TARGET_MS
    return [Row(f"receipt lookup, {count} receipts", f"{median:.1f} ms", f"<= {TARGET_MS} ms", met, note=note)]


def _took(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds on the wall and of the processor."""
    begin, core = time.perf_counter(), time.process_time()
    view = work()
    took = 1000 * (time.perf_counter() - begin), 1000 * (time.process_time() - core)
    assert "已归档" in str(view)
    return took


FIGURES: dict[str, Callable[[Bench], list[Row]]] = {"receipt_lookup": receipt_lookup}
