"""The centre's page over a real case: films that nobody sees unseen, acts that nobody signs for another, exports."""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from agent.adapters.data_keys import DataKeys
from agent.adapters.fake_source import FakeSource
from agent.duty.record_use import Use
from agent.duty.review_elements import QUESTIONS
from agent.evidence.journal import Reason
from agent.wire.acts import act_digest, parse_act, seal_act
from agent.wire.device_events import EventType
from agent.wire.trust import Role as KeyRole
from provisioning.center.cli import app
from provisioning.center.config import read_config
from provisioning.center.page.door import Role
from provisioning.center.page.frame import LOOKS, Shelves
from provisioning.center.page.ranges import stretch_of
from provisioning.center.store import Store, open_store
from tests.agent.adapters.recording_bench import FIRST, RecordingBench, footage
from tests.agent.duty.office import MATERIALS
from tests.agent.evidence.bench import private_key
from tests.provisioning.district import load_signer, today
from tests.provisioning.page_bench import PageBench
from tests.provisioning.review_office import EXAMINER, HANDLER, LEADER, TASK, ReviewOffice
from tests.provisioning.test_documents_travel import TEXT, beside
from tests.support.clocks import SteppedClock

FILM = "/film/REC-0001-R000001/segment-0001.mp4"
ARCHIVE = private_key("archive")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class CasePage(PageBench):
    """The page over a `ReviewOffice`, at its own time."""

    def __init__(self, office: ReviewOffice, store: Store, shelves: Shelves) -> None:
        self.office = office
        super().__init__(read_config(office.center / "center.toml"), store, SteppedClock(today()), shelves)

    def later(self, **span: float) -> None:
        assert isinstance(self.clock, SteppedClock)
        self.clock.step(timedelta(**span).total_seconds())

    async def draft(self, who: str, move: str, **form: object) -> tuple[int, bytes]:
        return await self.raw(f"/review/{TASK}/draft", self.cookie(Role.REVIEWER, who), {"move": move, **form})

    async def act(self, who: str, envelope: bytes) -> tuple[int, str]:
        form: dict[str, object] = {"envelope": envelope.decode()}
        return await self.ask(f"/review/{TASK}/act", self.cookie(Role.REVIEWER, who), form)

    async def sign(self, who: str, move: str, **form: object) -> tuple[int, str]:
        status, body = await self.draft(who, move, **form)
        assert status == 200, body.decode()
        return await self.act(who, seal_act(parse_act(body), self.office.people[who]))


@pytest.fixture
def office(tmp_path: Path) -> ReviewOffice:
    return ReviewOffice(tmp_path)


@pytest.fixture
def page(office: ReviewOffice) -> Iterator[CasePage]:
    store = open_store("sqlite:///center.db", office.center, create=False)
    yield CasePage(office, store, Shelves(office.recordings))
    store.close()


def findings(**others: str) -> dict[str, object]:
    given: dict[str, object] = {f"f{number}": "符合" for number in range(1, len(QUESTIONS) + 1)}
    notes = {f"n{number}": "已核对" for number in range(1, len(QUESTIONS) + 1)}
    return {**given, **notes, **others}


