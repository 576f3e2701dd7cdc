"""One district with everything that a seed lets happen to it, and what must hold whatever happens."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from agent.control.controller import Identity
from agent.wire.device_events import EventType
from agent.wire.disclosures import DISCLOSURE_TYPE, Disclosure
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, device_id
from agent.wire.instant import TimeState
from agent.wire.receipts import RECEIPT_TYPE, Receipt
from agent.wire.topics import RECEIPT, device_topic
from agent.wire.trust import Role, TrustList
from kiosk.shelf import Shelf, restock
from tests.simulator.broker import Broker
from tests.simulator.centre import RECEIVER, Centre
from tests.simulator.device import Device
from tests.simulator.world import World
from tests.support.documents import notice, topic_of
from tests.support.keys import Issued, TestAuthority

ENDED = (EventType.RECORDING_SEALED, EventType.RECORDING_RECOVERED)
UNIT = "星河区综合行政执法局"
RECORDERS, KIOSKS, STOLEN = ("REC-0001", "REC-0002"), ("KSK-0001",), "REC-0666"
HALL = "hall-1"


class Keys:
    """Made once for every seed: making keys is no part of what is played."""

    def __init__(self) -> None:
        self.authority = TestAuthority()
        self.devices = {name: self._of(name) for name in (*RECORDERS, *KIOSKS, STOLEN)}
        self.receiver = self.authority.evidence(RECEIVER, Role.RECEIVER)
        self.editor = self.authority.evidence("示例-000001", Role.EDITOR)
        self.reviewer = self.authority.evidence("示例-000002", Role.REVIEWER)
        self.forger = TestAuthority().evidence(RECEIVER, Role.RECEIVER)

    def trust(self, version: int, without: str = "") -> TrustList:
        """Everybody, `without` a device that is no longer listed."""
        named: list[tuple[Issued, Role]] = [
            (issued, _role(name)) for name, issued in self.devices.items() if name != without
        ]
        named += [(self.receiver, Role.RECEIVER), (self.editor, Role.EDITOR), (self.reviewer, Role.REVIEWER)]
        return self.authority.trust(*(issued.credential(role) for issued, role in named), version=version)

    def _of(self, name: str) -> Issued:
        return self.authority.evidence(name, _role(name))


def _role(name: str) -> Role:
    return Role.RECORDER if name.startswith("REC-") else Role.KIOSK


class District:
    """Built for one seed in `folder`. `play` lets time pass with faults, `heal` ends them, `check_end` judges."""

    def __init__(self, seed: int, folder: Path, keys: Keys) -> None:
        self.world, self.keys = World(seed), keys
        self.broker = Broker(self.world)
        self.trust = keys.trust(1)
        self.centre = Centre(
            self.world, self.broker, folder / "centre", keys.authority, keys.receiver.signer, self.trust
        )
        self.devices = {name: self._device(folder / name, device_id(name)) for name in keys.devices}
        self.genuine: dict[bytes, Disclosure] = {}
        self._versions = 0
        self._shown: dict[str, int] = {}
        self.stolen_events: int | None = None
        self.faults: dict[str, int] = {}

    def start(self) -> None:
        """Everything is switched on and well."""
        self.centre.switch_on()
        for device in self.devices.values():
            device.switch_on()
        self.publish()

    def play(self, minutes: float) -> None:
        """So much time with work and faults; what must hold at every moment is looked at after each of them."""
        end_ns = self.world.now_ns + int(minutes * 60e9)
        while self.world.now_ns < end_ns:
            self.world.run(self.world.some(0.01, 12.0))
            name, act = self.world.dice.choice(self._deeds())
            self.faults[name] = self.faults.get(name, 0) + 1
            act()
            self.check()

    def heal(self) -> None:
        """Nothing goes wrong any more, and there is time to finish."""
        self.broker.up, self.broker.twice, self.broker.swapped = True, 0.0, 0.0
        self.centre.switch_on()
        self.centre.link.fuse = -1
        for device in self.devices.values():
            device.disarm()
            device.clock.offset, device.clock.state = timedelta(), TimeState.NTP
            device.switch_on()
            device.fill_disk(full=False)
            device.reach(broker=True)
            device.hear_of_trust(self.trust)
            device.look()
        self.world.run(60)
        for device in self.recorders():
            if any(film.sealed is None for film in device.card.values()):
                device.press()
        for _ in range(20):
            self.world.run(120)
            self.check()
            if all(device.acked == device.devseq for device in self.honest()):
                break
        self.world.run(30)

    def check(self) -> None:
        """What holds at every moment."""
        self._check_receipts()
        self._check_screens()

    def check_end(self) -> None:
        """What holds once everything has had time: nothing missing, twice, or out of order; nobody fooled."""
        self.check()
        total = 0
        for device in self.devices.values():
            name = device.identity.device
            bodies = [json.loads(body) for body in self.centre.store.events(name, limit=10**6)]
            total += len(bodies)
            assert [it["devseq"] for it in bodies] == [*range(1, len(bodies) + 1)], f"{name} is out of order"
        for device in self.honest():
            self._check_told(device)
        assert self.centre.log_size() == total, f"the log has {self.centre.log_size()} of {total} events"
        bad = [it for it in self.centre.store.alarms() if it["kind"] in ("fork", "broken-chain")]
        assert bad == [], bad
        for kiosk in self.kiosks():
            shown = {one.document.version for one in self._shelf(kiosk).shown.values()}
            assert shown == {self._versions}, f"{kiosk.identity.device} shows {shown}, newest is {self._versions}"

    def publish(self) -> None:
        """The office releases the next version of its notice."""
        self._versions += 1
        document = self._notice(self._versions)
        envelope = seal(DISCLOSURE_TYPE, document.encode(), [self.keys.editor.signer, self.keys.reviewer.signer])
        self.genuine[envelope] = document
        self.centre.release("notice.notice-1", envelope)

    def recorders(self) -> list[Device]:
        return [it for it in self.devices.values() if it.identity.shows_nothing]

    def kiosks(self) -> list[Device]:
        return [it for it in self.devices.values() if not it.identity.shows_nothing]

    def honest(self) -> list[Device]:
        """Whose events the centre must have: all but a stolen one that it no longer trusts."""
        return [it for it in self.devices.values() if it.identity.device != STOLEN or self.stolen_events is None]

    def _device(self, folder: Path, name: DeviceId) -> Device:
        audience = None if name.startswith("REC-") else HALL
        identity = Identity(self.keys.authority.district, name, UNIT, "0.1.0", audience)
        return Device(self.world, self.broker, folder, identity, self.keys.devices[name].signer, self.trust)

    def _check_receipts(self) -> None:
        """A device gives up nothing that the centre has not."""
        if self.centre.receiver is None:
            return
        heads = {it.device: it.upto for it in self.centre.store.summary()}
        for device in self.devices.values():
            name = device.identity.device
            assert device.acked <= heads.get(name, 0), (
                f"{name} gave up {device.acked}, the centre has {heads.get(name)}"
            )
        if self.stolen_events is not None:
            assert heads.get(device_id(STOLEN), 0) <= self.stolen_events, "a stolen device was believed"

    def _check_screens(self) -> None:
        """A page shows nothing but what two people signed, and never an older version than before."""
        for kiosk in self.kiosks():
            for name, envelope in kiosk.shown_files().items():
                assert envelope in self.genuine, f"{name} on {kiosk.identity.device} was signed by nobody"
                version = self.genuine[envelope].version
                key = f"{kiosk.identity.device} {name}"
                assert version >= self._shown.get(key, 0), f"{key} went back to version {version}"
                self._shown[key] = version

    def _check_told(self, device: Device) -> None:
        name = device.identity.device
        bodies = [json.loads(body) for body in self.centre.store.events(name, limit=10**6)]
        assert device.acked == device.devseq, f"{name} still waits with {device.acked} of {device.devseq}"
        assert len(bodies) == device.devseq, f"the centre has {len(bodies)} of {device.devseq} of {name}"
        with self.centre.store.transaction() as ledger:
            stored = ledger.shelves({name: range(1, device.devseq + 1)})[name].stored
        assert stored == device.accepted, f"the centre has something else than {name} accepted"
        ended = {it["data"]["recording"] for it in bodies if it["type"] in ENDED}
        films = {it for it, film in device.card.items() if film.sealed is not None}
        assert films <= ended, f"nobody was told of {sorted(films - ended)}"

    def _shelf(self, kiosk: Device) -> Shelf:
        return restock(
            Shelf(), kiosk.shown_files(), trust=self.trust, now=self.world.wall,
            district=kiosk.identity.district, audience=HALL,
        )  # fmt: skip

    def _notice(self, version: int, **changes: object) -> Disclosure:
        return notice(version, f"第 {version} 版", issued_at=self.world.start - timedelta(days=1), **changes)

    def _deeds(self) -> list[tuple[str, Callable[[], None]]]:
        """What may happen next; work more often than any one fault."""
        dice, devices = self.world.dice, [*self.devices.values()]
        device, recorder = dice.choice(devices), dice.choice(self.recorders())
        work = [("button", recorder.press)] * 6 + [("switch on", device.switch_on)] * 4
        work += [("publish", self.publish), ("centre on", self.centre.switch_on), ("centre on", self.centre.switch_on)]
        return [
            *work,
            ("device cut", device.cut_power),
            ("device cut amid", lambda: device.cut_power(dice.randint(1, 12))),
            ("way gone", lambda: device.reach(broker=False)),
            ("way back", lambda: device.reach(broker=True)),
            ("way back", lambda: device.reach(broker=True)),
            ("half open", lambda: device.link.cut() if device.power else None),
            ("disk full", lambda: device.fill_disk(full=True)),
            ("disk freed", lambda: device.fill_disk(full=False)),
            ("clock wrong", lambda: self._set_clock(device, timedelta(days=dice.randint(-9000, 3000)))),
            ("clock right", lambda: self._set_clock(device, timedelta())),
            ("broker down", lambda: self.broker.crash(forgets=self.world.chance(0.5))),
            ("broker up", self._broker_up),
            ("broker up", self._broker_up),
            ("broker sloppy", self._sloppy),
            ("centre cut", self.centre.cut_power),
            ("centre cut amid", lambda: self.centre.cut_power(dice.randint(1, 6))),
            ("centre away", lambda: self.centre.link.cut() if self.centre.receiver else None),
            ("replay", self._replay),
            ("forged receipt", lambda: self._forge_receipt(recorder)),
            ("forged page", self._forge_page),
            ("theft", self._steal),
        ]

    def _set_clock(self, device: Device, offset: timedelta) -> None:
        device.clock.offset = offset
        device.clock.state = TimeState.UNSET if offset else TimeState.NTP
        device.look()

    def _broker_up(self) -> None:
        self.broker.up = True

    def _sloppy(self) -> None:
        self.broker.twice, self.broker.swapped = self.world.some(0, 0.3), self.world.some(0, 0.3)

    def _replay(self) -> None:
        """Somebody who has listened sends it all once more, sometimes as something retained."""
        if self.broker.overheard:
            old = self.world.dice.choice(self.broker.overheard)
            self.broker.publish(old.topic, old.payload, retain=self.world.chance(0.2) and "/pub/" not in old.topic)

    def _forge_receipt(self, device: Device) -> None:
        """Of somebody who calls himself the centre, and of a centre of another district's."""
        name, upto = device.identity.device, device.devseq
        receipt = Receipt(name, upto, device.accepted.get(upto, "0" * 64), RECEIVER, self.world.wall)  # type: ignore[arg-type]
        signer = self.world.dice.choice([self.keys.forger, self.keys.editor, self.keys.devices[STOLEN]]).signer
        topic = device_topic(self.keys.authority.district, name, RECEIPT)
        self.broker.publish(topic, seal(RECEIPT_TYPE, receipt.encode(), [signer]), retain=False)

    def _forge_page(self) -> None:
        """One signature, twice the same, a stranger's, or two of the district that may not publish."""
        keys, dice = self.keys, self.world.dice
        document = self._notice(self._versions + dice.randint(0, 3))
        pairs = ([keys.editor], [keys.reviewer], [keys.editor, keys.forger], [keys.editor, keys.receiver])
        signers = [it.signer for it in dice.choice(pairs)]
        envelope = seal(DISCLOSURE_TYPE, document.encode(), signers)
        # Not retained: who may put something in the place of the retained document is the broker's to say, and a broker
        # that says it wrongly can as well keep silent.
        self.broker.publish(topic_of(document), envelope, retain=False)

    def _steal(self) -> None:
        """The office revokes a stolen recorder; from the moment that the receiver knows, it is believed no more."""
        if self.trust.version > 1 or self.centre.receiver is None or not self.world.chance(0.2):
            return
        self.trust = self.keys.trust(2, without=STOLEN)
        self.centre.lay_trust(self.trust)
        self.centre.look()
        self.centre.switch_on()
        self.stolen_events = next((it.upto for it in self.centre.store.summary() if it.device == STOLEN), 0)
        for device in self.devices.values():
            device.hear_of_trust(self.trust)
