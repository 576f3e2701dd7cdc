import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import durable
from agent.duty.disclosure_rules import accept
from agent.wire.envelope import MAX_ENVELOPE_BYTES
from agent.wire.instant import BEIJING
from kiosk.publishing.cli import next_step
from kiosk.publishing.office import Stage
from tests.kiosk.bench import HALL, SAMPLE, XINGHE, Bench, Person, sample
from tests.support.center import until
from tests.support.commands import run_here

BOARD = "window-board.hall-1"


class Desk:
    """The office's command line, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.bench, self.folder, self.office = Bench(), folder, folder / "office"
        self.bench.office_folder(folder)
        self.must("init", "--district", "xinghe", "--root", folder / "root.pem", "--trust-list", folder / "trust.dsse")

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        return run_here("kiosk.publishing.cli", *words, "--office", self.office)

    def must(self, *words: object) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, code: int, *words: object) -> str:
        done = self.run(*words)
        assert done.returncode == code, done.stdout + done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        return done.stderr

    def draft(self, name: str) -> str:
        return self.must("draft", SAMPLE / f"{name}.json")

    def signing(self, who: Person, role: str, name: str = BOARD) -> list[object]:
        key, chain = who.write(self.folder / who.certificate.serial_number.to_bytes(20).hex())
        return ["sign", name, "--key", key, "--chain", chain, "--as", role]

    def sign_both(self, name: str = BOARD) -> None:
        self.must(*self.signing(self.bench.editor, "editor", name))
        self.must(*self.signing(self.bench.reviewer, "reviewer", name))

    def show(self, *words: object) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.must("show", *words, "--json"))
        return rows


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_is_for_recorders_alone_is_not_said_to_go_to_halls() -> None:
    assert next_step(Stage.RELEASED, "review-rules.1", "duty", Path("法制办")) == "中心将把它发布到执法终端"
    assert next_step(Stage.WITHDRAWN, "notice.1", "all", Path("法制办")) == "中心将把撤回通知发布到各大厅"


def released(desk: Desk, name: str = f"{HALL}.{BOARD}") -> bytes:
    return (desk.office / "released" / f"{name}.dsse").read_bytes()


def test_from_a_draft_to_a_document_every_kiosk_accepts_then_a_correction_then_a_withdrawal(desk: Desk) -> None:
    def taken() -> Any:
        now, trust = dt.datetime.now(dt.UTC), desk.bench.trust()
        return accept(released(desk), trust=trust, now=now, district=XINGHE, audience=HALL, current=None)

    assert "待编辑签名" in desk.draft("window-board")
    desk.sign_both()
    assert "已发布" in desk.must("release", BOARD)
    first = taken()
    assert first.version == 1
    assert [row["stage"] for row in desk.show()] == ["released"]

    desk.draft("window-board-correction")
    desk.sign_both()
    desk.must("release", BOARD)
    assert taken().version == 2
    assert taken().entries[2]["状态"] == "顶岗"

    desk.must("withdraw", BOARD, "--reason", "示例撤回")
    desk.sign_both()
    desk.must("release", BOARD)
    assert (taken().withdrawn, taken().entries) == ("示例撤回", ())
    assert "不能恢复" in desk.refused(2, "draft", SAMPLE / "window-board.json")
    assert "已经撤回" in desk.refused(2, "withdraw", BOARD, "--reason", "再撤一次")


def test_a_third_signature_is_told_what_to_do_instead(desk: Desk) -> None:
    desk.draft("window-board")
    desk.sign_both()
    assert "liuhen-publish release" in desk.refused(2, *desk.signing(desk.bench.reviewer, "reviewer"))


def test_a_withdrawal_in_hand_is_not_replaced_by_a_new_draft_unseen(desk: Desk) -> None:
    desk.draft("window-board")
    desk.sign_both()
    desk.must("release", BOARD)
    desk.must("withdraw", BOARD, "--reason", "照片有误")
    assert "照片有误" in desk.refused(2, "draft", SAMPLE / "window-board-correction.json")
    desk.must(*desk.signing(desk.bench.editor, "editor"))
    assert "先完成撤回" in desk.refused(2, "draft", SAMPLE / "window-board-correction.json")
    desk.must(*desk.signing(desk.bench.reviewer, "reviewer"))
    assert "已撤回" in desk.must("release", BOARD)


def test_an_editor_who_signs_over_a_version_that_waits_for_release_is_told(desk: Desk) -> None:
    desk.draft("window-board")
    desk.sign_both()
    desk.draft("window-board-correction")
    done = desk.run(*desk.signing(desk.bench.editor, "editor"))
    assert done.returncode == 0
    assert "第 1 版（已签名）随之作废" in done.stderr


def test_a_board_is_read_as_it_stood_on_a_day(desk: Desk) -> None:
    desk.draft("window-board")
    desk.sign_both()
    desk.must("release", BOARD)
    today = dt.datetime.now(BEIJING).date()
    assert json.loads(desk.must("as-of", f"{today}", BOARD))["entries"] == list(sample("window-board").entries)
    before = today - dt.timedelta(days=1)
    assert f"{before} 没有公示 {BOARD}" in desk.refused(2, "as-of", f"{before}", BOARD)


def test_the_editor_signs_first_and_nothing_is_released_half_signed(desk: Desk) -> None:
    desk.draft("window-board")
    assert "还没有编辑签名" in desk.refused(2, *desk.signing(desk.bench.reviewer, "reviewer"))
    desk.must(*desk.signing(desk.bench.editor, "editor"))
    told = desk.refused(2, "release", BOARD)
    assert "还缺审核签名。请由另一人运行 liuhen-publish sign" in told
    assert not list((desk.office / "released").glob("*"))


def test_the_same_person_cannot_review_and_no_role_can_be_borrowed(desk: Desk) -> None:
    desk.draft("window-board")
    assert "不能作编辑签名" in desk.refused(2, *desk.signing(desk.bench.reviewer, "editor"))
    desk.must(*desk.signing(desk.bench.editor_too, "editor"))
    assert "同一人" in desk.refused(2, *desk.signing(desk.bench.reviewer, "reviewer"))
    assert "不能作审核签名" in desk.refused(2, *desk.signing(desk.bench.editor, "reviewer"))


def test_a_document_changed_after_its_first_signature_is_not_signed_again(desk: Desk) -> None:
    desk.draft("window-board")
    desk.must(*desk.signing(desk.bench.editor, "editor"))
    path = desk.office / "signed" / f"{BOARD}.dsse"
    envelope = json.loads(path.read_text())
    envelope["payload"] = envelope["payload"][:-8] + "AAAAAAA="
    path.write_text(json.dumps(envelope))
    assert "签名与内容不符" in desk.refused(3, *desk.signing(desk.bench.reviewer, "reviewer"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"单位": ""}, "第 2 条的“单位”"),
        ({"姓名": None}, "第 2 条缺少“姓名”"),
        ({"服务事项": ["咨询，电话 13800000000"]}, "第 2 条的“服务事项”第 1 项含有未遮盖的11 位手机号"),
        ({"备注": "110101199001011234"}, "第 2 条的“备注”含有未遮盖的18 位身份证号"),
        ({"状态": "在家"}, "第 2 条的“状态”"),
        ({"职务": 1.5}, "不能公示的值"),
    ],
)
def test_a_draft_with_a_hole_or_a_personal_number_is_stopped(desk: Desk, change: dict[str, Any], said: str) -> None:
    table = json.loads((SAMPLE / "window-board.json").read_text(encoding="utf-8"))
    table["entries"][1] |= change
    draft = desk.folder / "draft.json"
    draft.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    assert said in desk.refused(2, "draft", draft)
    assert desk.show() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [({"kind": "window-bord"}, "未知"), ({"titel": "x"}, "是否想写 title"), ({"audience": "大厅"}, "标识"),
     ({"effective_until": "2020-01-01"}, "早于"), ({"effective_from": "明天"}, "effective_from"),
     ({"id": "../x"}, "标识")],
)  # fmt: skip
def test_a_draft_with_a_wrong_head_is_stopped(desk: Desk, change: dict[str, Any], said: str) -> None:
    table = json.loads((SAMPLE / "notice.json").read_text(encoding="utf-8")) | change
    draft = desk.folder / "draft.json"
    draft.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    assert said in desk.refused(2, "draft", draft)


def test_a_draft_too_large_for_one_message_is_stopped_before_anyone_signs(desk: Desk) -> None:
    table = json.loads((SAMPLE / "notice.json").read_text(encoding="utf-8"))
    table["entries"] = [{"标题": "长" * 1000, "正文": "文" * 2000}] * 21
    (desk.folder / "n.json").write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    assert "请拆成几份" in desk.refused(2, "draft", desk.folder / "n.json")
    table["entries"] = table["entries"][:20]
    (desk.folder / "n.json").write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    desk.must("draft", desk.folder / "n.json")
    desk.sign_both("notice.hours")
    desk.must("release", "notice.hours")
    assert len(released(desk, f"{HALL}.notice.hours")) < MAX_ENVELOPE_BYTES - 1024


def test_a_later_day_is_not_released_today(desk: Desk) -> None:
    table = json.loads((SAMPLE / "notice.json").read_text(encoding="utf-8")) | {"effective_from": "2098-01-01"}
    (desk.folder / "n.json").write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    desk.must("draft", desk.folder / "n.json")
    desk.sign_both("notice.hours")
    assert "生效时间未到" in desk.refused(2, "release", "notice.hours")


def test_the_commands_say_what_is_missing(desk: Desk) -> None:
    assert "没有待编辑签名" in desk.refused(2, *desk.signing(desk.bench.editor, "editor"))
    assert "没有名为" in desk.refused(2, "show", "results.x")
    assert "没有待发布" in desk.refused(2, "release", "results.x")
    assert "无需撤回" in desk.refused(2, "withdraw", "results.x", "--reason", "无")
    assert "--as" in desk.refused(2, "sign", BOARD, "--key", "k", "--chain", "c", "--as", "boss")
    assert "无法读取 k：" in desk.refused(2, "sign", BOARD, "--key", "k", "--chain", "c", "--as", "editor")
    assert "不是公示文件的名称" in desk.refused(2, "release", "../../etc/passwd")
    (desk.office / "office.toml").unlink()
    assert "liuhen-publish init" in desk.refused(2, "show")


def test_a_persons_key_that_others_can_read_signs_nothing(desk: Desk) -> None:
    desk.draft("window-board")
    words = desk.signing(desk.bench.editor, "editor")
    Path(str(words[words.index("--key") + 1])).chmod(0o640)
    assert "chmod 600" in desk.refused(2, *words)


def test_help_shows_examples(desk: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kiosk.publishing.cli", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "示例" in done.stdout
    assert "liuhen-publish sign" in done.stdout


def test_a_damaged_file_stands_in_the_way_of_its_own_document_only(desk: Desk) -> None:
    desk.draft("window-board")
    desk.sign_both()
    desk.must("release", BOARD)
    place = desk.office / "released" / f"{HALL}.{BOARD}.dsse"
    whole = place.read_bytes()
    place.write_bytes(whole[:100])
    (desk.office / "drafts" / "notice.x.json").write_bytes(b"{")
    assert "待编辑签名" in desk.draft("service-guide")
    rows = {row["id"]: row for row in desk.show()}
    assert [name for name, row in rows.items() if row["stage"] == "damaged"] == [f"{HALL}.{BOARD}", "notice.x"]
    assert "损坏" in desk.must("show")
    assert place.name in desk.refused(2, "draft", SAMPLE / "window-board.json")
    place.write_bytes(whole)
    assert json.loads(desk.must("draft", SAMPLE / "window-board.json", "--json"))["version"] == 2


def waits_for_a_lock(process: subprocess.Popen[bytes]) -> bool:
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and str(process.pid) in line.split() for line in lines)


@pytest.mark.parametrize("verb", ["draft", "sign", "release", "withdraw"])
def test_two_people_at_one_folder_wait_for_each_other(desk: Desk, verb: str) -> None:
    desk.draft("window-board")
    if verb in ("release", "withdraw"):
        desk.sign_both()
    if verb == "withdraw":
        desk.must("release", BOARD)
    words = {
        "draft": ["draft", SAMPLE / "window-board-correction.json"], "release": ["release", BOARD],
        "sign": desk.signing(desk.bench.editor, "editor"), "withdraw": ["withdraw", BOARD, "--reason", "示例"],
    }[verb]  # fmt: skip
    before = held_in(desk.office)
    with durable.exclusive(desk.office):
        command = [sys.executable, "-m", "kiosk.publishing.cli", *map(str, words), "--office", str(desk.office)]
        other = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(lambda: waits_for_a_lock(other), "the other waits")
        assert other.poll() is None
        assert held_in(desk.office) == before
    assert other.wait(60) == 0
    assert held_in(desk.office) != before


def held_in(office: Path) -> dict[str, bytes]:
    stages = ("drafts", "signed", "released")
    return {str(path): path.read_bytes() for stage in stages for path in office.glob(f"{stage}/*.*")}
