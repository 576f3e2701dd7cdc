"""Accounts that begin at an older receipt: what they cover and what not, and anchors that are not what they say."""

import tracemalloc
from collections.abc import Callable
from datetime import timedelta

import pytest

from agent.errors import SenderFault
from agent.evidence.account import open_accounts
from agent.evidence.account_chain import UnsoundAccount
from agent.evidence.report import Verdict
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import Digest, parse_recording_id
from tests.agent.evidence.bench import DEVICE, NOW, Authority, Bench, make_authority
from tests.agent.evidence.telling import SECOND, Centre

FIRST, SECOND_TAKE = parse_recording_id("REC-0001-R000001"), parse_recording_id("REC-0001-R000002")
ANCHORED = NOW + timedelta(seconds=30)


@pytest.fixture
def centre(authority: Authority) -> Centre:
    return Centre(authority)


class _Two:
    """Two recordings in a row; the centre signed a receipt between them, `anchor`, and one after both."""

    def __init__(self, centre: Centre, bench: Bench) -> None:
        self.centre = centre
        self.first = bench.sealed()
        centre.follow(bench, heads=(1, 3))
        self.anchor, self.before = centre.receipt(ANCHORED), len(centre.batches)
        later = Bench(bench.signer, number=2, previous=bench.head, now=bench.now)
        later.pass_time(60_000)
        self.second = later.sealed()
        centre.follow(later, heads=(1, 3))

    def lines(self, anchor: bytes | None = None) -> list[bytes]:
        """What the centre exports since `anchor`."""
        rest = self.centre.batches[self.before :]
        return [self.centre.sealed_trust, anchor or self.anchor, *rest, self.centre.receipt()]


@pytest.fixture
def two(centre: Centre, bench: Bench) -> _Two:
    return _Two(centre, bench)


def test_account_since_a_receipt_says_from_when_on_it_tells(two: _Two) -> None:
    account = two.centre.open(two.lines()).devices[DEVICE]
    assert account.anchor is not None
    assert (account.anchor.upto, account.upto, set(account.recordings)) == (4, 8, {SECOND_TAKE})
    report = two.centre.report(two.second, lines=two.lines())
    assert report.verdict is Verdict.COMPLETE
    assert any("起（设备事件第 5 号）" in line for line in report.completeness.lines)


def test_recording_older_than_the_anchor_is_not_covered_and_never_complete(two: _Two) -> None:
    """With the whole account the same recording is complete."""
    assert two.centre.report(two.first).verdict is Verdict.COMPLETE
    report = two.centre.report(two.first, lines=two.lines())
    assert report.verdict is Verdict.UNEXPLAINED_GAP
    assert any(line.startswith(f"未涵盖：{FIRST}") for line in report.completeness.lines)


def test_recording_after_the_anchor_still_cannot_lose_its_tail(two: _Two, bench: Bench) -> None:
    later = Bench(bench.signer, number=3, previous=GENESIS, now=bench.now)
    later.pass_time(600_000)
    live = later.live()[1]
    two.centre.follow(later, heads=(1, 6), ended=False)
    cut = live[: later.records[3].offset]
    assert two.centre.report(cut, lines=two.lines()).verdict is Verdict.MISSING


def test_recording_that_goes_on_across_the_anchor_is_judged_by_what_came_after(centre: Centre, bench: Bench) -> None:
    data = bench.sealed()
    centre.follow(bench, heads=(1, 3), ended=False)
    anchor, before = centre.receipt(ANCHORED), len(centre.batches)
    facts = {"segments": 1, "fragments": len(bench.records), "head": bench.head}
    centre.tell(1, "sealed", bench.now.wall, **facts)
    lines = [centre.sealed_trust, anchor, *centre.batches[before:], centre.receipt()]
    assert centre.report(data, lines=lines).verdict is Verdict.COMPLETE


