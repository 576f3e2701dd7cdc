"""Further parsers of foreign bytes: what devices, the bench, the office and the centre send one another in envelopes,
what stands beside recordings, what a screen keeps, and lists and words that people write."""

import base64
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from agent.device_keys import signing_request
from agent.duty.masking import check_masked
from agent.duty.papers import Paper, PaperKind, parse_paper
from agent.duty.party_receipt import PartyReceipt, read_code
from agent.duty.party_receipt import parse_receipt as parse_party_receipt
from agent.duty.publication_rules import parse_publication_rules
from agent.duty.retention import parse_retention
from agent.duty.shift import Shift, parse_shift
from agent.duty.task import read_task
from agent.duty.terms import parse_term
from agent.duty.time_limits import parse_time_limits
from agent.evidence.encrypted_stream import SALT_BYTES, Header, parse_header, wrap_key
from agent.evidence.journal import parse_entry
from agent.evidence.manifest import RESERVED_BYTES
from agent.evidence.manifest_reading import read_manifest
from agent.evidence.photo import open_photo
from agent.evidence.sidecars import parse_sums
from agent.evidence.token_form import token_path
from agent.wire import canonical
from agent.wire.acts import next_act, parse_act
from agent.wire.device_events import GENESIS
from agent.wire.envelope import pre_authentication_encoding
from agent.wire.hints import encode_hint, parse_hint
from agent.wire.identifiers import Digest, device_id, district, recording_id
from agent.wire.instant import TimeState
from agent.wire.life_documents import (
    AcceptanceReport,
    Accepted,
    Assignment,
    CheckItem,
    Retired,
    RetireOrder,
    Update,
    parse_accepted,
    parse_assignment,
    parse_report,
    parse_retire,
    parse_retired,
    parse_update,
)
from agent.wire.notes import RecordingNote, open_note, seal_note
from agent.wire.offload_manifest import parse_part_key
from agent.wire.recording_receipts import RecordingReceipt, parse_recording_receipt
from agent.wire.rotation import RotationRequest, parse_rotation_request
from agent.wire.status import DeviceStatus, parse_status
from agent.wire.topics import parse_content_topic, parse_device_topic, parse_publication_topic
from agent.wire.tree_head import TreeHead, parse_tree_head
from agent.wire.witness import Witness, parse_witness
from kiosk.display_record import RECORD_TYPE, Line, What, read_line
from kiosk.hours import parse_hours
from kiosk.latest import Latest, parse_latest
from kiosk.memory import Remembered, parse_remembered
from kiosk.pin_waits import Wait, encode_waits, parse_waits
from provisioning.authority.certificates import checked_request
from provisioning.center.masked_clip import parse_mask
from provisioning.center.shard import parse_shard
from tests.agent.evidence.attacks import AUTHORITY, new
from tests.agent.evidence.attacks import folder as recording_folder
from tests.agent.evidence.bench import private_key
from tests.agent.evidence.photos import photo
from tests.fuzz.coverage import Target
from tests.provisioning.district import Chain

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PLACE, DEVICE = district("xinghe"), device_id("REC-0001")
RECORDING, DIGEST, HARDWARE = recording_id(DEVICE, 1), Digest("a" * 64), "1000000000000001"
LIMITS = [{"时限事项": "先行登记保存处理", "时限": "7个工作日", "依据": "示例", "起算环节": ["登记保存"],
           "节假日": ["2026-10-01"], "调休上班日": ["2026-10-10"]}]  # fmt: skip
RULES = [{"公示种类": "行政执法结果", "公示时限": "20个工作日", "公示期限": "3年", "范围": "示例", "内容": "示例",
          "载体": "示例", "程序": "示例", "撤回时限": "3个工作日", "监督方式": "示例", "保障措施": "示例",
          "节假日": ["2026-10-01"], "调休上班日": ["2026-10-10"]}]  # fmt: skip


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "replace"))


def _rows(parse: Callable[[list[object]], object]) -> Callable[[bytes], object]:
    """Of a signed list: rows of any shape."""

    def take(data: bytes) -> object:
        rows = canonical.decode(data)
        return parse(rows) if isinstance(rows, list) else None

    return take


def _masked(data: bytes) -> object:
    entry = canonical.decode(data)
    return check_masked("示例", entry) if isinstance(entry, dict) else None


