"""What the page's addresses are answered with: the store, the trust list and the book of looks (调阅)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from agent.clock import Clock
from agent.duty.record_use import moment
from agent.errors import OperatorFault
from agent.evidence.account import open_accounts
from agent.markup import templates
from agent.wire.canonical import parse_timestamp, timestamp
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import DeviceId
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import TrustList
from provisioning.authority.authority import read_file
from provisioning.center.config import CenterConfig
from provisioning.center.export_ledger import add_line
from provisioning.center.page import view
from provisioning.center.page.door import Role, Visitor
from provisioning.center.proving import prove_event
from provisioning.center.report_plots import WIDTH
from provisioning.center.store import Store

LOOKS = "looks.jsonl"
LOOK_COLUMNS = ("at", "name", "role", "device", "what")
SHOWN_LOOKS = 500
TEMPLATES = Path(__file__).parent.with_name("templates")
NEWEST = 50  # ours; events of a device that its page lists


@dataclass(frozen=True)
class PageRoom:
    """One centre, seen by those who were let in. Every look at a device's recordings is written down before it is
    answered."""

    config: CenterConfig
    store: Store
    clock: Clock

    def fleet(self, visitor: Visitor) -> str:
        """Every device."""
        found = view.fleet(self.store.summary(), self._trust(), self._now())
        alarms = [
            {
                "设备": it["device"],
                "种类": it["kind"],
                "序号": it["devseq"],
                "次数": it["times"],
                "最近": moment(parse_timestamp(it["last_at"])),
                "说明": it["detail"],
            }
            for it in self.store.alarms()
        ]
        return self._page("fleet.html", "设备", visitor, {"fleet": found, "columns": view.FLEET, "alarms": alarms})

    def device(self, visitor: Visitor, device: DeviceId) -> str:
        """The recordings that a device told of, and its newest events; a look."""
        self.look(visitor, device, "recordings")
        kept = self.store.account(device)
        if not kept:
            raise OperatorFault(f"中心没有 {device} 的任何凭据，请检查设备编号。")
        trust, lines = self._trust(), [read_file(self.config.trust_list), *kept]
        account = open_accounts(lines, [self._root()], trust).devices[device]
        events = [json.loads(body) for body in self.store.events(device, max(0, account.upto - NEWEST))]
        shown = {"device": device, "account": account, "rows": view.recordings(account.recordings), "events": events}
        shown |= {"columns": view.RECORDINGS, "proofs": visitor.role.may(Role.AUDITOR)}
        return self._page("device.html", f"{device} 的录制", visitor, shown)

    def proof(self, visitor: Visitor, device: DeviceId, devseq: int) -> bytes:
        """The inclusion proof of an event; a look."""
        self.look(visitor, device, f"proof {devseq}")
        return prove_event(self.store, self.config.receiver, device, devseq)

    def looks(self, visitor: Visitor) -> str:
        """Who looked at what."""
        place = self.config.folder / LOOKS
        lines = read_file(place).splitlines()[-SHOWN_LOOKS:] if place.exists() else []
        rows = [json.loads(line) for line in reversed(lines)]
        return self._page("looks.html", "调阅记录", visitor, {"rows": rows, "columns": LOOK_COLUMNS})

    def enter(self, secret: str, refused: str = "") -> str:
        """The form behind a one-time link: a program that only looks at links must not use it up."""
        return self._page("enter.html", "进入", None, {"secret": secret, "refused": refused})

    def message(self, text: str) -> str:
        """One sentence."""
        return self._page("enter.html", "中心", None, {"secret": "", "refused": text})

    def look(self, visitor: Visitor, device: DeviceId, what: str) -> None:
        """Write down a look; raises when it cannot be, and then nothing is shown."""
        facts = {"at": timestamp(self._now()), "device": device, "name": visitor.name, "role": visitor.role.value}
        add_line(self.config.folder / LOOKS, {**facts, "what": what})

    def _page(self, template: str, title: str, visitor: Visitor | None, shown: Mapping[str, Any]) -> str:
        given: dict[str, Any] = {
            "title": title,
            "place": self.config.district,
            "visitor": visitor,
            "Role": Role,
            "looks": {},
            "width": WIDTH,
        }
        return (
            templates(TEMPLATES)
            .get_template(template)
            .render({**given, "made": moment(self._now()), "troubles": (), **shown})
        )

    def _trust(self) -> TrustList:
        return open_trust_list(read_file(self.config.trust_list), self._root())

    def _root(self) -> x509.Certificate:
        return load_pem_certificates(read_file(self.config.root))[0]

    def _now(self) -> datetime:
        return self.clock.read().wall