def encrypted_film(office: ReviewOffice) -> Path:
    """Instead of the office's recording one that is encrypted for the archive, whose key is in the file returned."""
    tracks, packets = footage(2, sound=False)
    base = office.base
    keys, signer = DataKeys(base / "keys", ARCHIVE.public_key()), load_signer(base / "REC-0001", "evidence")
    bench = RecordingBench(base / "made", iter([FakeSource(tracks, packets)]), signer=signer, keys=keys)
    bench.start()
    bench.wait_for_fragments(3)
    bench.recorder.stop(Reason.STOPPED)
    bench.wait_for_end()
    bench.recorder.close(5)
    shutil.rmtree(office.recordings / FIRST)
    (base / "made" / FIRST).rename(office.recordings / FIRST)
    key = base / "archive.key"
    key.write_bytes(ARCHIVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    return key


async def test_a_recording_is_verified_and_shown_with_verdict_and_proof(page: CasePage) -> None:
    listed = (await page.ask("/recordings", page.cookie(Role.AUDITOR)))[1]
    assert all(word in listed for word in (FIRST, "尚未检验", "明文", TASK))
    shown = (await page.ask(f"/recording/{FIRST}", page.cookie(Role.AUDITOR)))[1]
    assert all(word in shown for word in ("有说明中断", "/proof/REC-0001/", f'src="{FILM}"', page.office.head))
    assert "有说明中断" in (await page.ask("/recordings", page.cookie(Role.AUDITOR)))[1]
    for place, status in (("/recording/REC-0001-R000009", 404), ("/recording/..%2fcenter.db", 404)):
        assert (await page.ask(place, page.cookie(Role.AUDITOR)))[0] == status


async def test_whoever_plays_a_film_is_written_down_before_the_first_byte(page: CasePage) -> None:
    cookie, whole = page.cookie(Role.REVIEWER), (page.office.recordings / FIRST / "segment-0001.mp4").read_bytes()
    assert await page.raw(FILM, cookie) == (200, whole)
    assert [it["what"] for it in page.looked] == [f"film {FIRST} segment-0001.mp4"]
    assert await page.raw(FILM, cookie, range="bytes=100-199") == (206, whole[100:200])
    assert page.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert await page.raw(FILM, cookie, range="bytes=-10") == (206, whole[-10:])
    assert (await page.raw(FILM, cookie, range=f"bytes={len(whole)}-"))[0] == 416
    assert len(page.looked) == 1  # one look in many pieces
    page.later(minutes=11)
    await page.raw(FILM, cookie, range="bytes=0-9")
    await page.raw(FILM, page.cookie(Role.AUDITOR), range="bytes=0-9")
    assert len(page.looked) == 3


async def test_a_film_whose_look_cannot_be_written_is_not_sent(page: CasePage) -> None:
    (page.config.folder / LOOKS).mkdir()
    status, body = await page.raw(FILM, page.cookie(Role.REVIEWER))
    assert (status, b"ftyp" in body) == (503, False)


@pytest.mark.parametrize("path", [FILM, f"/recording/{FIRST}", "/recordings", "/review", f"/review/{TASK}", "/reports"])
async def test_an_operator_sees_no_case(page: CasePage, path: str) -> None:
    assert (await page.ask(path, page.cookie(Role.OPERATOR)))[0] == 403
    assert page.looked == []


@pytest.mark.parametrize("name", ["SHA256SUMS", "..%2f..%2fcenter.toml", "segment-0009.mp4", "journal.jsonl"])
async def test_nothing_but_a_film_is_played(page: CasePage, name: str) -> None:
    assert (await page.ask(f"/film/{FIRST}/{name}", page.cookie(Role.AUDITOR)))[0] == 404


@pytest.mark.parametrize("number", ["9" * 24, "9" * 5000, "9223372036854775808", "0", "-1", "x", "1" * 16])
async def test_a_number_that_no_device_counts_to_has_no_proof_and_breaks_nothing(page: CasePage, number: str) -> None:
    status, body = await page.ask(f"/proof/REC-0001/{number}", page.cookie(Role.AUDITOR))
    assert (status, "Traceback" in body) == (404, False)


async def test_an_encrypted_film_is_opened_for_the_request_and_nothing_of_it_is_left(page: CasePage) -> None:
    key = encrypted_film(page.office)
    cookie = page.cookie(Role.AUDITOR)
    assert (await page.ask(FILM, cookie))[0] == 404
    assert "录像已加密" in (await page.ask(f"/recording/{FIRST}", cookie))[1]
    before = sorted(page.office.recordings.rglob("*"))
    store = open_store("sqlite:///center.db", page.office.center, create=False)
    opened = CasePage(page.office, store, Shelves(page.office.recordings, key))
    status, body = await opened.raw(FILM, opened.cookie(Role.AUDITOR))
    assert (status, body[4:8]) == (200, b"ftyp")
    assert await opened.raw(FILM, opened.cookie(Role.AUDITOR), range="bytes=500-70000") == (206, body[500:70001])
    assert "完整" in (await opened.ask(f"/recording/{FIRST}", opened.cookie(Role.AUDITOR)))[1]
    assert sorted(page.office.recordings.rglob("*")) == before
    store.close()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, (0, 99, True)), ("bytes=0-", (0, 99, False)), ("bytes=10-19", (10, 19, False)),
        ("bytes=-5", (95, 99, False)),
        ("bytes=90-500", (90, 99, False)), ("bytes=100-", None), ("bytes=20-10", None), ("bytes=-", (0, 99, True)),
        ("bytes=0-1,5-6", (0, 99, True)), ("items=0-1", (0, 99, True)), ("bytes=-0", None),
    ],
)  # fmt: skip
async def test_a_range_that_is_none_is_passed_over_or_refused(
    asked: str | None, found: tuple[int, int, bool] | None
) -> None:
    stretch = stretch_of(asked, 100)
    assert (None if stretch is None else (stretch.first, stretch.last, stretch.whole)) == found


