"""An office in one process: everything that its commands do, without a process for each."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.wire.disclosures import DisclosureKind, parse_disclosure
from agent.wire.envelope import parse_envelope
from agent.wire.trust import Role
from kiosk.publishing.office import Holding, Office, found_office, open_office
from tests.kiosk.bench import NOW, SAMPLE, XINGHE, Bench

RULE = {
    "范围": "本机关作出的全部行政执法行为", "内容": "依法应当公示的信息", "载体": "大厅公示屏、门户网站",
    "程序": "编辑、审核两人签名后发布", "撤回时限": "3个工作日", "监督方式": "投诉举报电话 0000-0000000",
    "保障措施": "专人负责，逐日检查",
}  # fmt: skip
RULES = [
    {**RULE, "公示种类": "行政执法结果", "公示时限": "20个工作日", "公示期限": "3年"},
    {**RULE, "公示种类": "行政执法结果", "执法类别": "行政处罚", "公示时限": "7个工作日", "公示期限": "3个月",
     "节假日": ["2026-10-01", "2026-10-02"], "调休上班日": ["2026-10-10"]},
    {**RULE, "公示种类": "双随机抽查结果", "公示时限": "20个工作日", "公示期限": "3年"},
    {**RULE, "公示种类": "行政执法事项清单", "公示时限": "20个工作日", "公示期限": "长期"},
    {**RULE, "公示种类": "窗口公示牌", "公示时限": "1个工作日", "公示期限": "长期"},
]  # fmt: skip


class OfficeBench:
    """`release` takes a draft through both signatures; `now` moves only when a test says so."""

    def __init__(self, folder: Path, now: datetime = NOW) -> None:
        self.bench, self.folder, self.now = Bench(), folder / "office", now
        self.bench.office_folder(folder)
        self.root, self.trust = folder / "root.pem", folder / "trust.dsse"
        found_office(self.folder, XINGHE, self.root, self.trust)

    @property
    def office(self) -> Office:
        return open_office(self.folder)

    def draft(self, source: dict[str, Any]) -> Holding:
        return self.office.draft(json.dumps(source, ensure_ascii=False).encode(), self.now, self.folder.parent)

    def sign(self, name: str) -> None:
        self.office.sign(name, self.bench.editor.signer, Role.EDITOR, self.now)
        self.office.sign(name, self.bench.reviewer.signer, Role.REVIEWER, self.now)

    def release(self, source: dict[str, Any]) -> Holding:
        name = self.draft(source).name
        self.sign(name)
        return self.office.release(name, self.now)

    def withdraw(self, name: str, reason: str) -> Holding:
        self.office.withdraw(name, reason, self.now)
        self.sign(name)
        return self.office.release(name, self.now)

    def released(self, name: str) -> bytes:
        (path,) = (self.folder / "released").glob(f"*.{name}.dsse")
        return path.read_bytes()


def draft_of(kind: DisclosureKind, *entries: dict[str, Any], name: str = "main", **more: Any) -> dict[str, Any]:
    head = {
        "kind": kind.value,
        "id": name,
        "title": f"示例 {kind.value}",
        "audience": "all",
        "publisher": "星河区司法局",
    }
    return {**head, "entries": list(entries), **more}


def sample_of(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((SAMPLE / f"{name}.json").read_text(encoding="utf-8"))
    return table


def document_in(envelope: bytes) -> Any:
    return parse_disclosure(parse_envelope(envelope).payload)