def _seeds(*made: bytes | str) -> Callable[[], Iterable[bytes]]:
    return lambda: [it.encode() if isinstance(it, str) else it for it in made]


@cache
def _recording() -> dict[str, bytes]:
    bench = new()
    return recording_folder(bench, bench.sealed())


def _manifest() -> list[bytes]:
    segment = _recording()["segment-0001.mp4"]
    at = int.from_bytes(segment[:4])
    return [segment[at : at + int.from_bytes(segment[at : at + 4])]]


def _journal() -> list[bytes]:
    bench = new()
    bench.sealed()
    return [record.entry.encode() for record in bench.records[:2]]


def _header() -> list[bytes]:
    return [Header(wrap_key(bytes(32), RECORDING, private_key("archive").public_key()), bytes(SALT_BYTES)).encode()]


def _csr() -> list[bytes]:
    return [signing_request(private_key("fuzz"), DEVICE).encode()]


_LINE = Line(1, GENESIS, What.SHOWN, NOW, TimeState.NTP, "boot-1", 9, {"path": "/board", "windows": [["3", "在岗"]]})


def _line(data: bytes) -> object:
    """Signed as any screen signs: what is not, is refused before anything of it is read."""
    key = private_key("fuzz")
    signature = key.sign(pre_authentication_encoding(RECORD_TYPE, data), ec.ECDSA(hashes.SHA256()))
    whole = {"key": "a", "record": canonical.decode(data), "sig": base64.b64encode(signature).decode()}
    return read_line(canonical.encode(whole), lambda _: key.public_key())


def _token() -> list[bytes]:
    """Of an authority with openssl; one that is none beside it."""
    segment = (Path(__file__).parents[1] / "vectors" / "evidence_stamped.mp4").read_bytes()
    at = int.from_bytes(segment[:4])
    token = read_manifest(segment[at : at + RESERVED_BYTES]).token
    assert token is not None
    return [token, b"\x30\x03\x02\x01\x00"]


def _rotation() -> list[bytes]:
    return [RotationRequest(DEVICE, HARDWARE, _csr()[0].decode(), NOW).encode()]


