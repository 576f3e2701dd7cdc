"""The on-scene inspection: two officers, five steps, an interruption with its reason, by the recorder's own means."""

import json
import time
from urllib.parse import quote

from agent.config import read_config
from agent.duty.asks import What
from agent.evidence.reasons import Cause
from provisioning.rehearsal import hall, papers
from provisioning.rehearsal.district import OFFICERS, ON_SCENE, UNIT
from provisioning.rehearsal.findings import Inspection
from provisioning.rehearsal.officer import ask, duty, tap
from provisioning.rehearsal.processes import wait_until
from provisioning.rehearsal.stage import START_SECONDS, Stage

TASK = "T-2026-0001"
CARDS = dict(zip(OFFICERS, ("04AABB0001", "04AABB0002"), strict=True))
MATTER, PLACE_CHANGED = "对违反燃气安全管理规定的处罚", 6
AMOUNT = 30_000  # yuan: the catalogue makes it a major decision from 20 000 on in this domain
PACE_SECONDS = 0.6  # a step of the story: more than a fragment
ANSWER_SECONDS, DRAIN_SECONDS = 10.0, 30.0
SEALED = "recordings/{}/SHA256SUMS.p7s"


def inspect(stage: Stage) -> None:
    """Play the inspection with the recorder that is running; what came of it is in the findings."""
    tell = stage.tell
    tell.chapter("现场检查：两名执法人员，五个环节", "on scene: two officers, five steps, one interruption")
    _take_out(stage)
    _take_task(stage)
    film = stage.begin_film(ON_SCENE, START_SECONDS)
    _show_identity(stage)
    _mark_steps(stage, 3)
    _interrupt(stage)
    _mark_steps(stage, 4)
    papers.give_documents(stage)
    _mark_steps(stage, 5)
    receipt = papers.give_receipt(stage)
    _synced(stage)
    stage.press(ON_SCENE)
    name = film.parent.name
    stage.wait_for_file(ON_SCENE, SEALED.format(name), START_SECONDS)
    state = duty(stage)
    _hand_in(stage)
    report = stage.verify(film.parent)
    if report["verdict"] == "unexplained-gap" and _plays_a_film(stage):
        _write_reason(stage, name)
        report = stage.verify(film.parent)
    marked = [mark["step"] for mark in state["steps_marked"]]
    stage.open_in_archive(ON_SCENE)
    folder = stage.district.archive / ON_SCENE / name
    stage.findings.inspection = Inspection(
        TASK, folder, report["verdict"], tuple(marked), tuple(state["steps_required"]), receipt, papers.kept(stage)
    )
    stage.findings.expect(report["verdict"] == "explained-gap", f"现场录像 {name} 的结论是 {report['verdict']}")
    stage.findings.expect(not state["steps_missing"], f"环节未标记：{'、'.join(state['steps_missing'])}")
    tell.verdict(f"现场录像 {name}", report["verdict"], held=report["verdict"] == "explained-gap")


def _take_out(stage: Stage) -> None:
    for officer, card in CARDS.items():
        tap(stage, What.ENROL, certificate=officer, card=card)
        stage.hand(f"{ON_SCENE}-card", card)
    wait_until("领用", lambda: len(duty(stage)["officers"]) == len(CARDS), ANSWER_SECONDS, [stage.roles[ON_SCENE]])
    licensed = not any(officer["labels"] for officer in duty(stage)["officers"])
    stage.findings.expect(licensed, "人员资格清单没有认出两名持证人员")
    stage.tell.say(f"{'、'.join(OFFICERS)} 刷卡领用，持证有效", "two licensed officers, by card", held=licensed)


def _take_task(stage: Stage) -> None:
    task = {
        "task": TASK, "device": ON_SCENE, "unit": UNIT, "category": "行政处罚", "matter": MATTER, "area": "星河区",
        "party": "P-7f3a", "officers": list(OFFICERS), "amount": AMOUNT, "domain": "燃气管理", "level": "区级",
        "impact": "一般",
    }  # fmt: skip
    tap(stage, What.PICK, document=json.dumps(task, ensure_ascii=False))
    taken = duty(stage)
    stage.tell.say(
        f"任务 {TASK}：{MATTER}，清单要求 {len(taken['steps_required'])} 个环节", "the signed list says the steps"
    )
    stage.findings.expect(bool(taken["task"]["major"]), "重大执法决定没有在现场标出")
    stage.tell.warn("重大执法决定，须法制审核", "a major decision, told on scene")


def _show_identity(stage: Stage) -> None:
    """The officer's code, checked at the kiosk as a party does it; it marks the step that asks for it."""
    answer = json.loads(ask(stage, "identity", "--certificate", OFFICERS[0], "--json"))
    known = hall.shows(stage, f"/code?c={quote(answer['code'])}", {OFFICERS[0], "签名真实"})
    stage.findings.expect(known, "公示屏没有认出执法人员的身份码")
    stage.tell.say("亮证：公示屏核验身份码，签名真实", "the officer's code, checked at the kiosk", held=known)


def _mark_steps(stage: Stage, upto: int) -> None:
    """One long press for each step, up to the `upto`th."""
    while (done := len(duty(stage)["steps_marked"])) < upto:
        time.sleep(PACE_SECONDS)
        stage.press(ON_SCENE, "press long")
        wait_until(
            "标记环节",
            lambda done=done: len(duty(stage)["steps_marked"]) > done,  # type: ignore[misc]
            ANSWER_SECONDS,
            [stage.roles[ON_SCENE]],
        )
        stage.tell.say(f"环节 {done + 1}：{duty(stage)['steps_marked'][-1]['step']}", "one long press")


def _synced(stage: Stage) -> None:
    """While the recording still runs the centre has answered for everything that was told of it."""
    wait_until("中心回执", lambda: not stage.status(ON_SCENE)["waiting"], DRAIN_SECONDS, [stage.roles[ON_SCENE]])
    stage.tell.say("录制尚在进行，各环节已由中心回执", "marks and heads are at the centre while it still records")


def _interrupt(stage: Stage) -> None:
    """The place changes: pause, go on, say why."""
    for words in (f"pause {PLACE_CHANGED}", "resume", f"explain {PLACE_CHANGED}", "explained"):
        stage.press(ON_SCENE, words)
        time.sleep(PACE_SECONDS)
    stage.tell.say("检查场所变化，暂停后继续，并口头说明原因", "an interruption, with its reason spoken")


def _plays_a_film(stage: Stage) -> bool:
    """A film instead of a camera may have no sound: then nobody heard the reason."""
    return read_config(stage.district.device(ON_SCENE) / "agent.toml").capture.camera.startswith("file:")


def _write_reason(stage: Stage, name: str) -> None:
    ask(stage, "note", name, "--reason", Cause.PLACE_CHANGED, "--text", "现场更换检查场所。", "--author", OFFICERS[0])
    stage.tell.say(
        "画面文件没有声音，口头说明无法听到：由执法人员书面补充", "a film without sound: the reason is written down"
    )


def _hand_in(stage: Stage) -> None:
    tap(stage, What.END)
    for card in CARDS.values():
        stage.hand(f"{ON_SCENE}-card", card)
    wait_until("交回", lambda: not duty(stage)["officers"], ANSWER_SECONDS, [stage.roles[ON_SCENE]])
    stage.tell.say("任务结束，记录仪交回", "task ended, recorder handed in")
