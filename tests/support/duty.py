"""Officers, lists and tasks of an invented department, for tests."""

from pathlib import Path
from typing import Any

from agent import duty_cli
from agent.config import read_config
from agent.duty.asks import What
from agent.wire.disclosures import Disclosure, DisclosureKind
from tests.support.commands import run_here
from tests.support.documents import notice

UNIT = "星河区综合行政执法局"
FIRST, SECOND, EXPIRED = "示例-000123", "示例-000124", "示例-000125"
FIELDS = {"事由": "日常检查", "依据": "《示例条例》第十条", "权利义务": "有权陈述申辩", "检查情况": "证照齐全"}
STEPS = ("表明身份、出示证件", "告知事由依据", "告知权利义务", "听取陈述申辩", "制作并送达文书")


def officer(certificate: str, **changes: str) -> dict[str, Any]:
    fields = {
        "姓名": f"示例甲{certificate[-3:]}", "单位": UNIT, "职务": "执法队员", "证件编号": certificate,
        "执法类别": "行政检查", "执法区域": "星河区", "证件有效期至": "2099-12-31", "年度审验": "合格",
    }  # fmt: skip
    return {**fields, **changes}


def personnel(version: int = 3, **changes: Any) -> Disclosure:
    entries = (officer(FIRST), officer(SECOND), officer(EXPIRED, 证件有效期至="2020-12-31"))
    fields = {"audience": "all", "kind": DisclosureKind.PERSONNEL_LIST, "disclosure_id": "personnel"}
    return notice(version, **{"entries": entries, **fields, **changes})


def recording_list(version: int = 2, steps: tuple[str, ...] = STEPS) -> Disclosure:
    row = {
        "序号": "1", "执法类别": "行政检查", "执法事项": "示例场所检查", "记录环节": "现场检查",
        "记录方式": "音像记录", "记录开始时间": "抵达现场", "记录内容": list(steps), "记录结束时间": "离开现场",
        "存储期限": "3年", "备注": "无",
    }  # fmt: skip
    kind = DisclosureKind.RECORDING_LIST
    return notice(version, audience="all", kind=kind, disclosure_id="recording-list", entries=(row,))


def task(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "task": "T-2026-0001", "device": "REC-0001", "unit": UNIT, "category": "行政检查", "matter": "示例场所检查",
        "area": "星河区", "party": "P-7f3a", "officers": [FIRST, SECOND],
    }  # fmt: skip
    return {**fields, **changes}


class Duty:
    """What an officer asks of the agent of one device, by its command or, which is quicker, by the function behind."""

    def __init__(self, config: Path) -> None:
        self._path = config

    def ask(self, what: What, **values: str) -> str:
        return str(duty_cli.ask(read_config(self._path), what, **values)["text"])

    def run(self, *words: str, given: str = "", fails: int = 0) -> str:
        done = run_here("agent.cli", *words, "--config", self._path, given=given)
        assert done.returncode == fails, done.stderr
        return done.stdout + done.stderr

    def state(self) -> dict[str, Any]:
        return duty_cli.read_state(read_config(self._path).state_dir)