RECEIPT = RecordingReceipt(RECORDING, DIGEST, DIGEST, 9, True, "6个月", "receiver-1", NOW, NOW)
PARTY = PartyReceipt(PLACE, DEVICE, 7, "示例单位", "T-1", RECORDING, 640, DIGEST, NOW)
STATUS = DeviceStatus(DEVICE, True, 1, "boot-1", "0.1.0", 0, 0, GENESIS, NOW)
REPORT = AcceptanceReport(DEVICE, HARDWARE, "0.1.0", NOW, (CheckItem("camera", "pass", "示例"),))
WORDS = ("storage-failed", "示例说明", "示例-000001")
NOTE = RecordingNote(RECORDING, 1, 1, 2, *WORDS, DEVICE, NOW, DIGEST, GENESIS)
PAPER = Paper(PaperKind.DOCUMENT, "1号", "笔录", "示例", "", "2026-11-22T02:00:00.000Z")
WIRE, DUTY, BESIDE = ("/agent/wire/",), ("/agent/wire/", "/agent/duty/"), ("/agent/wire/", "/agent/evidence/")
SCREEN, BENCH = ("/agent/wire/", "/kiosk/"), ("/provisioning/",)
DOCUMENT_TARGETS = (
    Target("recording-receipt", WIRE, parse_recording_receipt, lambda: [RECEIPT.encode()]),
    Target("act", WIRE, parse_act, lambda: [next_act(None, PLACE, "holds", "S-1", "hold", "示例", NOW, {}).encode()]),
    Target("status", WIRE, parse_status, lambda: [STATUS.encode()]),
    Target("hint", WIRE, parse_hint, lambda: [encode_hint(it) for it in Chain(DEVICE).add(1)]),
    Target("note", WIRE, open_note, lambda: [seal_note(NOTE, AUTHORITY.signer())]),
    Target("rotation", WIRE, parse_rotation_request, _rotation),
    Target("witness", WIRE, parse_witness, lambda: [Witness(RECORDING, 1, DIGEST, DEVICE, NOW).encode()]),
    Target("tree-head", WIRE, parse_tree_head, lambda: [TreeHead("log", 1, DIGEST, NOW).encode()]),
    Target("acceptance-report", WIRE, parse_report, lambda: [REPORT.encode()]),
    Target("accepted", WIRE, parse_accepted, lambda: [Accepted(DEVICE, DIGEST, "示例", NOW).encode()]),
    Target("assignment", WIRE, parse_assignment, lambda: [Assignment(DEVICE, "1", "示例", NOW, "示例").encode()]),
    Target("retire-order", WIRE, parse_retire, lambda: [RetireOrder(DEVICE, HARDWARE, DIGEST, "示例", LATER).encode()]),
    Target("retired", WIRE, parse_retired, lambda: [Retired(DEVICE, DIGEST, 1, DIGEST, 1, NOW).encode()]),
    Target("update", WIRE, parse_update, lambda: [Update("0.1.0", 1, NOW, {"a.whl": DIGEST}).encode()]),
    Target("device-topic", WIRE, _text(parse_device_topic), _seeds("gov/xinghe/v1/rec/REC-0001/evt")),
    Target("publication-topic", WIRE, _text(parse_publication_topic), _seeds("gov/xinghe/v1/pub/all/notice/main")),
    Target("content-topic", WIRE, _text(parse_content_topic), _seeds(f"gov/xinghe/v1/pub/all/content/{'a' * 64}/0")),
    Target("upload-key", WIRE, _text(lambda text: parse_part_key("p/", text, 9)),
           _seeds(f"p/segment-0001.mp4/{0:014d}-{'a' * 64}")),
    Target("party-receipt", DUTY, parse_party_receipt, lambda: [PARTY.encode()]),
    Target("typed-code", DUTY, _text(read_code), _seeds("ABCD-EFGH-JKMN-PQRS")),
    Target("shift", DUTY, parse_shift, lambda: [Shift().encode()]),
    Target("paper", DUTY, parse_paper, lambda: [PAPER.encode()]),
    Target("task-file", DUTY, _text(read_task), _seeds('{"task":"T-1","device":"REC-0001"}')),
    Target("retention", DUTY, _text(parse_retention), _seeds("6个月", "永久", "3年")),
    Target("term", DUTY, _text(lambda text: parse_term(text, "示例")), _seeds("24小时", "7个工作日", "3年")),
    Target("time-limits", DUTY, _rows(parse_time_limits), lambda: [canonical.encode(LIMITS)]),
    Target("publication-rules", DUTY, _rows(parse_publication_rules), lambda: [canonical.encode(RULES)]),
    Target("masking", DUTY, _masked, lambda: [canonical.encode({"标题": "示例", "内容": ["张某", {"a": "示例 1"}]})]),
    Target("manifest-box", BESIDE, read_manifest, _manifest),
    Target("journal-entry", BESIDE, parse_entry, _journal),
    Target("sums", BESIDE, parse_sums, lambda: [_recording()["SHA256SUMS"]]),
    Target("photo", BESIDE, open_photo, lambda: [photo(AUTHORITY.signer()), b"\xff\xd8\xff\xeb\x00\x10JP"]),
    Target("encrypted-header", BESIDE, parse_header, _header),
    Target("time-stamp", BESIDE, token_path, _token),
    Target("pin-waits", SCREEN, parse_waits, lambda: [encode_waits({"3": Wait(2, "boot-1", 9)})]),
    Target("shown", SCREEN, parse_remembered, lambda: [Remembered(1).encode()]),
    Target("latest", SCREEN, parse_latest, lambda: [Latest(NOW, NOW).encode()]),
    Target("display-line", SCREEN, _line, lambda: [_LINE.encode(), b'{"number":1}']),
    Target("hours", SCREEN, _text(lambda text: parse_hours(*text.partition("|")[::2])),
           _seeds("1-5 09:00-12:00|2026-10-01")),
    Target("request", BENCH, lambda data: checked_request(data, DEVICE), _csr),
    Target("mask", BENCH, _text(parse_mask), _seeds("1,2,3,4", "1,2,3,4,0:05,0:09")),
    Target("shard", BENCH, _text(parse_shard), _seeds("1/4")),
)  # fmt: skip
"""As `targets.TARGETS`."""
