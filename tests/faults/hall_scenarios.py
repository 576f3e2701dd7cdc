"""What a kiosk's screen promises: what it showed stays on record, and its log is one chain, however often it starts."""

from pathlib import Path

from agent.errors import SenderFault
from agent.wire.hall_facts import FACT_SUFFIX
from agent.wire.identifiers import digest
from agent.wire.instant import Instant
from agent.wire.signing import KeySigner
from kiosk.display_log import DisplayLog, log_lines
from kiosk.display_record import Head, verify_log
from kiosk.outgoing import Outgoing
from tests.agent.evidence.bench import START, private_key
from tests.faults.explorer import Promise, Scenario, nothing
from tests.support.outgoing_facts import whole_facts

KEY = private_key("screen")
FILE_LINES, PAGES, STARTS = 4, 4, 2
WINDOW = ["3", "在岗", "示例-000004"]


def _log(state: Path) -> DisplayLog:
    return DisplayLog(state / "display-log", KeySigner(KEY), Outgoing(state / "outgoing"), FILE_LINES)


def _page(number: int) -> dict[str, object]:
    windows = [WINDOW] * (1 + number % 5)  # lines of more than a sector, and some of more than a block
    return {"path": "/board", "state": f"state-{number}", "tag": f"tag-{number}", "windows": windows * 12}


def _show(bench: Path, promise: Promise, rounds: int) -> None:
    for start in range(STARTS * rounds):
        log = _log(bench / "state")
        log.open(START)
        for number in range(PAGES):
            before = log.head
            log.shown(_page(PAGES * start + number), _at(number))
            if log.head.number == before.number:
                continue  # refused by the disk: the log says so, the display goes on
            promise(f"line {log.head.number} {log.head.digest}")
            if (bench / "state" / "outgoing" / _fact(log.head)).exists():
                promise(f"told {log.head.number} {log.head.digest}")


def _fact(head: Head) -> str:
    return f"display-{head.number:08d}-{head.digest[:16]}{FACT_SUFFIX}"


def _at(number: int) -> Instant:
    return Instant(START.wall, START.monotonic_ns + number * 10**9, START.boot, START.state, START.error_ms)


def _check_shown(bench: Path, promised: list[str]) -> list[str]:
    state = bench / "state"
    _log(state).open(START)
    said = [line.split() for line in promised]
    heads = [Head(int(number), digest(hashed)) for _, number, hashed in said]
    try:
        verify_log(log_lines(state / "display-log"), lambda _: KEY.public_key(), heads)
    except SenderFault as fault:
        return [str(fault)]
    told = whole_facts(state / "outgoing")
    names = [_fact(Head(int(number), digest(hashed))) for word, number, hashed in said if word == "told"]
    return [f"{name} is lost" for name in names if name not in told]


SCENARIOS = [Scenario("display-log", nothing, _show, _check_shown)]
