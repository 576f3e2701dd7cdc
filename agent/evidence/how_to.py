"""HOW-TO-VERIFY.txt: one page that tells anyone how to check a recording with dd, sha256sum, openssl and one file.

Every number in it is that of the recording it lies beside. Lines that begin with `  $ ` are commands, run in the
recording's folder one after the other; the line after it, which begins with `  = `, is what it must print.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from agent.errors import SenderFault
from agent.evidence import bmff
from agent.evidence.certificates import common_name
from agent.evidence.clip import Excerpt
from agent.evidence.journal import JournalRecord
from agent.evidence.places import SegmentFile
from agent.evidence.recovery import Examination
from agent.evidence.revocation import told_time
from agent.evidence.sidecars import SIGNATURE_NAME, SUMS_NAME
from agent.wire.signing import load_certificate

HOW_TO_NAME, ALONE_NAME, ROOT_NAME = "HOW-TO-VERIFY.txt", "liuhen_verify.py", "root.pem"
COMMAND, ANSWER = "  $ ", "  = "
NOTHING, MORE = "(nothing 无输出)", "… (verdict 结论，见下 see below)"
PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,127}")  # a name with words for a shell has no place among commands
ENTRY_AT = bmff.HEADER + bmff.USER_TYPE  # where the CBOR begins in a journal box


@dataclass(frozen=True)
class Stretch:
    """Bytes of a file."""

    file: str
    offset: int
    size: int

    @property
    def command(self) -> str:
        """How dd cuts them out."""
        return cut_out(self.file, self.offset, self.size)


def cut_out(file: str, offset: int | str, size: int | str) -> str:
    """How dd cuts `size` bytes out of a file; each may be a variable of the shell."""
    return f"dd if={file} bs=1M iflag=skip_bytes,count_bytes skip={offset} count={size} status=none"


@dataclass(frozen=True)
class Step:
    """What a person does and must see; `answer` is empty where nothing is printed."""

    chinese: str
    english: str
    command: str
    answer: str = ""


LISTED = Step("文件的散列值与清单一致。", "The files are those of the list.", f"sha256sum -c --quiet {SUMS_NAME}")


def how_to_verify(
    file: SegmentFile,
    found: Examination,
    root: x509.Certificate,
    sidecars: Mapping[str, bytes | None],
    excerpt: Excerpt | None = None,
    sums: Iterable[Step] = (LISTED,),
    by_hand: Iterable[Step] | None = None,
) -> str:
    """The page for the recording whose segment `file` was examined as `found`; `sidecars` by name, None where absent.
    With `excerpt` it is the page of an exact cut: `file` and nothing else. `sums` compare its files with SHA256SUMS;
    `by_hand` follow the signatures to every fragment (`how_to_signed`), in place of a look at one.

    Raises `SenderFault` when the segment has no manifest or no fragment that verifies: then nothing can be checked; and
    for a file's name that a shell would not take as one plain word.
    """
    origin = found.origin
    if found.manifest is None or origin is None or not found.fragments:
        raise SenderFault(f"{file.name} 中没有可验证的片段，无法说明如何检验。")
    if not PLAIN_NAME.fullmatch(file.name):
        raise SenderFault(f"{file.name!r} 不是设备写出的文件名，不写入检验办法。请移出该文件并查明来历。")
    fragments = _fragment(file, found) if by_hand is None else by_hand
    steps = [*_root(root), *_certificate(file, found), *_sums(sidecars, found, sums), *fragments]
    steps.append(_alone("." if excerpt is None else file.name))
    note = _of_excerpt(excerpt) if excerpt else _UNSEALED if sidecars.get(SIGNATURE_NAME) is None else []
    lines = [
        f"录制 {origin.recording} 检验办法    HOW TO VERIFY this recording    设备 device {origin.device}",
        "",
        "在本文件夹中依次执行以 $ 开头的命令；= 之后是应当看到的结果。只需 Linux、openssl 与 Python。",
        "Run the lines that begin with $ in this folder, in order; after = stands what you must see.",
        *(["", *note] if note else []),
    ]
    for number, step in enumerate(steps, start=1):
        lines += ["", f"{number}. {step.chinese}", f"   {step.english}", COMMAND + step.command]
        lines.append(ANSWER + (step.answer or NOTHING))
    return "\n".join([*lines, "", *_LIMITS]) + "\n"


_UNSEALED = [
    "注意：设备没有来得及封存（断电或损坏），没有签名的散列清单。每个片段仍各自带有签名，可以检验；但没有人签名说明",
    "录制到此为止，最后一步最好的结果是 unexplained-gap（退出码 11），尾部残缺时为 missing（12）。",
    "Note: never sealed (power lost, device broken), so there is no signed list of sums. Every fragment still carries",
    "its own signature; but nobody signed where the recording ends: the last step says at best unexplained-gap.",
]
_LIMITS = [
    "退出码 exit codes：0 complete 完整，10 explained-gap 有说明中断，11 unexplained-gap 无说明中断，12 missing 缺失，",
    "13 altered 被改，14 untrusted 不可信。liuhen_verify.py 可从别处另取 may be taken from elsewhere.",
    "签名只证明自该设备封存之后内容未被改动；不证明画面内容属实，也不证明设备当时的时钟准确。",
    "A signature proves that nothing changed since that device sealed it; neither that the scene is true, nor that",
    "the clock was right.",
]


def _root(root: x509.Certificate) -> Iterator[Step]:
    digest = root.fingerprint(hashes.SHA256()).hex(":").upper()
    yield Step(
        "根证书：与该区另行公布的指纹核对。随录像送来的根证书本身什么也不证明。",
        "The root: compare with the fingerprint that the district publishes elsewhere; this copy proves nothing.",
        f"openssl x509 -in {ROOT_NAME} -noout -fingerprint -sha256",
        f"sha256 Fingerprint={digest}",
    )


def _sums(sidecars: Mapping[str, bytes | None], found: Examination, sums: Iterable[Step]) -> Iterator[Step]:
    if sidecars.get(SUMS_NAME) is not None:
        yield from sums
    if sidecars.get(SIGNATURE_NAME) is not None:
        yield Step(
            "清单由该设备签名（CMS）。",
            "The list is signed by the device (CMS).",
            f"openssl cms -verify -binary -inform DER -in {SIGNATURE_NAME} -content {SUMS_NAME} -CAfile {ROOT_NAME} "
            f"-purpose any {_at_time(found)}-out /dev/null 2>&1",
            "CMS Verification successful",
        )


def _fragment(file: SegmentFile, found: Examination) -> Iterator[Step]:
    record = found.fragments[(len(found.fragments) - 1) // 2]
    entry, media = entry_of(file, record)
    told = Stretch(file.name, _place_of(file, entry, bytes.fromhex(record.entry.media)), 32)
    sequence = record.entry.sequence
    yield Step(
        f"第 {sequence} 片段的音视频：其散列值就是签名日志里所写的（下一条命令）。",
        f"Sound and picture of fragment {sequence}: their hash is what the signed journal tells (the next command).",
        f"{media.command} | sha256sum",
        f"{record.entry.media}  -",
    )
    yield Step(
        "签名日志里所写的散列值。",
        "The hash that stands in the signed journal.",
        f"{told.command} | od -An -v -tx1 | tr -d ' \\n'; echo",
        record.entry.media,
    )
    yield from _chain(file, found.fragments, record, entry)


def _chain(
    file: SegmentFile, records: Sequence[JournalRecord], record: JournalRecord, entry: Stretch
) -> Iterator[Step]:
    following = next((it for it in records if it.entry.previous == record.head), None)
    if following is None:
        return
    after, number = entry_of(file, following)[0], record.entry.sequence
    told = Stretch(file.name, _place_of(file, after, bytes.fromhex(record.head)), 32)
    yield Step(
        f"日志成链：第 {number} 片段日志的散列值写在下一片段的日志里（下一条命令）。",
        f"The journal is a chain: the hash of entry {number} stands in the entry after it (the next command).",
        f"{entry.command} | sha256sum",
        f"{record.head}  -",
    )
    yield Step(
        "下一片段日志里所写的前一条散列值。",
        "The hash of the entry before, as the next entry tells it.",
        f"{told.command} | od -An -v -tx1 | tr -d ' \\n'; echo",
        record.head,
    )


def _certificate(file: SegmentFile, found: Examination) -> Iterator[Step]:
    opened = found.manifest
    if opened is None or len(opened.chain) < 2:
        return
    head = file.source.read_at(found.manifest_at, bmff.CHUNK_BYTES)
    leaf, issuing = (
        Stretch(file.name, found.manifest_at + head.index(certificate), len(certificate))
        for certificate in opened.chain[:2]
    )
    device = common_name(load_certificate(opened.chain[0]))
    yield Step(
        "录像中所附的证书写明是哪台设备。",
        "The certificate in the file names the device.",
        f"{leaf.command} | openssl x509 -inform DER -noout -subject -nameopt multiline | "
        "sed -n 's/^ *commonName *= //p'",
        device,
    )
    # What is exported stays as it is, and may lie on a medium that nobody can write to.
    yield Step(
        "设备证书在签名时刻经签发机构属于该根证书。",
        "The device's certificate leads through its issuer's to that root, at the time of signing.",
        "(d=$(mktemp -d); "
        f'{leaf.command} | openssl x509 -inform DER -out "$d/device.pem" && '
        f'{issuing.command} | openssl x509 -inform DER -out "$d/issuing.pem" && '
        f'openssl verify -CAfile {ROOT_NAME} -untrusted "$d/issuing.pem" {_at_time(found)}"$d/device.pem" | '
        'sed "s|^$d/||"; ended=$?; rm -r "$d"; exit $ended)',
        "device.pem: OK",
    )


def _of_excerpt(excerpt: Excerpt) -> list[str]:
    return [
        f"注意：这是第 {excerpt.segment} 段的截取，只有第 {excerpt.first} 至 {excerpt.last} 片段，保留设备的原签名。",
        "最后一步应说 unexplained-gap（11），因为其余片段不在这里；不应更差。范围由 export.dsse 说明。",
        f"Note: an exact cut of segment {excerpt.segment}, fragments {excerpt.first} to {excerpt.last}, all under",
        "the device's own signatures. The last step must say unexplained-gap (11), as others are not here.",
    ]


def _alone(target: str) -> Step:
    return Step(
        "全部一起：每个片段的签名、次序、封存与旁证。需要 pip install cryptography cbor2。",
        "All of it: signatures of all fragments, order, seal, sidecars. Needs pip install cryptography cbor2.",
        f"python3 {ALONE_NAME} {target} --root {ROOT_NAME}",
        f"{target}: {MORE}",
    )


def _at_time(found: Examination) -> str:
    """For openssl: when the certificates have to be in date, the seal or else the opening; today, where the device's
    clock was not set."""
    opened = found.manifest
    if opened is None:
        raise ValueError("no manifest")
    moment = opened.opening.origin.opened if opened.seal is None else opened.seal.closing.at
    return "" if told_time(moment) is None else f"-attime {int(moment.wall.timestamp())} "


def entry_of(file: SegmentFile, record: JournalRecord) -> tuple[Stretch, Stretch]:
    """Where the CBOR of the fragment's journal entry stands, and its moof and mdat."""
    box = next(box for box in bmff.walk(file.source, record.offset) if box.is_user_type(bmff.JOURNAL_BOX))
    media = Stretch(file.name, record.media_offset, record.media_size)
    return Stretch(file.name, box.offset + ENTRY_AT, box.size - ENTRY_AT), media


def _place_of(file: SegmentFile, within: Stretch, wanted: bytes) -> int:
    return within.offset + file.source.read_at(within.offset, within.size).index(wanted)
