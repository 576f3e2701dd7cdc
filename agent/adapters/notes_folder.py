"""The written notes beside a recording on this device: `recordings/<RecordingId>/notes/0001.dsse`."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.adapters.data_keys import is_encrypted
from agent.adapters.segment_recovery import opened
from agent.adapters.spool import Spool
from agent.duty.masking import check_masked
from agent.errors import OperatorFault, SenderFault
from agent.evidence import sidecars
from agent.evidence.note_findings import NOTES
from agent.evidence.reasons import Cause, own_cause
from agent.evidence.recovery import examine
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest, RecordingId, recording_device
from agent.wire.notes import MAX_AUTHOR, MAX_NOTES, MAX_TEXT, RecordingNote, note_digest, note_name, seal_note
from agent.wire.signing import CertifiedSigner

RULES_CAUSES = {cause.value: cause.chinese for cause in Cause}


@dataclass(frozen=True)
class NoteDraft:
    """What a person writes. `first` and `last` are fragments; None for the first and the last of the recording."""

    cause: str
    text: str
    author: str
    first: int | None = None
    last: int | None = None


def add_note(
    spool: Spool,
    recording: RecordingId,
    draft: NoteDraft,
    signer: CertifiedSigner,
    now: datetime,
    offered: Mapping[str, str] = RULES_CAUSES,
) -> Path:
    """Sign `draft` and lay it beside a finished recording, whose own files stay as they are; returns the new file.
    `offered` are the reasons that may be given, words by code.

    Raises `OperatorFault` for a recording that is not here or not finished, or a draft that says too little or too
    much; `EnvironmentFault` when the disk fails. An existing note is never replaced.
    """
    head, end = _end(spool, recording)
    folder = durable.make_directory(spool.folder(recording) / NOTES)
    first, last = draft.first or 1, draft.last or end
    _check(draft, first, last, end, offered)
    with _alone(folder):
        number, previous = _next(folder)
        device = recording_device(recording)
        words = (own_cause(draft.cause, offered[draft.cause]), draft.text, draft.author)
        note = RecordingNote(recording, number, first, last, *words, device, now, head, previous)
        return durable.write_bytes(folder / note_name(number), seal_note(note, signer), durable.SHARED)


def _end(spool: Spool, recording: RecordingId) -> tuple[Digest, int]:
    """The head of a finished recording and the number of its last fragment."""
    folder = spool.folder(recording)
    if not folder.is_dir():
        raise OperatorFault(f"本机没有录制 {recording}。请用 liuhen-agent status 核对录制编号。")
    if not (folder / sidecars.SIGNATURE_NAME).exists():
        raise OperatorFault(f"录制 {recording} 还没有封存，不能补充说明。请先停止录制。")
    last = spool.segments(recording)[-1]
    if is_encrypted(last):  # no longer to be read here
        return _told_end(spool, recording)
    with opened(last) as source:
        found = examine(source)
    return found.head, found.fragments[-1].entry.sequence if found.fragments else 1


def _told_end(spool: Spool, recording: RecordingId) -> tuple[Digest, int]:
    told = spool.keys.end(recording)
    if told is None:
        raise OperatorFault(f"录制 {recording} 已加密，本机没有它的结束记录，不能补充说明。请交中心处理。")
    return told.head, max(1, told.fragments)


def _next(folder: Path) -> tuple[int, Digest]:
    names = sorted(place.name for place in folder.glob("*.dsse"))
    if not names:
        return 1, GENESIS
    if len(names) >= MAX_NOTES:
        raise OperatorFault(f"这次录制已有 {MAX_NOTES} 条补充说明，不能再加。其余情况请写入案卷材料。")
    if names[-1] != note_name(len(names)):
        raise OperatorFault(f"{folder} 中的补充说明编号不连续，可能有缺失。请先找回，再加新的说明。")
    with durable.disk_errors(folder):
        return len(names) + 1, note_digest((folder / names[-1]).read_bytes())


def _check(draft: NoteDraft, first: int, last: int, end: int, offered: Mapping[str, str]) -> None:
    if draft.cause not in offered:
        listed = "、".join(f"{code}（{words}）" for code, words in offered.items())
        raise OperatorFault(f"没有原因代码“{draft.cause}”。可用的有：{listed}。")
    if not draft.text.strip() or len(draft.text) > MAX_TEXT:
        raise OperatorFault(f"说明文字应有 1 至 {MAX_TEXT} 字。请改写 --text。")
    if not draft.author.strip() or len(draft.author) > MAX_AUTHOR:
        raise OperatorFault("请用 --author 写上作者代号，例如执法证件编号的代号，不写姓名。")
    if not 1 <= first <= last <= end:
        raise OperatorFault(f"片段范围应在 1 至 {end} 之间，且起点不晚于终点。请改正 --first 与 --last。")
    try:
        check_masked("补充说明", {"text": draft.text, "author": draft.author})
    except SenderFault as fault:
        raise OperatorFault(str(fault)) from fault


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time, so that two notes never take one number."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
