"""What the office's folder and a hall's screen promise: what two people signed is published whole, every version that
was ever released stays, and a window's switch, its waits and what was shown are not forgotten."""

import json
from datetime import timedelta
from functools import partial
from pathlib import Path

from agent.duty.floors import Floor
from agent.duty.windows import WindowState
from agent.errors import LiuhenFault, SenderFault
from agent.key_files import read_signer
from agent.wire.disclosures import DisclosureKind, parse_disclosure
from agent.wire.envelope import parse_envelope
from agent.wire.hall_facts import FACT_SUFFIX
from agent.wire.instant import Instant, TimeState
from agent.wire.signing import KeySigner
from agent.wire.trust import Role
from kiosk.memory import Remembered, ShownFile
from kiosk.outgoing import Outgoing
from kiosk.publishing.office import Damaged, open_office
from kiosk.staff_desk import StaffDesk
from tests.faults.explorer import Promise, Scenario, insist
from tests.kiosk.bench import NOW
from tests.kiosk.office_bench import OfficeBench, draft_of
from tests.support.outgoing_facts import whole_facts

NAME = "notice.main"
VERSIONS = 2


def _found(bench: Path) -> None:
    made = OfficeBench(bench)
    (bench / "office").rename(bench / "state" / "office")
    for role, person in ((Role.EDITOR, made.bench.editor), (Role.REVIEWER, made.bench.reviewer)):
        person.write(bench / role)


def _signer(bench: Path, role: Role) -> KeySigner:
    return read_signer(bench / role / "key.pem", bench / role / "chain.pem")


def _source(number: int) -> bytes:
    entry = {"标题": f"示例通知 {number}", "正文": "示例正文" * 100 * number}
    return json.dumps(draft_of(DisclosureKind.NOTICE, entry), ensure_ascii=False).encode()


def _publish(bench: Path, promise: Promise, rounds: int) -> None:
    office = open_office(bench / "state" / "office")
    for number in range(1, 1 + VERSIONS * rounds):
        now = NOW + timedelta(minutes=max(_released_versions(bench), default=0))
        insist(partial(office.draft, _source(number), now))
        for role in (Role.EDITOR, Role.REVIEWER):
            insist(partial(office.sign, NAME, _signer(bench, role), role, now))
        done = insist(partial(office.release, NAME, now))
        promise(f"released {done.document.version}")


def _released_versions(bench: Path) -> list[int]:
    """The versions that the history tells of."""
    places = (bench / "state" / "office" / "history").glob("[!.]*.dsse")
    return sorted(parse_disclosure(parse_envelope(place.read_bytes()).payload).version for place in places)


def _check_published(bench: Path, promised: list[str]) -> list[str]:
    said = [int(line.split()[1]) for line in promised]
    least = max(said, default=0)
    try:
        found = open_office(bench / "state" / "office").show()
    except LiuhenFault as fault:
        return [f"the office cannot be opened: {fault}"]
    broken = [f"{it.path.name} is damaged: {it.reason}" for it in found if isinstance(it, Damaged)]
    told = _released_versions(bench)
    (released,) = [it.document.version for it in found if it.path.parent.name == "released"] or [0]
    if released < least:
        broken.append(f"version {least} was released, {released} is there")
    broken += [f"version {it} is in no history" for it in {released, *said} - {0, *told}]
    _publish(bench, lambda _: None, 1)
    return broken


WINDOW, MEMBER, PIN = "3", "示例-000004", "482915"


def _at(number: int) -> Instant:
    return Instant(NOW + timedelta(seconds=number), number * 10**9, "boot-1", TimeState.NTP, 10)


def _desk(bench: Path) -> StaffDesk:
    state = bench / "state"
    desk = StaffDesk(state / "kiosk", Outgoing(state / "outgoing"))
    desk.open()
    return desk


def _attend(bench: Path, promise: Promise, rounds: int) -> None:
    desk, shown = _desk(bench), ShownFile(bench / "state" / "kiosk")
    begin = shown.read()[0].trust_version
    insist(lambda: desk.enrol(MEMBER, [WINDOW], "0012345678", PIN))
    promise("enrolled")
    for number in range(begin + 1, begin + 1 + 2 * rounds):
        member = desk.believe(WINDOW, PIN, _at(number))
        state = WindowState.AWAY if number % 2 else WindowState.ON_DUTY
        insist(partial(desk.switch, WINDOW, state, member, "", _at(number)))
        promise(f"switched {number} {state.value}")
        kept = Remembered(number, {"notice.main": Floor(number, "a" * 64, False)})
        insist(partial(shown.keep, kept))
        promise(f"shown {number}")


def _check_attended(bench: Path, promised: list[str]) -> list[str]:
    said = [line.split() for line in promised]
    most = {word: max((int(it[1]) for it in said if it[0] == word), default=0) for word in ("switched", "shown")}
    desk, (kept, damage) = _desk(bench), ShownFile(bench / "state" / "kiosk").read()
    broken = [damage] if damage else []
    if kept.trust_version < most["shown"] or any(it.version != kept.trust_version for it in kept.floors.values()):
        broken.append(f"version {most['shown']} was shown, {kept} is remembered")
    if promised:
        try:
            desk.believe(WINDOW, PIN, _at(10**6))
        except SenderFault as fault:
            broken.append(f"who was enrolled is not believed: {fault}")
    switched = desk.switches.get(WINDOW)
    if most["switched"] and (switched is None or switched.since < _at(most["switched"]).wall):
        broken.append(f"switch {most['switched']} was forgotten: {switched}")
    told = whole_facts(bench / "state" / "outgoing")
    lost = {f"window-boot-1-{int(it[1]) * 10**9}{FACT_SUFFIX}" for it in said if it[0] == "switched"} - told
    return [*broken, *(f"{name} is never told" for name in sorted(lost))]


SCENARIOS = [
    Scenario("publishing", _found, _publish, _check_published),
    Scenario("windows", lambda _: None, _attend, _check_attended),
]
