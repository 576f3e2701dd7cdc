"""What the centre and witnesses hold against a recording that lost something, or was made again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.errors import SenderFault
from agent.evidence import clip
from agent.evidence.account import open_accounts
from agent.evidence.bmff import Source
from agent.evidence.journal import Reason
from agent.evidence.recovery import examine, seal_recovered
from agent.evidence.report import Report, Status, Verdict
from agent.wire.device_events import GENESIS
from agent.wire.envelope import seal
from agent.wire.identifiers import DeviceId, Digest
from agent.wire.instant import TimeState
from agent.wire.receipts import RECEIPT_TYPE, Receipt
from tests.agent.evidence.bench import DEVICE, NOW, START, Authority, Bench, make_authority, patched
from tests.agent.evidence.telling import SECOND, Centre
from tests.support.media import FRAGMENT_MS


@pytest.fixture
def centre(authority: Authority) -> Centre:
    return Centre(authority)


def _missing(report: Report) -> list[tuple[str, int | None, int | None, int]]:
    return [(it.file, it.segment, it.sequence, it.count) for it in report.places if it.kind == "missing"]


def _recovered(bench: Bench, live: bytes, end: int) -> bytes:
    found = examine(Source.of_bytes(live[:end]))
    patch = seal_recovered(found, bench.signer, bench.now)
    return patched(live[: found.intact_bytes], patch.offset, patch.data)


def test_honest_recording_agrees_with_its_account(centre: Centre, bench: Bench) -> None:
    data = bench.sealed()
    centre.follow(bench, heads=(1, 4))
    centre.witness(bench, 4)
    centre.witness(bench, 6)
    report = centre.report(data)
    assert report.verdict is Verdict.COMPLETE
    assert (report.completeness.status, report.trust.status) == (Status.PASSED, Status.PASSED)
    assert any("链头中 5 个与这里的片段一致" in line for line in report.completeness.lines)
    assert any("receiver-1 见证：第 6 片段及之前" in line for line in report.time.lines)


def test_threat_officer_suppresses_a_tail_and_it_is_proved_with_numbers_and_times(centre: Centre, bench: Bench) -> None:
    """Without the account nothing shows that anything followed: that is what receipts are for."""
    data = bench.live()[1]
    centre.follow(bench, heads=(1, 6), ended=False)
    cut = data[: bench.records[3].offset]
    assert Centre(centre.authority, batches=[]).report(cut).verdict is Verdict.UNEXPLAINED_GAP
    report = centre.report(cut)
    assert report.verdict is Verdict.MISSING
    assert _missing(report) == [("segment-0001.mp4", 1, 4, 3)]
    assert report.places[-1].captured is not None
    assert report.places[-1].captured.wall == bench.records[3].entry.moment.captured.wall
    assert any("到第 6 片段，这里只到第 3 片段，缺 3 个片段（约 2026-11-22 10:00:01 至" in line
               for line in report.completeness.lines)  # fmt: skip


def test_tail_cut_and_sealed_again_by_the_device_itself_is_proved(centre: Centre, bench: Bench) -> None:
    """Whoever holds the device can cut the file and let it be recovered: an explained gap, until the account."""
    live = bench.live()[1]
    centre.follow(bench, heads=(6,), ended=False)
    again = _recovered(bench, live, bench.records[3].offset)
    assert Centre(centre.authority).report(again).verdict is Verdict.EXPLAINED_GAP
    report = centre.report(again)
    assert (report.verdict, _missing(report)) == (Verdict.MISSING, [("segment-0001.mp4", 1, 4, 3)])


def test_tail_that_only_a_witness_saw_is_missing(centre: Centre, bench: Bench) -> None:
    data = bench.live()[1]
    centre.follow(bench, ended=False)
    centre.witness(bench, 6, by=centre.second, witness=SECOND)
    report = centre.report(data[: bench.records[4].offset])
    assert (report.verdict, _missing(report)) == (Verdict.MISSING, [("segment-0001.mp4", 1, 5, 2)])
    assert any("REC-0002 于" in line for line in report.completeness.lines)


def test_tail_cut_is_proved_by_the_second_recorder_without_any_word_of_the_centre(centre: Centre, bench: Bench) -> None:
    data = bench.live()[1]
    cut = data[: bench.records[4].offset]
    lines = [centre.sealed_trust, centre.countersign(bench, 6)]
    report = centre.report(cut, lines=lines)
    assert (report.verdict, _missing(report)) == (Verdict.MISSING, [("segment-0001.mp4", 1, 5, 2)])
    assert any("REC-0002 于" in line for line in report.completeness.lines)
    whole = centre.report(data, lines=lines)
    assert any("REC-0002 见证：第 6 片段" in line for line in whole.time.lines)


def test_tail_cut_is_proved_by_the_second_recorder_against_a_receipt_that_hides_it(
    centre: Centre, bench: Bench
) -> None:
    """The centre's own key signs that less was told."""
    data = bench.live()[1]
    centre.follow(bench, heads=(4,), ended=False)
    cut = data[: bench.records[4].offset]
    assert not _missing(centre.report(cut))
    lines = [*centre.lines(), centre.countersign(bench, 6)]
    assert _missing(centre.report(cut, lines=lines)) == [("segment-0001.mp4", 1, 5, 2)]


