"""The printed report of `liuhen-verify`: one HTML page that needs nothing else, for a judge to read and to print.

Everything that comes from a recording is escaped by the template; the page's own policy forbids scripts and every
connection. jinja2 is imported when a page is made.
"""

import base64
import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from agent.adapters.thumbnails import Thumbnail
from agent.evidence.certificates import common_name
from agent.evidence.health import readings
from agent.evidence.interruptions import REASON_NAMES
from agent.evidence.journal import Reason
from agent.evidence.places import Examined, clock_text, named, wall_text
from agent.evidence.position import Position
from agent.evidence.report import Place, Report, Status
from agent.evidence.revocation import told_time
from agent.evidence.segment_findings import KIND_NAMES
from agent.markup import templates
from agent.report_timeline import TIME_HOLE, WIDTH, Timeline, timeline
from agent.wire.signing import load_certificate

TEMPLATES = Path(__file__).with_name("templates")
MAX_READINGS = 48  # ours: the trail of four hours; all of it stands in journal.jsonl
MAX_PLACES = 200  # ours; --json gives all
LAYER_NAMES = {"integrity": "完整性", "trust": "信任", "time": "时间", "completeness": "齐全", "duty": "履职"}
STATUS_NAMES = {
    Status.PASSED: "通过",
    Status.NOTED: "注意",
    Status.FAILED: "不通过",
    Status.NOT_JUDGED: "未评判",
}
PLACE_WORDS = KIND_NAMES | {
    TIME_HOLE: "没有说明的中断",
    "missing": "缺失",
    "sidecar": "旁证文件与录像不符",
    "head": "链头与中心或见证人所记不符",
}
ANSWERS = {"complete": "good", "explained-gap": "fair", "unexplained-gap": "poor"}

MEANINGS = {
    "complete": "自封存以来没有改动，首尾齐全，出自所给根证书下的设备。",
    "explained-gap": "没有改动，也不缺文件；其中有中断，设备签名说明了原因。",
    "unexplained-gap": "没有发现改动；但有一处没有说明的中断，或结尾没有封存。",
    "missing": "留下的部分没有改动，但缺了片段、分段、结尾或整次录制。",
    "untrusted": "不能确认出自所给根证书下的设备，或签名的证书已失效、被吊销。",
    "altered": "内容在签名之后被改动、调换或夹带；下面指出何处。",
}
NO_FILM = {"complete": "所核对的对象与其签名者签名时一致；其中没有核对任何录像片段，见各项说明。"}


class Sums(StrEnum):
    """What `SHA256SUMS` beside a recording can be compared with by hand."""

    PLAIN = "plain"
    STAMPED = "stamped"
    NONE = "none"


@dataclass(frozen=True)
class ReportFile:
    """A file that was verified; `sha256` ties this page to these very bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Signer:
    """The certificate that signed, as the files carry it."""

    subject: str
    issuer: str
    valid: str
    fingerprint: str


@dataclass(frozen=True)
class Section:
    """One path on the page; made while its files are open, and small afterwards."""

    path: str
    report: Report
    files: tuple[ReportFile, ...]
    stretch: str
    signers: tuple[Signer, ...]
    health: tuple[str, ...]
    readings: tuple[tuple[str, str], ...]
    line: Timeline | None
    places: tuple[str, ...]
    hidden_places: int
    pictures: tuple[Thumbnail, ...]
    no_pictures: str
    sample: tuple[str, int, int, str] | None
    signed_at: int | None
    encrypted: tuple[str, str] | None
    sums: Sums


@dataclass(frozen=True)
class Page:
    """All sections, the worst verdict first; `roots` are SHA-256 fingerprints, `basis` says what else was used,
    `unread` what could not be read and is in no section."""

    sections: tuple[Section, ...]
    made: datetime
    version: str
    roots: tuple[str, ...]
    basis: tuple[str, ...]
    unread: tuple[str, ...] = ()


def section(
    path: str,
    report: Report,
    segments: Sequence[Examined],
    pictures: Sequence[Thumbnail],
    no_pictures: str,
    encrypted: Path | None = None,
) -> Section:
    """The section for one verified path; reads every file again, for its SHA-256. `encrypted` is the folder that has
    to be decrypted before anything in it can be checked by hand."""
    readable = sorted((it for it in segments if it.found.origin is not None), key=lambda it: it.number or 0)
    return Section(
        shown(path),
        report,
        tuple(ReportFile(it.file.name, it.found.size, _sha256(it)) for it in segments),
        _stretch(readable),
        _signers(readable),
        _health(readable),
        _readings(readable),
        timeline(readable, report.places),
        tuple(_place(place) for place in report.places[:MAX_PLACES]),
        max(0, len(report.places) - MAX_PLACES),
        tuple(pictures),
        no_pictures,
        _sample(readable),
        _signed_at(readable),
        None if encrypted is None else (shlex.quote(str(encrypted)), shlex.quote(encrypted.name)),
        _sums(readable),
    )


def render(page: Page) -> str:
    """The page's HTML."""
    environment = templates(TEMPLATES)
    environment.filters |= {"clock": wall_text, "jpeg": _data_url, "minutes": _minutes, "bytes": _bytes}
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    page = replace(page, sections=tuple(sorted(page.sections, key=lambda it: -it.report.verdict.severity)))
    films = any(it.report.fragments for it in page.sections)
    html = environment.get_template("report.html").render(
        page=page,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        layer_names=LAYER_NAMES,
        status_names=STATUS_NAMES,
        answers=ANSWERS,
        meanings=MEANINGS if films else MEANINGS | NO_FILM,
        films=films,
        statement=" ".join(dict.fromkeys(it.report.statement for it in page.sections)),
        width=WIDTH,
        not_judged=any(it.report.duty.status is Status.NOT_JUDGED for it in page.sections),
        trusted=all(it.report.trust.status is Status.PASSED for it in page.sections),
        by_hand=next((it for it in page.sections if it.sample is not None), None),
    )
    return "\n".join(shown(line) for line in html.split("\n"))


