"""`liuhen-center review`: legal review of decisions (重大执法决定法制审核)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.clock import system_clock
from agent.duty.act_bodies import parse_findings
from agent.duty.case_facts import CaseFacts
from agent.duty.case_json import case_digest, case_json
from agent.duty.case_papers import lacking, text_rate
from agent.duty.review import FLOW, MOVE_WORDS, Move, Review, turns
from agent.duty.review_admission import (
    barred,
    decision,
    missing_materials,
    must_be_reviewed,
    opinion,
    overtaken,
    submission,
)
from agent.duty.review_elements import review_elements
from agent.duty.review_rules import ReviewRules
from agent.errors import OperatorFault, SenderFault
from agent.evidence.certificates import common_name
from agent.key_files import read_private_key, read_signer
from agent.wire.acts import parse_act, seal_act
from agent.wire.instant import BEIJING
from agent.wire.signing import load_pem_certificates
from provisioning.authority.authority import read_file
from provisioning.center.cases import CaseRoom, none_there, there
from provisioning.center.config import read_config
from provisioning.center.review_packet import Seal, check_packet, write_packet
from provisioning.cli_frame import err, tell

app = typer.Typer(no_args_is_help=True, help="法制审核：送审、意见、异议、协调、决定，审核包 (legal review).")

Config = Annotated[Path, typer.Option("--config", help="center.toml 的路径")]
Recordings = Annotated[Path, typer.Option("--recordings", help="中心存放录制文件夹的目录")]
Task = Annotated[str, typer.Argument(help="任务编号，如 T-2026-0001")]
Json = Annotated[bool, typer.Option("--json", help="输出 JSON，供程序读取")]
ArchiveKey = Annotated[Path | None, typer.Option("--key", help="存档私钥 archive.key，打开加密的录像与文书原文")]
FIELDS_OF_FINDINGS = '[{"number": 1, "finding": "符合|不符合|需补充|不适用", "note": "理由"}, …]'


@app.command("list", epilog="例：liuhen-center review list --config center.toml --recordings recordings")
def list_cases(config: Config, recordings: Recordings, as_json: Json = False) -> None:
    """每项任务的审核状态 (one line per task)."""
    room = _room(config, recordings)
    rows = [{"task": task, "stage": _stage(room, task)} for task in room.tasks()]
    tell(
        "\n".join(f"{row['task']}  {row['stage']}" for row in rows) or "还没有任何任务。",
        {"cases": rows},
        as_json=as_json,
    )


def _stage(room: CaseRoom, task: str) -> str:
    try:
        return room.review(task).stage.value
    except SenderFault as fault:  # told, and the others are listed all the same
        return f"审核记录不能采信：{fault}"


@app.command(epilog="例：liuhen-center review show T-2026-0001 --config center.toml --recordings recordings")
def show(task: Task, config: Config, recordings: Recordings, as_json: Json = False) -> None:
    """案件事实、十一项要素的预填、状态与期限 (facts, elements, state, time limits)."""
    room = _room(config, recordings)
    facts, review = room.facts(task), room.review(task)
    ruling = room.ruling(facts.unit)
    rules = ruling.rules
    lines = [f"{task}  {facts.matter}  {review.stage.value}{'  须法制审核' if must_be_reviewed(facts, rules) else ''}"]
    for element in review_elements(facts):
        lines.append(f"{element.number:>2} {element.question}：{element.prefill.value}")
        lines += [f"     {'✗' if line.against else '·'} {line.text}" for line in element.lines]
    changed = overtaken(review, case_digest(facts))
    lines[1:1] = [line for line in (changed, ruling.told, none_there(facts, recordings)) if line]
    tell("\n".join([*lines, _next(review, facts, rules)]), _facts_json(facts, review, rules), as_json=as_json)


@app.command(
    epilog="例：liuhen-center review act T-2026-0001 submit --config center.toml --recordings recordings "
    "--key handler.key --chain handler.pem --material 执法文书 --material 拟处理意见"
)
def act(
    task: Task,
    move: Annotated[str, typer.Argument(help="、".join(f"{it.value} {words}" for it, words in MOVE_WORDS.items()))],
    config: Config,
    recordings: Recordings,
    key: Annotated[Path, typer.Option(help="办理人的私钥 (PKCS8 PEM)")],
    chain: Annotated[Path, typer.Option(help="办理人的证书链 (PEM)")],
    text: Annotated[str, typer.Option(help="理由、意见")] = "",
    material: Annotated[list[str] | None, typer.Option(help="送审材料的名称，可重复（submit）")] = None,
    transfer: Annotated[str, typer.Option(help="涉嫌犯罪需要移送的理由（submit）")] = "",
    findings: Annotated[
        Path | None, typer.Option(help=f"要素意见的 JSON 文件（approve、object）：{FIELDS_OF_FINDINGS}")
    ] = None,
    outcome: Annotated[str, typer.Option(help="按审核意见办理、按承办意见办理、修改后办理（resolve）")] = "",
    document: Annotated[str, typer.Option(help="决定书文号（decide）")] = "",
    settled: Annotated[str, typer.Option(help="现场未知的重大情形后来如何查明（decide）")] = "",
    as_json: Json = False,
) -> None:
    """办理一步并签名；不合规则的被拒绝，谁在何时试过什么留有记录 (one signed act; refusals are kept)."""
    done, room = _move(move), _room(config, recordings)
    facts = room.facts(task, transfer if done is Move.SUBMIT else None)
    review = room.review(task)
    body: Mapping[str, Any] = {"text": text}
    match done:
        case Move.SUBMIT:
            body = submission(facts, material or [], text)
        case Move.APPROVE | Move.OBJECT:
            body = opinion(review, parse_findings(_entries(findings)), text)
        case Move.RESOLVE:
            body = {"outcome": outcome, "text": text}
        case Move.DECIDE:
            body = decision(facts, document, text, settled)
    if doubt := none_there(facts, recordings):
        err.print(doubt)
    after = room.act(task, done, body, read_signer(key, chain), facts)
    rules = room.ruling(facts.unit).rules
    absent = missing_materials(body["materials"], rules) if done is Move.SUBMIT else ()
    lacks = f"缺少材料：{'、'.join(absent)}，审核人可退回补正。" if absent else ""
    told = f"{task}：{MOVE_WORDS[done]}，现为“{after.stage.value}”。{lacks}{_next(after, facts, rules)}"
    tell(told, {**_state(after), "missing_materials": absent}, as_json=as_json)


@app.command(epilog="例：liuhen-center review sign T-2026-0001.002.accept.json --key examiner.key --chain examiner.pem")
def sign(
    draft: Annotated[Path, typer.Argument(help="从中心页面下载的待签文件")],
    key: Annotated[Path, typer.Option(help="签名人的私钥 (PKCS8 PEM)")],
    chain: Annotated[Path, typer.Option(help="签名人的证书链 (PEM)")],
    as_json: Json = False,
) -> None:
    """在本人电脑上为一步办理签名；输出粘贴到中心页面提交 (sign a draft from the page)."""
    act = parse_act(read_file(draft))
    own = common_name(load_pem_certificates(read_file(chain))[0])
    if own != act.by:
        raise OperatorFault(f"待签文件是 {act.by} 的，证书是 {own} 的。请用本人的 --key 与 --chain。")
    envelope = seal_act(act, read_signer(key, chain)).decode()
    words = MOVE_WORDS.get(_move(act.kind), act.kind)
    err.print(f"{act.subject} 第 {act.number} 项：{words}。{act.body.get('text', '')}")
    tell(envelope, {"envelope": envelope, "subject": act.subject, "kind": act.kind}, as_json=as_json)


@app.command(
    epilog="例：liuhen-center review packet T-2026-0001 --config center.toml --recordings recordings --out 审核包 "
    "--paper 现场检查笔录.pdf"
)
def packet(
    task: Task,
    config: Config,
    recordings: Recordings,
    out: Annotated[Path, typer.Option("--out", help="新文件夹")],
    paper: Annotated[list[Path] | None, typer.Option(help="放入包中的材料，可重复")] = None,
    key: ArchiveKey = None,
    as_json: Json = False,
) -> None:
    """写审核包：页面、事实、签名的办理记录、清单与中心签名 (a folder anybody can check)."""
    room = _room(config, recordings, key)
    facts, settings = room.facts(task), room.config
    documents = room.papers(facts)
    seal = Seal(
        settings.receiver,
        read_signer(settings.key, settings.chain),
        read_file(settings.root),
        read_file(settings.trust_list),
    )
    acts = room.folder.envelopes(task)
    write_packet(
        out, facts, room.review(task), room.ruling(facts.unit), acts=acts, grounds=room.folder.grounds(task),
        documents=documents, papers=paper or [], recordings=recordings, seal=seal, now=room.now,
    )  # fmt: skip
    absent = lacking(documents)
    warned = f"\n缺文书原文：{'、'.join(absent)}。原文随录像到中心；加密的请用 --key。" if absent else ""
    told = f"已写好审核包 {out}。请打开 {out / 'review.html'}；检验办法见其中 HOW-TO-CHECK.txt。{warned}"
    tell(told, {"folder": out, "texts": text_rate(documents), "absent": absent}, as_json=as_json)


@app.command(epilog="例：liuhen-center review check 审核包 --root root.pem")
def check(
    folder: Annotated[Path, typer.Argument(help="审核包")],
    root: Annotated[Path, typer.Option(help="本区根证书，从本区另行取得")],
    as_json: Json = False,
) -> None:
    """核对审核包的每个文件、每项签名 (check a packet)."""
    try:
        pinned = load_pem_certificates(read_file(root))[0]
    except SenderFault as error:
        raise OperatorFault(f"{root} 不是 PEM 证书。请用 --root 指定本区的 root.pem。") from error
    found = check_packet(folder, pinned)
    told = f"{found.review.task}，{found.review.stage.value}，{len(found.review.acts)} 项办理记录"
    absent = f"其中没有原文的文书：{'、'.join(found.absent)}。" if found.absent else ""
    unruled = "".join(f"第 {number} 项未附审核办法，无从核对审核人是否属于审核机构。" for number in found.unruled)
    changed = overtaken(found.review, found.facts)
    message = f"审核包完好：{told}，由 {found.sealed_by} 封存。{absent}{unruled}{changed}"
    facts = {
        "facts": found.facts, "sealed_by": found.sealed_by, "absent": found.absent, "unruled": found.unruled,
        "changed": bool(changed),
    }  # fmt: skip
    tell(message, {**_state(found.review), **facts}, as_json=as_json)


def _room(config: Path, recordings: Path, key: Path | None = None) -> CaseRoom:
    archive = None if key is None else read_private_key(key)
    return CaseRoom(read_config(config), there(recordings), system_clock().read().wall, archive)


def _move(text: str) -> Move:
    try:
        return Move(text)
    except ValueError as error:
        raise OperatorFault(f"没有“{text[:20]}”这一步，可用：{'、'.join(Move)}。") from error


def _entries(path: Path | None) -> list[Any]:
    if path is None:
        raise OperatorFault(f"请用 --findings 指定要素意见文件：{FIELDS_OF_FINDINGS}。")
    try:
        found = json.loads(read_file(path))
    except ValueError as error:
        raise OperatorFault(f"{path} 不是 JSON，应形如 {FIELDS_OF_FINDINGS}。") from error
    return found if isinstance(found, list) else [found]


def _next(review: Review, facts: CaseFacts, rules: ReviewRules) -> str:
    closed = barred(review, facts, rules)
    moves = [move for stage, move in FLOW if stage is review.stage and move not in closed]
    allowed = "、".join(f"{MOVE_WORDS[move]}（{move}）" for move in moves)
    due = [turn.due for turn in turns(review, rules) if turn.ended is None]
    limit = f"期限 {due[-1].astimezone(BEIJING):%Y-%m-%d}。" if due and due[-1] else ""
    return f"下一步：{allowed or '无，已办结'}。{limit}"


def _state(review: Review) -> dict[str, Any]:
    acts = [
        {"number": it.act.number, "kind": it.act.kind, "by": it.act.by, "at": it.act.at.isoformat()}
        for it in review.acts
    ]
    return {"task": review.task, "stage": review.stage.value, "acts": acts}


def _facts_json(facts: CaseFacts, review: Review, rules: ReviewRules) -> dict[str, Any]:
    elements = [
        {
            "number": element.number,
            "question": element.question,
            "prefill": element.prefill.value,
            "lines": [{"text": line.text, "against": line.against} for line in element.lines],
        }
        for element in review_elements(facts)
    ]
    return {
        **_state(review),
        "must_be_reviewed": must_be_reviewed(facts, rules),
        "elements": elements,
        "facts": case_json(facts),
    }