def test_a_recording_made_again_does_not_agree_with_what_the_second_recorder_saw(centre: Centre, bench: Bench) -> None:
    data = bench.live()[1]
    lines = [centre.sealed_trust, centre.countersign(bench, 3, head=Digest("c" * 64))]
    assert centre.report(data, lines=lines).verdict is Verdict.ALTERED


def test_a_countersigned_head_that_is_not_the_second_recorders_own_word_counts_for_nothing(
    centre: Centre, bench: Bench
) -> None:
    data = bench.live()[1]
    cut = data[: bench.records[4].offset]
    with pytest.raises(SenderFault, match="REC-0001 签名"):  # forged by the recorder that is to be watched
        centre.open([centre.sealed_trust, centre.countersign(bench, 6, by=centre.device)])
    own = [centre.sealed_trust, centre.countersign(bench, 6, by=centre.device, device=DEVICE)]
    assert not _missing(centre.report(cut, lines=own))  # nobody is a witness for himself
    with pytest.raises(SenderFault):  # by a key that was not valid yet
        centre.open([centre.sealed_trust, centre.countersign(bench, 6, at=NOW - timedelta(days=36_500))])


def test_threat_officer_suppresses_the_last_segments_and_they_are_counted(centre: Centre, bench: Bench) -> None:
    """The seal before them says only that something follows."""
    first, *_ = (bench.sealed(Reason.CONTINUED), bench.sealed(Reason.CONTINUED), bench.sealed())
    centre.follow(bench, heads=(7, 13))
    report = centre.report(first)
    assert report.verdict is Verdict.MISSING
    assert _missing(report) == [
        ("segment-0002.mp4", 2, None, 1),
        ("segment-0003.mp4", 3, None, 1),
        ("segment-0001.mp4", 1, 7, 12),
    ]


def test_last_segment_taken_away_after_a_camera_fault_is_missing(centre: Centre, bench: Bench) -> None:
    """A segment that ended with a fault does not say that another followed."""
    first, _ = bench.sealed(Reason.CAMERA_LOST), bench.sealed()
    centre.follow(bench, heads=(7,))
    assert Centre(centre.authority).report(first).verdict is Verdict.UNEXPLAINED_GAP
    report = centre.report(first)
    assert report.verdict is Verdict.MISSING
    assert ("segment-0002.mp4", 2, None, 1) in _missing(report)


def test_single_segment_is_not_blamed_for_the_others(centre: Centre, bench: Bench) -> None:
    first, second = bench.sealed(Reason.CONTINUED), bench.sealed()
    centre.follow(bench, heads=(1, 7))
    assert centre.report(first, whole=False).verdict is Verdict.COMPLETE
    assert centre.report(second, whole=False).verdict is Verdict.COMPLETE


