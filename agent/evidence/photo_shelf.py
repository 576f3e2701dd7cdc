"""A folder of photos taken by themselves, against what their devices told the centre: none is taken away unseen."""

from collections.abc import Collection, Iterator, Sequence

from agent.evidence.account import Account
from agent.evidence.device_chain import device_report
from agent.evidence.places import MISSING, wall_text
from agent.evidence.report import COMPLETENESS, Finding, Place, Report, Verdict
from agent.wire.identifiers import Digest

PHOTOS_TOLD = 100  # ours; missing ones that are named one by one


def photo_shelf_report(there: Collection[Digest], unread: int, reports: Sequence[Report], account: Account) -> Report:
    """What is to be said of a folder with the photos `there`, judged one by one in `reports`, and `unread` others, held
    against the account of one device. Photos of a recording lie beside it, and are missed there."""
    return device_report((), reports, None, more=list(_missing(there, unread, account)))


def _missing(there: Collection[Digest], unread: int, account: Account) -> Iterator[Finding]:
    alone = [photo for photo in account.photos if photo.recording is None]
    lost = [photo for photo in alone if photo.digest not in there]
    if account.as_of is not None:
        text = f"中心 {account.receiver} 的回执截至 {wall_text(account.as_of)}：{account.device} 报过单独拍摄的照片"
        yield Finding(Verdict.COMPLETE, COMPLETENESS, f"{text} {len(alone)} 张，这里有 {len(alone) - len(lost)} 张。")
    if len(lost) <= unread:  # each that could not be read may be one of those
        return
    for photo in lost[:PHOTOS_TOLD]:
        text = f"缺少照片：设备于 {wall_text(photo.at)} 报过（SHA-256 {photo.digest[:16]}…），不在其中。"
        yield Finding(Verdict.MISSING, COMPLETENESS, text, Place(f"{photo.digest[:16]}.jpg", MISSING))
    if len(lost) > PHOTOS_TOLD:
        yield Finding(Verdict.MISSING, COMPLETENESS, f"另缺照片 {len(lost) - PHOTOS_TOLD} 张。")