async def test_a_matter_goes_its_whole_way_with_every_key_in_its_owners_hand(page: CasePage) -> None:
    assert "须法制审核" in (await page.ask(f"/review/{TASK}", page.cookie(Role.REVIEWER)))[1]
    assert (await page.sign(HANDLER, "submit", material=list(MATERIALS)))[0] == 303
    page.later(seconds=60)
    assert (await page.sign(EXAMINER, "accept"))[0] == 303
    page.later(seconds=60)
    assert (await page.sign(EXAMINER, "object", text="裁量偏高", **findings(f6="不符合", n6="档次偏高")))[0] == 303
    page.later(seconds=60)
    assert (await page.sign(HANDLER, "dissent", text="从重情节有录像为证"))[0] == 303
    assert (await page.sign(LEADER, "coordinate", text="召集两方"))[0] == 303
    assert (await page.sign(LEADER, "resolve", text="降一档", outcome="修改后办理"))[0] == 303
    assert (await page.sign(LEADER, "decide", text="同意", document="星综执罚〔2026〕1号"))[0] == 303
    shown = (await page.ask(f"/review/{TASK}", page.cookie(Role.AUDITOR)))[1]
    assert all(word in shown for word in ("已决定", "从重情节有录像为证", "档次偏高", "星综执罚〔2026〕1号"))
    assert "核对并下载" not in shown  # an auditor enters nothing
    assert page.office.room(later=timedelta(hours=1)).review(TASK).stage == "已决定"


async def test_a_signed_act_with_an_odd_body_is_refused_and_its_matter_stays_open(page: CasePage) -> None:
    _, draft = await page.draft(HANDLER, "submit", material=list(MATERIALS))
    act = parse_act(draft)
    for odd in ({"materials": [{"a": 1}, 5]}, {"elements": 7}):
        signed = seal_act(replace(act, body={**act.body, **odd}), page.office.people[HANDLER])
        assert (await page.act(HANDLER, signed))[0] == 409
    assert (await page.ask(f"/review/{TASK}", page.cookie(Role.REVIEWER)))[0] == 200
    assert (await page.sign(HANDLER, "submit", material=list(MATERIALS)))[0] == 303


async def test_what_the_rules_refuse_is_told_before_anybody_signs_it(page: CasePage) -> None:
    for who, move, form, said in (
        (LEADER, "decide", {"text": "处罚", "document": "1号"}, "审核完结前不能作出决定"),
        (EXAMINER, "submit", {"material": list(MATERIALS)}, "须由承办人签名"),
        (HANDLER, "approve", findings(), "不能审核同意"),
        ("示例-000003", "submit", {}, "信任清单中没有 示例-000003"),
        (HANDLER, "burn", {}, "没有“burn”这一步"),
    ):
        status, body = await page.draft(who, move, **form)  # type: ignore[arg-type]
        assert (status, said in body.decode()) == (409, True), body.decode()
    assert page.office.room().folder.envelopes(TASK) == []


async def test_whoever_tries_on_the_page_what_the_rules_refuse_stands_in_the_report(page: CasePage) -> None:
    """As on the command line: a handler who would review, though nothing of it was ever signed."""
    await page.sign(HANDLER, "submit", material=list(MATERIALS))
    assert (await page.draft(HANDLER, "accept"))[0] == 409
    (tried,) = page.office.room().folder.refused(TASK)
    assert (tried.by, tried.kind) == (HANDLER, "accept")
    assert f"{HANDLER} 于" in (await page.ask("/reports", page.cookie(Role.REVIEWER)))[1]


async def test_a_decision_that_would_be_refused_is_not_offered(page: CasePage) -> None:
    cookie = page.cookie(Role.REVIEWER)
    assert 'value="decide"' not in (await page.ask(f"/review/{TASK}", cookie))[1]
    await page.sign(HANDLER, "submit", material=[])
    assert "缺少材料" in (await page.ask(f"/review/{TASK}", cookie))[1]
    await page.sign(EXAMINER, "accept")
    assert 'value="approve"' in (await page.ask(f"/review/{TASK}", cookie))[1]
    number = page.office.room().facts(TASK).documents[0].number
    page.office.tell((90, EventType.DOCUMENT_SERVED, {"task": TASK, "number": number, "served": "当事人拒签"}))
    shown = (await page.ask(f"/review/{TASK}", cookie))[1]
    assert ('value="approve"' in shown, 'value="return"' in shown) == (False, True)


async def test_an_opinion_with_an_element_left_out_is_no_opinion(page: CasePage) -> None:
    await page.sign(HANDLER, "submit", material=list(MATERIALS))
    await page.sign(EXAMINER, "accept")
    status, body = await page.draft(EXAMINER, "approve", **findings(f3=""))
    assert (status, "要素意见" in body.decode()) == (409, True)
    status, body = await page.draft(EXAMINER, "approve", **findings(f3="不符合"))
    assert (status, "审核结论与要素意见不一致" in body.decode()) == (409, True)


