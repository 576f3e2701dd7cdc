"""The pages about devices: the fleet, one device's account, a proof, the book of looks."""

import json
from dataclasses import dataclass
from typing import Any

from agent.duty.record_use import moment
from agent.errors import OperatorFault
from agent.evidence.account import open_accounts
from agent.wire.canonical import parse_timestamp
from agent.wire.device_events import EventType
from agent.wire.identifiers import DeviceId
from provisioning.authority.authority import read_file
from provisioning.center.list_state import list_state
from provisioning.center.page import view
from provisioning.center.page.door import ROLE_WORDS, Page, Visitor
from provisioning.center.page.frame import LOOKS, Frame
from provisioning.center.proving import prove_event

LOOK_COLUMNS = ("时间", "代号", "角色", "设备", "内容")
ALARM_COLUMNS = ("设备", "种类", "序号", "次数", "最近", "说明")
SHOWN_LOOKS = 500
NEWEST = 50  # ours; events of a device that its page lists


@dataclass(frozen=True)
class FleetPages:
    """Every look at a device's recordings is written down before it is answered."""

    frame: Frame

    def fleet(self, visitor: Visitor) -> str:
        """Every device."""
        frame, store = self.frame, self.frame.store
        found, alarms = store.summary(), [_alarm(row) for row in store.alarms()]
        health = {row.device: store.newest(row.device, EventType.HEALTH_REPORTED) for row in found}
        shown = view.fleet(found, frame.trust(), view.readings(health), alarms, frame.now())
        return frame.page(
            "fleet.html", "设备", visitor,
            {"here": Page.FLEET, "fleet": shown, "columns": view.FLEET, "alarms": alarms,
             "alarm_columns": ALARM_COLUMNS, "revocation": list_state(frame.config, frame.now())},
        )  # fmt: skip

    def device(self, visitor: Visitor, device: DeviceId) -> str:
        """What one device told of its recordings, and its newest events; a look."""
        frame, store = self.frame, self.frame.store
        frame.look(visitor, device, "recordings")
        kept = store.account(device)
        if not kept:
            raise OperatorFault(f"中心没有 {device} 的任何凭据，请检查设备编号。")
        lines = [read_file(frame.config.trust_list), *kept]
        account = open_accounts(lines, [frame.root()], frame.trust()).devices[device]
        events = [json.loads(body) for body in store.events(device, max(0, account.upto - NEWEST))]
        shown = {
            "here": Page.FLEET,
            "device": device,
            "account": account,
            "rows": view.recordings(account.recordings),
            "events": events,
        }
        shown |= {"columns": view.RECORDINGS, "proofs": visitor.may(Page.PROOF)}
        return frame.page("device.html", f"{device} 的账目", visitor, shown)

    def proof(self, visitor: Visitor, device: DeviceId, devseq: int) -> bytes:
        """The inclusion proof of an event; a look."""
        self.frame.look(visitor, device, f"proof {devseq}")
        return prove_event(self.frame.store, self.frame.config.receiver, device, devseq)

    def looks(self, visitor: Visitor) -> str:
        """Who looked at what."""
        place = self.frame.config.folder / LOOKS
        lines = read_file(place).splitlines()[-SHOWN_LOOKS:] if place.exists() else []
        rows = [_look(json.loads(line)) for line in reversed(lines)]
        return self.frame.page(
            "looks.html", "调阅记录", visitor, {"here": Page.LOOKS, "rows": rows, "columns": LOOK_COLUMNS}
        )


def _alarm(row: dict[str, Any]) -> dict[str, Any]:
    last = moment(parse_timestamp(row["last_at"]))
    values = (row["device"], row["kind"], row["devseq"], row["times"], last, row["detail"])
    return dict(zip(ALARM_COLUMNS, values, strict=True))


def _look(line: dict[str, Any]) -> dict[str, Any]:
    words = {role.value: text for role, text in ROLE_WORDS.items()}
    role = words.get(line["role"], line["role"])
    values = (moment(parse_timestamp(line["at"])), line["name"], role, line["device"] or "—", line["what"])
    return dict(zip(LOOK_COLUMNS, values, strict=True))
