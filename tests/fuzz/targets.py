"""Every parser of foreign bytes that is fuzzed by coverage, with what it is begun with. Boxes and recordings have their
own: `tests/agent/evidence/test_attacks_fuzz.py`."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import openpyxl

from agent.device_keys import signing_request
from agent.duty.asks import Ask, What, parse_ask
from agent.duty.windows import WindowState
from agent.wire.cable import Assembly, FrameFinder, frames_of
from agent.wire.commands import Command, CommandKind, parse_command
from agent.wire.device_events import decode_batch, encode_batch
from agent.wire.disclosures import parse_disclosure
from agent.wire.enrolment import EnrolmentRequest, parse_reply, parse_request
from agent.wire.envelope import parse_envelope, seal
from agent.wire.hall_facts import FactKind, HallFact, parse_fact
from agent.wire.identifiers import Digest, device_id, district, recording_id
from agent.wire.offload_manifest import OffloadManifest, Part, StoredFile, parse_manifest
from agent.wire.receipts import Receipt, parse_receipt
from agent.wire.signing import KeySigner
from agent.wire.trust import parse_trust_list
from firmware_hooks.cards import CardReader, encode_card
from firmware_hooks.frames import Action, Asked, Battery, Button, FrameReader, Press, encode
from firmware_hooks.nmea import NmeaReader
from firmware_hooks.simulated_gnss import sentences
from kiosk.publishing.table_files import read_rows
from kiosk.switches import Switch, encode_switches, parse_switches
from provisioning.fleet.batch import parse_table
from provisioning.fleet.est_messages import basic, pkcs10
from tests.agent.evidence.bench import private_key
from tests.fuzz.coverage import Target
from tests.fuzz.document_targets import DOCUMENT_TARGETS
from tests.fuzz.list_targets import LIST_TARGETS
from tests.kiosk.bench import Bench, sample
from tests.provisioning.district import Chain

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PLACE, DEVICE, DIGEST = district("xinghe"), device_id("REC-0001"), Digest("a" * 64)
SHEET, STYLES, BOOK = "xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"


def _on_a_line(reader: Callable[[], FrameReader | NmeaReader | CardReader | FrameFinder]) -> Callable[[bytes], object]:
    """Bytes as a serial line brings them: in pieces, then silence."""

    def take(data: bytes) -> object:
        made = reader()
        return [made.feed(data[at : at + 40]) for at in range(0, len(data), 40)], made.quiet()

    return take


def _cable(data: bytes) -> object:
    message, finder = Assembly(), FrameFinder()
    for frame in (*finder.feed(data), *finder.quiet()):
        message.take(frame)
    return message.message()


def _frames() -> list[bytes]:
    told = (Button(Press.SHORT, 7), Asked(next(iter(Action)), 3, 9), Battery(80, 3900))
    return [encode(it) for it in told] + [b"".join(map(encode, told))]


def _command() -> list[bytes]:
    recording = {"recording": recording_id(DEVICE, 1), "hold": "诉讼-1", "reason": "调取"}
    ends = NOW + timedelta(hours=1)
    made = [Command(PLACE, DEVICE, "c-1", 1, kind, NOW, NOW, ends, recording) for kind in CommandKind]
    return [it.encode() for it in made]


def _receipt() -> list[bytes]:
    return [Receipt(DEVICE, 7, DIGEST, "receiver-1", NOW).encode()]


def _enrolment() -> list[bytes]:
    """Its proof is not looked at before the authority knows the device."""
    keys = [signing_request(private_key(name), DEVICE) for name in ("tls", "evidence")]
    return [EnrolmentRequest(DEVICE, PLACE, "1000000000000001", *keys, {"model": "示例"}, NOW, "5a" * 32).encode()]


def _events() -> list[bytes]:
    return [encode_batch(Chain(DEVICE).add(2))]


def _manifest() -> list[bytes]:
    files = tuple(StoredFile(name, DIGEST, (Part(0, 9, DIGEST),)) for name in ("SHA256SUMS", "segment-0001.mp4"))
    return [OffloadManifest(PLACE, recording_id(DEVICE, 1), files).encode()]


def _file(data: bytes) -> object:
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(data)
        file.flush()
        return read_rows(Path(file.name))


@cache
def book() -> dict[str, bytes]:
    """The parts of a small XLSX file."""
    book = openpyxl.Workbook()
    page = book.active
    page.append(["姓名", "岗位", 1.5, True, NOW.replace(tzinfo=None)])
    page.append(["=A1", "x"])
    page.merge_cells("A3:B4")
    packed = io.BytesIO()
    book.save(packed)
    with zipfile.ZipFile(packed) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def part_of_a_book(part: str) -> Callable[[bytes], object]:
    """An XLSX file whose one part is `data`: changed bytes of a whole archive hardly ever come past its checksums."""

    def take(data: bytes) -> object:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in (book() | {part: data}).items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return _file(packed.getvalue())

    return take


def _whole_book() -> list[bytes]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels", SHEET):
            archive.writestr(zipfile.ZipInfo(name), book()[name], zipfile.ZIP_DEFLATED)
    return [packed.getvalue()]


def _of(text: str) -> Callable[[], Iterable[bytes]]:
    return lambda: [text.encode(), text.encode("gb18030"), text.encode("utf-16")]


FACT = HallFact(
    "display-1", FactKind.DISPLAY_HEAD, {"at": "2026-11-22T02:00:00.000Z", "head": DIGEST, "seq": 1, "state": "b" * 16}
)
SWITCH = Switch("3", WindowState.AWAY, "示例-000004", "", NOW)
TABLE = '编号,硬件序列号,使用单位\nREC-0001,1000000000000001,示例单位\nREC-0002,1000000000000002,"示例,单位"\n'
WIRE, HOOKS, DUTY = ("/agent/wire/",), ("/firmware_hooks/",), ("/agent/wire/", "/agent/duty/")
OFFICE, FLEET, DESK = ("/kiosk/publishing/",), ("/provisioning/fleet/",), ("/kiosk/", "/agent/wire/")
TARGETS = (
    Target("nmea", HOOKS, _on_a_line(NmeaReader), lambda: [sentences(NOW, 31.2, 121.4), sentences(NOW, -1.0, -2.0, 0)]),
    Target("mcu-frames", HOOKS, _on_a_line(FrameReader), _frames),
    Target("cards", HOOKS, _on_a_line(CardReader), lambda: [encode_card("0012345678")]),
    Target("cable", WIRE, _cable, lambda: [b"".join(it.encode() for it in frames_of(b'{"a":1}' * 100))]),
    Target("dsse", WIRE, parse_envelope, lambda: [seal("text/x", b"{}", [KeySigner(private_key("fuzz"))])]),
    Target("command", WIRE, parse_command, _command),
    Target("disclosure", WIRE, parse_disclosure, lambda: [sample(it).encode() for it in ("results", "notice")]),
    Target("events", WIRE, decode_batch, _events),
    Target("trust", WIRE, parse_trust_list, lambda: [Bench().trust().encode()]),
    Target("receipt", WIRE, parse_receipt, _receipt),
    Target("manifest", WIRE, parse_manifest, _manifest),
    Target("hall-fact", WIRE, parse_fact, lambda: [FACT.encode()]),
    Target("enrolment-request", WIRE, parse_request, _enrolment),
    Target("enrolment-reply", WIRE, parse_reply, lambda: [b'{"answer":"{}","trust":"{}"}']),
    Target("ask", DUTY, parse_ask, lambda: [Ask("0" * 31 + "1", What.PICK, {"document": "x"}).encode()]),
    Target("switches", DESK, parse_switches, lambda: [b'{"windows":{}}', encode_switches({"3": SWITCH})]),
    Target("device-table", FLEET, parse_table, _of(TABLE)),
    Target("csv", OFFICE, _file, _of(TABLE)),
    Target("xlsx", OFFICE, _file, _whole_book),
    Target("xlsx-sheet", OFFICE, part_of_a_book(SHEET), lambda: [book()[SHEET]]),
    Target("xlsx-styles", OFFICE, part_of_a_book(STYLES), lambda: [book()[STYLES]]),
    Target("xlsx-book", OFFICE, part_of_a_book(BOOK), lambda: [book()[BOOK]]),
    Target("http-basic", FLEET, lambda data: basic(data.decode("latin-1")), lambda: [b"Basic YTpi"]),
    Target("http-pkcs10", FLEET, pkcs10, lambda: [b"-----BEGIN", b"MIIB"]),
    *DOCUMENT_TARGETS,
    *LIST_TARGETS,
)