def test_recording_made_again_by_whoever_holds_the_device_key_is_altered(centre: Centre, bench: Bench) -> None:
    bench.sealed()
    centre.follow(bench, heads=(1,))
    take = Bench(bench.signer)
    take.pass_time(1)
    report = centre.report(take.sealed())
    assert report.verdict is Verdict.ALTERED
    assert (report.first_bad is not None and report.first_bad.kind, report.places[0].sequence) == ("head", 1)


def test_head_that_contradicts_a_witness_is_altered(centre: Centre, bench: Bench) -> None:
    data = bench.sealed()
    centre.follow(bench)
    centre.witness(bench, 3, head=Digest("ef" * 32))
    report = centre.report(data)
    assert (report.verdict, report.places[0].kind, report.places[0].sequence) == (Verdict.ALTERED, "head", 3)
    assert any("receiver-1 于" in line for line in report.integrity.lines)


def test_recording_hung_into_another_place_of_the_chain_is_altered(centre: Centre, bench: Bench) -> None:
    data = bench.sealed()
    centre.tell(1, "started", previous="12" * 32)
    assert centre.report(data).verdict is Verdict.ALTERED


def test_recording_that_the_chain_passes_over_in_silence_is_unexplained(centre: Centre, bench: Bench) -> None:
    later = Bench(bench.signer, number=2)
    later.sealed()
    centre.follow(later)
    report = centre.report(bench.sealed())
    assert report.verdict is Verdict.UNEXPLAINED_GAP
    assert any("没有讲到 REC-0001-R000001" in line for line in report.completeness.lines)


def test_account_that_does_not_reach_this_recording_yet_says_so(centre: Centre, bench: Bench) -> None:
    report = centre.report(bench.sealed())
    assert report.verdict is Verdict.COMPLETE
    centre.tell(1, "started", previous=GENESIS)
    assert any("没有向中心报过这次录制的结尾" in line for line in centre.report(bench.sealed()).completeness.lines)


def test_unsealed_file_whose_end_the_centre_knows_is_not_short(centre: Centre, bench: Bench) -> None:
    data = bench.live()[1]
    centre.follow(bench)
    report = centre.report(data)
    assert report.verdict is Verdict.UNEXPLAINED_GAP
    assert any("尾部没有缺失" in line for line in report.completeness.lines)


def test_device_clock_ahead_of_a_witness_is_told(centre: Centre, bench: Bench) -> None:
    data = bench.sealed()
    centre.follow(bench)
    centre.witness(bench, 6, after=timedelta(minutes=-10))
    report = centre.report(data)
    assert report.verdict is Verdict.COMPLETE
    assert any("设备时钟比receiver-1快至少 600 秒" in line or "快至少 59" in line for line in report.time.lines)


# The chain of a device's recordings.


def _three(bench: Bench, centre: Centre) -> list[list[bytes]]:
    """Three recordings of one device, one after the other, told to the centre."""
    recordings, previous, now = [], GENESIS, bench.now
    for number in (1, 2, 3):
        one = Bench(bench.signer, number=number, previous=previous, now=now)
        one.pass_time(60_000)
        recordings.append([one.sealed(Reason.CONTINUED), one.sealed()])
        centre.follow(one, heads=(1, 7))
        previous, now = one.head, one.now
    return recordings


def test_three_recordings_in_a_row_are_complete_in_any_order(centre: Centre, bench: Bench) -> None:
    first, second, third = _three(bench, centre)
    report = centre.device_report(third, first, second)
    assert (report.verdict, report.device, report.recording) == (Verdict.COMPLETE, DEVICE, None)
    assert (report.segments, report.fragments) == (6, 36)
    assert centre.device_report(first, second, known=False).verdict is Verdict.COMPLETE


@pytest.mark.parametrize("known", [True, False], ids=["with account", "without"])
def test_recording_taken_from_the_middle_is_missing(centre: Centre, bench: Bench, known: bool) -> None:
    first, _, third = _three(bench, centre)
    report = centre.device_report(first, third, known=known)
    assert (report.verdict, report.places[0].file) == (Verdict.MISSING, "REC-0001-R000002")