def test_batch_that_holds_events_on_both_sides_of_the_anchor_does_no_harm(two: _Two) -> None:
    lines = [*two.lines(), two.centre.batches[two.before - 1]]
    account = two.centre.open(lines).devices[DEVICE]
    assert account.anchor is not None
    assert account.anchor.upto == 4


def test_two_accounts_together_reach_back_as_far_as_they_join(two: _Two) -> None:
    older = [*two.centre.batches[: two.before], two.anchor]
    assert two.centre.open([*two.lines(), *older]).devices[DEVICE].anchor is None


def test_events_lost_with_the_devices_memory_begin_at_the_anchor_not_at_the_first_event(two: _Two) -> None:
    """A loss right after the anchor: nothing that is here came before it."""
    lost = {"skipped_to": 8, "kept_as": "", "detail": "示例"}
    two.centre.lose(lost)
    lines = [two.centre.sealed_trust, two.centre.receipt(upto=8, head=two.centre.heads[7]), two.centre.batches[-1]]
    account = two.centre.open([*lines, two.centre.receipt()]).devices[DEVICE]
    assert account.anchor is not None
    assert account.anchor.upto == 8


UNSOUND: dict[str, tuple[Callable[[_Two], bytes], Verdict, str]] = {
    "by a stranger": (
        lambda two: two.centre.receipt(
            ANCHORED, upto=4, head=two.centre.heads[3], by=make_authority("beidou").signer("a stranger")
        ),
        Verdict.UNTRUSTED,
        "不在信任清单",
    ),
    "by the device itself": (
        lambda two: two.centre.receipt(ANCHORED, upto=4, head=two.centre.heads[3], by=two.centre.device),
        Verdict.UNTRUSTED,
        "由 REC-0001 签名",
    ),
    "of another device": (
        lambda two: two.centre.receipt(ANCHORED, device=SECOND, upto=4, head=two.centre.heads[3]),
        Verdict.ALTERED,
        "属于 REC-0002",
    ),
    "for another head": (
        lambda two: two.centre.receipt(ANCHORED, upto=4, head=Digest("ab" * 32)),
        Verdict.ALTERED,
        "接不上",
    ),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_anchor_that_is_not_what_it_says_is_refused_in_words(two: _Two, name: str) -> None:
    make, verdict, words = UNSOUND[name]
    with pytest.raises(UnsoundAccount, match=words) as caught:
        two.centre.open(two.lines(make(two)))
    assert caught.value.verdict is verdict


def test_account_without_its_anchor_is_incomplete(two: _Two) -> None:
    lines = two.lines()
    del lines[1]
    with pytest.raises(SenderFault, match="缺第 4 号事件，导出不完整"):
        two.centre.open(lines)


def test_newest_receipt_alone_is_no_account_of_anything(two: _Two) -> None:
    with pytest.raises(SenderFault, match="导出不完整"):
        two.centre.open([two.centre.sealed_trust, two.centre.receipt()])


def test_events_taken_out_after_the_anchor_are_missed(two: _Two) -> None:
    for at in range(2, len(two.lines()) - 1):
        lines = two.lines()
        del lines[at]
        with pytest.raises(SenderFault, match="导出不完整"):
            two.centre.open(lines)


def test_folder_with_recordings_on_both_sides_of_the_anchor_is_never_complete(two: _Two) -> None:
    grounds = two.centre.grounds(two.lines())
    report = two.centre.device_report([two.first], [two.second], grounds=grounds)
    assert report.verdict is Verdict.UNEXPLAINED_GAP
    assert any("起（设备事件第 5 号）" in line for line in report.completeness.lines)
    assert two.centre.device_report([two.second], grounds=grounds).verdict is Verdict.COMPLETE


def test_lines_are_not_held_in_memory(two: _Two) -> None:
    """A long account is read from its file twice; what is kept are hashes and heads."""

    class Lines:
        peak = 0

        def __iter__(self):  # type: ignore[no-untyped-def]
            for line in two.lines() * 10:
                yield line + b" " * 200_000

    tracemalloc.start()
    open_accounts(Lines(), [two.centre.authority.root], None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
