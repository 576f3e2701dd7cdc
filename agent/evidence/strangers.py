"""What lies in a recording's folder and is covered by none of its signatures. It is named, so that nobody takes it for
part of the recording; it is not judged, and takes nothing from what is signed.

Only one thing is missing where it is not there: the certificate of an export whose page lies in the folder.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from agent.evidence import gm_sums
from agent.evidence.encrypted_stream import SUFFIX
from agent.evidence.export_report import CERTIFICATE_NAME, PAGE_NAME, STRANGERS_TOLD
from agent.evidence.how_to import ALONE_NAME, HOW_TO_NAME, ROOT_NAME
from agent.evidence.how_to_signed import ROWS_NAME
from agent.evidence.how_to_sums import UNSTAMPED
from agent.evidence.note_findings import NOTES
from agent.evidence.places import MISSING
from agent.evidence.report import COMPLETENESS, Finding, Place, Verdict
from agent.evidence.sidecars import JOURNAL_NAME, SIGNATURE_NAME, SUMS_NAME
from agent.wire.identifiers import RECORDING_PATTERN, RecordingId

_BY_PATTERN = re.compile(
    rf"(segment-[^/]*\.mp4|photo-[^/]*\.jpg)(\{SUFFIX})?|{NOTES}/[^/]*\.dsse|(segment|photo)-[^/]*\{UNSTAMPED}"
)
_LISTED = frozenset({JOURNAL_NAME, SUMS_NAME, SIGNATURE_NAME})
_AIDS = frozenset(
    {
        HOW_TO_NAME,
        ROWS_NAME,
        ALONE_NAME,
        ROOT_NAME,
        PAGE_NAME,
        CERTIFICATE_NAME,
        f"{SIGNATURE_NAME}.tsr",
        *gm_sums.NAMES,
    }
)
_REMAINS = re.compile(r"segment-[^/]*\.(torn[^/]*|seal|seal\.bad|stamping)|\.[^/]*\.new")
_PAPERS = re.compile(r"papers/[^/]*")  # agent.duty.papers.BESIDE


def folder_findings(names: Collection[str], traces: Collection[str]) -> Iterator[Finding]:
    """What is to be said of a recording's folder with the files `names`, by their paths in it, and the `traces` that
    computers have left there by themselves."""
    if PAGE_NAME in names and CERTIFICATE_NAME not in names:
        text = f"这里是一次导出（有 {PAGE_NAME}），但导出证明 {CERTIFICATE_NAME} 不在：谁导出、取了多少，无从核对。"
        yield Finding(Verdict.MISSING, COMPLETENESS, text, Place(CERTIFICATE_NAME, MISSING))
    rest = sorted(name for name in names if name not in _LISTED | _AIDS and not _BY_PATTERN.fullmatch(name))
    yield from _told("随附的说明、工具与国密旁证，不在签名之列，未核验", sorted(_AIDS.intersection(names)))
    papers = [name for name in rest if _PAPERS.fullmatch(name)]
    remains = [name for name in rest if _REMAINS.fullmatch(name)]
    yield from _told("文书文本，不由录像签名，由中心对照设备事件链核验", papers)
    yield from _told("断电或中途停止留下的残余，不属于录像", remains)
    yield from _told("电脑自动留下的文件，未查看", sorted(traces))
    strangers = sorted(set(rest) - {*papers, *remains})
    for name in strangers[:STRANGERS_TOLD]:
        text = f"{name}：没有任何签名涉及它，未核验（covered by no signature），不要当作这次录制的内容。"
        yield Finding(Verdict.COMPLETE, COMPLETENESS, text)
    if len(strangers) > STRANGERS_TOLD:
        text = f"另有 {len(strangers) - STRANGERS_TOLD} 个文件没有任何签名涉及，未核验。"
        yield Finding(Verdict.COMPLETE, COMPLETENESS, text)


def name_findings(folder: str, recording: RecordingId | None) -> Iterator[Finding]:
    """That a folder with the name of one recording holds another one, `recording`: whoever looks for the first would
    take it for that."""
    if recording is not None and folder != recording and RECORDING_PATTERN.fullmatch(folder):
        text = f"文件夹名为 {folder}，内容却是录制 {recording}：以内容中的签名为准，请核对是否放错。"
        yield Finding(Verdict.COMPLETE, COMPLETENESS, text)


def beside_recordings(names: Sequence[str]) -> list[str]:
    """What is to be said of `names` that lie among recordings and are none, in Chinese."""
    told = list(_told("与录制放在一起而不是录制，未核验", sorted(names)))
    return [finding.text for finding in told]


def _told(what: str, names: Sequence[str]) -> Iterator[Finding]:
    if names:
        more = f" 等 {len(names)} 个" if len(names) > STRANGERS_TOLD else ""
        yield Finding(Verdict.COMPLETE, COMPLETENESS, f"{what}：{'、'.join(names[:STRANGERS_TOLD])}{more}。")