@pytest.mark.parametrize("gone", [1, 3])
def test_threat_officer_suppresses_the_first_or_last_recording_and_it_is_named(
    centre: Centre, bench: Bench, gone: int
) -> None:
    recordings = _three(bench, centre)
    left = [recording for number, recording in enumerate(recordings, start=1) if number != gone]
    assert centre.device_report(*left, known=False).verdict is Verdict.COMPLETE
    report = centre.device_report(*left)
    assert (report.verdict, [place.file for place in report.places]) == (Verdict.MISSING, [f"REC-0001-R00000{gone}"])
    assert any("开始" in line and "结束，至少 12 个片段" in line for line in report.completeness.lines)


def test_number_that_never_held_a_fragment_is_not_missing(centre: Centre, bench: Bench) -> None:
    first, *_ = _three(bench, centre)
    one = Bench(bench.signer)
    one.sealed(Reason.CONTINUED)
    one.sealed()
    short = Centre(centre.authority)
    short.tell(5, "started", previous=GENESIS)
    short.tell(5, "failed", detail="示例")
    third = Bench(bench.signer, number=3, previous=examine(Source.of_bytes(first[1])).head)
    third.pass_time(600_000)
    assert short.device_report(first, [third.sealed()], known=False).verdict is Verdict.COMPLETE
    assert short.device_report(first).verdict is Verdict.UNEXPLAINED_GAP  # the chain tells nothing of recording 1


def test_recording_that_began_and_was_never_heard_of_again_is_unexplained(centre: Centre, bench: Bench) -> None:
    recordings = _three(bench, centre)
    centre.tell(4, "started", previous=GENESIS)
    report = centre.device_report(*recordings)
    assert report.verdict is Verdict.UNEXPLAINED_GAP
    centre.tell(4, "failed", detail="示例")
    assert centre.device_report(*recordings).verdict is Verdict.COMPLETE


def test_threat_officer_suppresses_by_another_take_and_the_chain_breaks(centre: Centre, bench: Bench) -> None:
    first, second, third = _three(bench, centre)
    take = Bench(bench.signer)
    take.pass_time(1)
    report = centre.device_report([take.sealed()], second, third, known=False)
    assert (report.verdict, report.places[0].file) == (Verdict.ALTERED, "REC-0001-R000001")
    assert centre.device_report(first, first, second, third, known=False).verdict is Verdict.ALTERED


def test_recording_with_its_tail_cut_breaks_the_chain(centre: Centre, bench: Bench) -> None:
    one = Bench(bench.signer)
    live = one.live()[1]
    two = Bench(bench.signer, number=2, previous=one.head)
    two.pass_time(60_000)
    cut = _recovered(one, live, one.records[3].offset)
    report = centre.device_report([cut], [two.sealed()], known=False)
    assert (report.verdict, report.places[0].file) == (Verdict.MISSING, "REC-0001-R000001")


def test_chain_that_begins_anew_is_unexplained(centre: Centre, bench: Bench) -> None:
    first, *_ = _three(bench, centre)
    anew = Bench(bench.signer, number=2)
    anew.pass_time(600_000)
    assert centre.device_report(first, [anew.sealed()], known=False).verdict is Verdict.UNEXPLAINED_GAP


def test_threat_clock_rollback_between_recordings_is_told(centre: Centre, bench: Bench) -> None:
    one = Bench(bench.signer)
    data = one.sealed()
    two = Bench(bench.signer, number=2, previous=one.head)
    two.now = replace(two.now, wall=two.now.wall - timedelta(days=3))
    report = centre.device_report([data], [two.sealed()], known=False)
    assert report.verdict is Verdict.COMPLETE
    assert any("往回拨过" in line for line in report.time.lines)


# Revocation.


def test_key_revoked_before_the_recording_is_untrusted(centre: Centre, bench: Bench) -> None:
    data = bench.sealed()
    centre.revoked_at = NOW - timedelta(days=1)
    report = centre.report(data)
    assert (report.verdict, report.trust.status) == (Verdict.UNTRUSTED, Status.FAILED)


def test_key_revoked_after_the_recording_is_noted(centre: Centre, bench: Bench) -> None:
    data = bench.sealed()
    centre.revoked_at = NOW + timedelta(days=1)
    report = centre.report(data)
    assert (report.verdict, report.trust.status) == (Verdict.COMPLETE, Status.NOTED)
    assert any("只有设备自己的时钟为证" in line for line in report.trust.lines)