async def test_nobody_brings_another_persons_act_or_his_own_twice_or_late(page: CasePage) -> None:
    _, draft = await page.draft(HANDLER, "submit", material=list(MATERIALS))
    signed = seal_act(parse_act(draft), page.office.people[HANDLER])
    assert "不是 示例-000011 所签" in (await page.act(EXAMINER, signed))[1]
    forged = seal_act(parse_act(draft), page.office.people[EXAMINER])
    assert "不是由 示例-000001 一人签名" in (await page.act(HANDLER, forged))[1]
    for rubbish in (b"", b"{}", b"x" * 300_000, signed[:-20]):
        assert (await page.act(HANDLER, rubbish))[0] == 409
    page.later(hours=2)
    assert "已超过一小时" in (await page.act(HANDLER, signed))[1]
    page.later(hours=-2)
    assert (await page.act(HANDLER, signed))[0] == 303
    assert "衔接不上" in (await page.act(HANDLER, signed))[1]
    (kept,) = page.office.room().folder.envelopes(TASK)
    assert act_digest(kept) == act_digest(signed)


async def test_a_revoked_person_cannot_sign_into_the_past(page: CasePage) -> None:
    _, draft = await page.draft(HANDLER, "submit", material=list(MATERIALS))
    signed = seal_act(parse_act(draft), page.office.people[HANDLER])
    page.office.district.authority.revoke(HANDLER, "离岗", today() + timedelta(seconds=1))
    shutil.copy(page.office.district.authority.folder / "trust.dsse", page.office.center / "trust.dsse")
    page.later(seconds=30)
    status, body = await page.act(HANDLER, signed)
    assert (status, "已被吊销" in body) == (409, True)
    assert page.office.room().folder.envelopes(TASK) == []


async def test_the_packets_page_has_the_texts_and_its_style_is_allowed_by_its_hash(page: CasePage) -> None:
    beside(page.office)
    status, body = await page.ask(f"/review/{TASK}/packet", page.cookie(Role.AUDITOR))
    assert (status, TEXT in body) == (200, True)
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert re.search(r"style-src 'self' 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert page.looked[-1]["what"] == f"packet {TASK}"


async def test_six_exports_are_read_by_table_programs_and_every_download_is_a_look(page: CasePage) -> None:
    shown = (await page.ask("/reports", page.cookie(Role.REVIEWER)))[1]
    assert shown.count("<svg") >= 4
    for use in Use:
        status, body = await page.raw(f"/reports/{use.value}.csv", page.cookie(Role.REVIEWER))
        rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
        listed = json.loads((await page.raw(f"/reports/{use.value}.json", page.cookie(Role.REVIEWER)))[1])
        assert (status, len(rows)) == (200, len(listed))
        assert page.looked[-1]["what"] == f"report {use.value}.json"
    for name in ("别的.csv", "案卷评查.exe", "..%2fcenter.toml"):
        assert (await page.ask(f"/reports/{name}", page.cookie(Role.REVIEWER)))[0] == 404


async def test_the_ledger_is_for_everybody_and_says_what_was_not_given(page: CasePage) -> None:
    shown = (await page.ask("/ledger", page.cookie(Role.OPERATOR)))[1]
    assert all(word in shown for word in ("就绪情况", "没有给出进度表", "/ledger/%E5%B0%B1"))
    status, body = await page.raw("/ledger/就绪情况.csv", page.cookie(Role.OPERATOR))
    assert (status, "星河区综合行政执法局" in body.decode("utf-8-sig")) == (200, True)


async def test_one_matter_whose_acts_were_changed_does_not_hide_the_others(page: CasePage) -> None:
    other = "T-2026-0009"
    (told,) = [event.data for event in page.office.room().events if event.type is EventType.TASK_TAKEN]
    page.office.tell((40, EventType.TASK_TAKEN, {**told, "task": other}))
    await page.sign(HANDLER, "submit", material=list(MATERIALS))
    (place,) = page.office.room().folder.folder(TASK).glob("[0-9]*.dsse")
    place.write_bytes(place.read_bytes().replace(b"a", b"b", 1))
    shown = (await page.ask("/review", page.cookie(Role.REVIEWER)))[1]
    assert f"/review/{other}" in shown
    assert f"{TASK}：" in shown


async def test_the_command_signs_a_draft_on_its_owners_computer_and_nobody_elses(
    page: CasePage, tmp_path: Path
) -> None:
    _, draft = await page.draft(HANDLER, "submit", material=list(MATERIALS))
    place = tmp_path / "draft.json"
    place.write_bytes(draft)

    def sign(who: str) -> tuple[int, str]:
        key, chain = page.office.key_files(who)
        words = ["review", "sign", str(place), "--key", str(key), "--chain", str(chain)]
        done = CliRunner().invoke(app, words)
        return done.exit_code, done.stdout if done.exit_code == 0 else str(done.exception)

    code, text = sign(HANDLER)
    assert (code, (await page.act(HANDLER, text.encode()))[0]) == (0, 303)
    code, text = sign(EXAMINER)
    assert code != 0
    assert "请用本人" in text
    assert page.office.room().review(TASK).parts == {HANDLER: KeyRole.HANDLER}