def shown(text: str) -> str:
    """Text from a file without anything that turns, hides or ends a line."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _sums(segments: Sequence[Examined]) -> Sums:
    manifests = [it.found.manifest for it in segments if it.found.sealed]
    if len(manifests) < len(segments):
        return Sums.NONE  # a device writes the list when all are sealed
    return Sums.STAMPED if any(it is not None and it.token is not None for it in manifests) else Sums.PLAIN


def fingerprint(certificate: x509.Certificate) -> str:
    """The SHA-256 of a certificate in hex, as `openssl x509 -fingerprint -sha256` gives it without colons."""
    return certificate.fingerprint(SHA256()).hex()


def _sha256(segment: Examined) -> str:
    whole = hashlib.sha256()
    for chunk in segment.file.source.chunks(0, segment.file.source.size):
        whole.update(chunk)
    return whole.hexdigest()


def _stretch(segments: Sequence[Examined]) -> str:
    moments = [record.entry.moment for segment in segments for record in segment.found.fragments]
    if not moments:
        return "没有可读的时间"
    return f"{clock_text(moments[0].captured)} 至 {clock_text(moments[-1].signed)}（北京时间，设备自报）"


def _signers(segments: Sequence[Examined]) -> tuple[Signer, ...]:
    chains = {it.found.manifest.chain[0]: None for it in segments if it.found.manifest is not None}
    return tuple(_signer(leaf) for leaf in chains)


def _signer(leaf: bytes) -> Signer:
    certificate = load_certificate(leaf)
    valid = f"{wall_text(certificate.not_valid_before_utc)[:10]} 至 {wall_text(certificate.not_valid_after_utc)[:10]}"
    issuer = certificate.issuer.rfc4514_string()
    return Signer(common_name(certificate), issuer, valid, fingerprint(certificate))


def _health(segments: Sequence[Examined]) -> tuple[str, ...]:
    """How the device fared, as far as it signed it: software, ends of segments, what its clock went by."""
    versions = {it.found.origin.version for it in segments if it.found.origin is not None}
    lines = [f"软件版本 {version}" for version in sorted(versions)]
    for segment in segments:
        seal = segment.seal
        if seal is None:
            lines.append(f"{segment.file.name}：没有封存")
        elif seal.closing.recovered:
            lost = seal.closing.discarded_bytes
            lines.append(f"{segment.file.name}：{REASON_NAMES[seal.closing.reason]}，之后恢复封存，舍去 {lost} 字节")
        elif seal.closing.reason not in (Reason.STOPPED, Reason.CONTINUED):
            lines.append(f"{segment.file.name}：因{REASON_NAMES[seal.closing.reason]}结束")
    lines += _where([record.entry.moment.position for it in segments for record in it.found.fragments])
    boots = {record.entry.moment.captured.boot for segment in segments for record in segment.found.fragments}
    if len(boots) > 1:
        lines.append(f"录制期间设备重新启动 {len(boots) - 1} 次")
    return tuple(lines)


def _where(positions: Sequence[Position | None]) -> list[str]:
    """Where the recording was made, as the device signed it."""
    known = [it for it in positions if it is not None]
    if not known:
        return []
    origin = "（模拟定位，不是实测）" if any(it.simulated for it in known) else ""
    count = f"{len(positions)} 个片段中 {len(known)} 个带有卫星定位{origin}"
    return [f"{count}：从北纬、东经 {known[0]} 到 {known[-1]}（WGS-84）"]


def _readings(segments: Sequence[Examined]) -> tuple[tuple[str, str], ...]:
    """When the device measured itself, and what; the first and the last ones where there are many."""
    found = readings(segments)
    kept = found if len(found) <= MAX_READINGS else [*found[: MAX_READINGS // 2], *found[-MAX_READINGS // 2 :]]
    return tuple((clock_text(event.at), reading.chinese) for event, reading in kept)


def _place(place: Place) -> str:
    kind = PLACE_WORDS.get(place.kind, place.kind)
    count = f"，共 {place.count} 个" if place.count > 1 else ""
    where = "" if place.offset is None else f"，文件第 {place.offset} 字节起"
    return f"{named(place)}：{kind}{count}{where}"


def _sample(segments: Sequence[Examined]) -> tuple[str, int, int, str] | None:
    """A fragment to check by hand: file (for a shell), offset and length of moof and mdat, their SHA-256."""
    for segment in segments:
        for record in segment.found.fragments[:1]:
            return shlex.quote(segment.file.name), record.media_offset, record.media_size, record.entry.media
    return None


def _signed_at(segments: Sequence[Examined]) -> int | None:
    """Seconds since 1970 of the last seal: when the device's certificate has to be in date; None where nobody knows."""
    ends = [told_time(it.seal.closing.at) for it in segments if it.seal is not None]
    return None if not ends or ends[-1] is None else int(ends[-1].timestamp())


def _data_url(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} 小时 " if hours else "") + f"{minutes} 分 {rest} 秒"


def _bytes(size: int) -> str:
    return f"{size:,}".replace(",", " ")