def test_witness_counts_more_than_the_clock_of_a_revoked_device(centre: Centre, bench: Bench) -> None:
    """Its clock ran ahead, past the revocation; the centre had seen the head before."""
    bench.now = replace(bench.now, wall=NOW + timedelta(days=2))
    data = bench.sealed()
    centre.follow(bench)
    centre.revoked_at = NOW + timedelta(days=1)
    assert centre.report(data).verdict is Verdict.UNTRUSTED
    centre.witness(bench, 6, at=NOW)
    assert centre.report(data).verdict is Verdict.COMPLETE


def test_revoked_device_without_a_clock_is_untrusted(centre: Centre, bench: Bench) -> None:
    bench.now = replace(bench.now, state=TimeState.UNSET, error_ms=None)
    data = bench.sealed()
    centre.revoked_at = NOW + timedelta(days=1)
    assert centre.report(data).verdict is Verdict.UNTRUSTED


def test_countersignature_of_a_revoked_recorder_is_no_witness(centre: Centre, bench: Bench) -> None:
    """Nobody but its own clock says when: a stolen one would vouch for what another stolen one made."""
    data = bench.sealed()
    centre.revoked_at = NOW - timedelta(hours=1)
    early = centre.countersign(bench, 6, at=NOW - timedelta(hours=2))
    assert centre.report(data, lines=[centre.sealed_trust, early]).verdict is Verdict.COMPLETE
    centre.second_revoked_at = NOW - timedelta(minutes=90)
    assert centre.report(data, lines=[centre.sealed_trust, early]).verdict is Verdict.UNTRUSTED


def test_witness_of_a_revoked_recorder_is_none(centre: Centre, bench: Bench) -> None:
    """The same word, sealed by itself instead of told as an event."""
    data = bench.sealed()
    centre.follow(bench)
    centre.revoked_at = NOW - timedelta(hours=1)
    centre.witness(bench, 6, after=timedelta(hours=-2), by=centre.second, witness=SECOND)
    assert centre.report(data).verdict is Verdict.COMPLETE
    centre.second_revoked_at = NOW - timedelta(minutes=90)
    assert centre.report(data).verdict is Verdict.UNTRUSTED


def test_witness_of_a_later_segment_saw_the_earlier_ones_as_well(centre: Centre, bench: Bench) -> None:
    """Through the chain: the head it saw contains them. The device's own clock was never set."""
    bench.now = replace(bench.now, state=TimeState.UNSET, error_ms=None)
    segments = [bench.sealed(Reason.CONTINUED), bench.sealed()]
    centre.follow(bench)
    centre.revoked_at = NOW + timedelta(days=1)
    assert centre.report(*segments).verdict is Verdict.UNTRUSTED
    centre.witness(bench, len(bench.records))
    assert centre.report(*segments).verdict is not Verdict.UNTRUSTED


def test_exact_cut_is_not_missing_what_the_device_told_of_after_it(centre: Centre, bench: Bench) -> None:
    """That more follows is what an excerpt says of itself."""
    data = bench.sealed()
    centre.follow(bench, heads=(3, 6))
    source = Source.of_bytes(data)
    begin = START.wall + timedelta(milliseconds=2 * FRAGMENT_MS)
    cut = clip.cut(source, examine(source), begin, begin + timedelta(milliseconds=FRAGMENT_MS))
    taken = cut.head + source.read_at(cut.offset, cut.size)
    report = centre.report(taken, whole=False)
    assert (report.verdict, any("节选" in line for line in report.completeness.lines)) == (
        Verdict.UNEXPLAINED_GAP,
        True,
    )


def test_newer_trust_list_of_the_verifier_overrules_an_older_one_in_the_account(centre: Centre, bench: Bench) -> None:
    old = centre.lines()
    centre.version, centre.revoked_at = 2, NOW - timedelta(days=1)
    opened = open_accounts(old, [centre.authority.root], centre.trust)
    assert opened.trust.version == 2


# Accounts that are not what they say.


def _with(centre: Centre, change: Callable[[list[bytes]], None]) -> list[bytes]:
    lines = centre.lines()
    change(lines)
    return lines


def test_nothing_can_be_taken_out_of_an_account(centre: Centre, bench: Bench) -> None:
    bench.sealed()
    centre.follow(bench, heads=(1, 3, 5))
    for number in range(1, 1 + len(centre.batches)):
        lines = centre.lines()
        del lines[number]
        with pytest.raises(SenderFault, match="导出不完整"):
            centre.open(lines)


def test_lines_in_any_order_make_the_same_account(centre: Centre, bench: Bench) -> None:
    bench.sealed()
    centre.follow(bench, heads=(1, 3, 5))
    assert centre.open(centre.lines()[::-1]) == centre.open()
    assert centre.open([*centre.lines(), b"\n", *centre.lines()]).devices[DEVICE].upto == 5


def test_account_cut_short_is_an_older_account_and_says_as_of_when(centre: Centre, bench: Bench) -> None:
    bench.sealed()
    centre.follow(bench, heads=(1,), ended=False)
    older = centre.lines()
    centre.tell(1, "failed", detail="示例")
    assert centre.open(older).devices[DEVICE].upto == 2
    assert centre.open().devices[DEVICE].upto == 3


FORGERIES = {
    "receipt by the device": lambda centre: centre.receipt(by=centre.device),
    "receipt in another's name": lambda centre: centre.receipt(receiver="receiver-2"),
    "receipt of a stranger": lambda centre: centre.receipt(by=make_authority("beidou").signer("a stranger")),
    "receipt for another head": lambda centre: centre.receipt(head=Digest("ab" * 32)),
    "receipt with two signatures": lambda centre: seal(
        RECEIPT_TYPE, Receipt(DEVICE, 0, GENESIS, "receiver-1", NOW).encode(), [centre.receiver, centre.second]
    ),
    "receipts that contradict each other": lambda centre: centre.receipt(upto=1, head=Digest("ab" * 32)),
    "no envelope": lambda _: b"{}",
    "no JSON": lambda _: b"\xff",
    "another type": lambda centre: seal("text/plain", b"x", [centre.receiver]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_line_refuses_the_account_and_is_named(centre: Centre, bench: Bench, name: str) -> None:
    bench.sealed()
    centre.follow(bench)
    with pytest.raises(SenderFault, match=r"第 5 行|导出不完整|互相矛盾"):
        centre.open([*centre.lines(), FORGERIES[name](centre)])


def test_device_cannot_witness_for_itself(centre: Centre, bench: Bench) -> None:
    bench.sealed()
    centre.witness(bench, 1, by=centre.device, witness=DEVICE)
    with pytest.raises(SenderFault, match="不能为自己"):
        centre.open()


def test_witness_in_anothers_name_is_refused(centre: Centre, bench: Bench) -> None:
    bench.sealed()
    centre.witness(bench, 1, by=centre.second)
    with pytest.raises(SenderFault, match="由 REC-0002 签名"):
        centre.open()


def test_trust_list_of_another_root_is_refused(centre: Centre) -> None:
    with pytest.raises(SenderFault, match="任何根证书"):
        open_accounts(centre.lines(), [make_authority("beidou").root], None)
    with pytest.raises(SenderFault, match="没有信任清单"):
        open_accounts(centre.lines()[1:], [centre.authority.root], None)


def test_events_that_another_device_signed_are_refused(centre: Centre, bench: Bench) -> None:
    centre.device = centre.second
    centre.tell(1, "started", previous=GENESIS)
    centre.device = centre.authority.signer()
    with pytest.raises(SenderFault, match="由 REC-0002 签名"):
        centre.open()


def test_events_that_say_nothing_readable_are_passed_over(centre: Centre) -> None:
    centre.tell(1, "head", head="short", sequence=1, segment=1)
    centre.tell(1, "sealed", fragments=0)
    centre.tell(2, "failed")
    account = centre.open().devices[DeviceId(DEVICE)]
    assert [it.heads for it in account.recordings.values()] == [(), ()]
