"""`liuhen-provision check, assign, decommission, doctor`: a device between its enrolment and its end, and the bench."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.wire.instant import BEIJING
from agent.wire.life_documents import AcceptanceReport
from agent.wire.trust import Role
from provisioning.authority import cert_book
from provisioning.authority.authority import open_authority, read_file, waiting
from provisioning.authority.list_term import broker_term, signed_term
from provisioning.authority.register import BROKER_ROLE, CANARY_ROLE, LOGIN_ROLE, TSA_ROLE, Entry
from provisioning.center.broker_folder import behind
from provisioning.cli_frame import read_given, tell
from provisioning.fleet import life
from provisioning.fleet.bench_keys import key_files
from provisioning.fleet.erasure import RESIDUAL, Erasure
from provisioning.fleet.inventory_cli import AuthorityDir, By, Json, now, operator
from provisioning.fleet.medium import scan
from provisioning.fleet.sheet import Line, Sheet, sheet_html

BROKER_STEP = "broker-config --reload（消息服务器）、page-certificate（页面）或 serve（入网服务）"
FAILED = 5  # README: it ran, but something did not hold
PrintTo = Annotated[Path | None, typer.Option("--print", help="另写一份给人看的：.html 或 .pdf")]
NOTES = (
    "本报告由设备用自己的证据密钥签名，由机构核对签名、编号与硬件序列号后登记。",
    "合格说明设备当时如此；不说明它以后如此，也不说明录下的场景为真。",
)


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(
        epilog="例：liuhen-provision check REC-0001 --report REC-0001.dsse --print 验收.html --authority authority"
    )(check)
    app.command(epilog="例：liuhen-provision assign REC-0001 --officer 示例-000001 --authority authority")(assign)
    app.command(epilog="例：liuhen-provision repair REC-0001 --reason 屏幕碎裂 --authority authority")(repair)
    app.command(epilog="例：liuhen-provision decommission REC-0001 --order retire.dsse --authority authority")(
        decommission
    )
    app.command(epilog="例：liuhen-provision doctor --authority authority --broker-folder broker")(doctor)


def check(
    device: Annotated[str, typer.Argument(help="已入网的设备")],
    report: Annotated[Path, typer.Option("--report", help="设备签名的报告（liuhen-agent acceptance --out）")],
    authority: AuthorityDir,
    paper: PrintTo = None,
    out: Annotated[Path | None, typer.Option(help="机构签的验收通知写到这里")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """验收：核对设备签名的报告，登记；全部合格才算验收，否则以 5 结束 (acceptance)."""
    _refuse_paper(paper)
    data = read_given(report)
    with life.bench(open_authority(authority, operator(by))) as at:
        told = life.read_report(at, device, data, now())
        accepted = life.accept(at, told, data, now())
        unit = at.inventory.device(device).unit
    if paper is not None:
        _print(_acceptance_sheet(told, unit), paper)
    if out is not None and accepted is not None:
        durable.write_bytes(out, accepted)
    failed = [item.text for item in told.items if item.level == "fail"]
    lines = [f"{device} 验收{'合格' if told.passed else '不合格'}（{len(told.items)} 项）。", *failed]
    lines.append(_after_check(device, paper, out) if told.passed else "下一步：处理以上各项，再做一次验收。")
    items = [{"item": item.name, "level": item.level, "text": item.text} for item in told.items]
    tell("\n".join(lines), {"device": device, "passed": told.passed, "items": items}, as_json=as_json)
    if not told.passed:
        raise typer.Exit(FAILED)


def _after_check(device: str, paper: Path | None, out: Path | None) -> str:
    printed = "" if paper is None else f"报告已写到 {paper}。"
    way = "设备次日自取验收通知，或在设备上运行 liuhen-agent acceptance --fetch"
    if out is not None:
        way = f"把验收通知 {out} 带到设备，运行 liuhen-agent acceptance --accepted"
    return f"{printed}下一步：{way}；再运行 assign {device} --officer 人员编号。"


def assign(
    device: Annotated[str, typer.Argument(help="已验收的设备")],
    authority: AuthorityDir,
    officer: Annotated[str, typer.Option(help="人员编号；不写姓名")] = "",
    hand_back: Annotated[bool, typer.Option("--hand-back", help="交回")] = False,
    out: Annotated[Path | None, typer.Option(help="签名的配备文件写到这里")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """配备给一名人员：一份签名、注明日期的文件，不换证书；再次配备即转交 (assignment)."""
    if bool(officer) == hand_back:
        raise OperatorFault("请写明 --officer，或只写 --hand-back。")
    with life.bench(open_authority(authority, operator(by))) as at:
        if hand_back:
            at.inventory.hand_back(device, "交回", now())
        else:
            document = life.assign(at, device, officer, now())
            if out is not None:
                durable.write_bytes(out, document)
    done = "已交回。下一步：再次 assign，或 decommission。"
    given = f"已配备给 {officer}。下一步：交给本人；交回时运行 assign --hand-back。"
    message = f"{device} {done if hand_back else given}"
    tell(message, {"device": device, "officer": officer}, as_json=as_json)


def repair(
    device: Annotated[str, typer.Argument(help="在用的设备")],
    authority: AuthorityDir,
    reason: Annotated[str, typer.Option(help="送修的原因")] = "",
    back: Annotated[bool, typer.Option("--back", help="修好取回")] = False,
    by: By = "",
    as_json: Json = False,
) -> None:
    """送修与取回：记入台账；修好的设备要重新验收才能再配备 (to the workshop and back)."""
    if bool(reason) == back:
        raise OperatorFault("请写明 --reason，或只写 --back。")
    with life.bench(open_authority(authority, operator(by))) as at:
        if back:
            life.from_repair(at, device, now())
        else:
            life.to_repair(at, device, reason, now())
    done = f"已修好取回。下一步：再做验收，check {device}。"
    sent = "已送修，证书照常有效。下一步：修好后 repair --back；交外单位修理的，请先 revoke，修好后重新制卡。"
    tell(f"{device} {done if back else sent}", {"device": device, "back": back}, as_json=as_json)


def decommission(
    device: Annotated[str, typer.Argument(help="要退役的设备")],
    authority: AuthorityDir,
    order: Annotated[Path | None, typer.Option("--order", help="第一步：签发退役指令，写到这里")] = None,
    statement: Annotated[Path | None, typer.Option("--statement", help="第二步：设备签名的退役声明")] = None,
    medium: Annotated[Path | None, typer.Option(help="其存储卡、映像或目录：逐字节查有无残留明文")] = None,
    reason: Annotated[str, typer.Option(help="设备已不能启动时：如何处置的")] = "",
    paper: PrintTo = None,
    out: Annotated[Path | None, typer.Option(help="签名的擦除证明写到这里")] = None,
    by: By = "",
    as_json: Json = False,
) -> None:
    """退役：先签发指令，设备在一切都有回执之后擦除自己；再凭声明吊销、登记、出具擦除证明 (end of life)."""
    _refuse_paper(paper)
    if order is not None and (statement or medium or reason or paper or out):
        raise OperatorFault("--order 是第一步，只能单独使用。第二步再用 --statement 或 --reason，请分两次运行。")
    source = open_authority(authority, operator(by))
    with life.bench(source) as at:
        if order is not None:
            durable.write_bytes(order, life.retire_order(at, device, now()))
            step = f"下一步：在设备上运行 liuhen-agent retire --order {order.name} --config …。"
            tell(
                f"{device} 的退役指令已写到 {order}，14 天内有效。{step}",
                {"device": device, "order": order},
                as_json=as_json,
            )
            return
        said = None
        if statement is not None:
            data = read_given(statement)
            said = life.read_last_word(at, device, data), data
        looked = scan(medium) if medium is not None else None
        word, sealed = life.conclude(at, device, said, looked, reason, now())
    if out is not None:
        durable.write_bytes(out, sealed)
    if paper is not None:
        _print(_erasure_sheet(word), paper)
    late = waiting(source)
    step = late or "下一步：broker-config --reload 使消息服务器生效（serve 在运行则会自动生效）。"
    facts = {"device": device, "read": word.read, "found": word.found, "statement": word.statement}
    facts["trust_current"] = not late
    tell(f"{device} 已退役：证书已吊销，台账已登记。{RESIDUAL[0]}{step}", facts, as_json=as_json)


def doctor(
    authority: AuthorityDir,
    broker: Annotated[Path | None, typer.Option("--broker-folder", help="Mosquitto 的目录：查它所用的吊销列表")] = None,
    as_json: Json = False,
) -> None:
    """检查工作台：程序、密钥与证书、信任清单、吊销列表、审计记录；有问题即以 5 结束 (look over the bench)."""
    found = [*_programs(), *_authority_state(authority, broker), *key_files(authority)]
    lines = [f"{'[正常]' if good else '[问题]'}  {text}" for good, text in found]
    facts = {"items": [{"good": good, "text": text} for good, text in found]}
    tell("\n".join(lines), facts, as_json=as_json)
    if not all(good for good, _ in found):
        raise typer.Exit(FAILED)


def _programs() -> list[tuple[bool, str]]:
    needed = {"mcopy": ("写卡映像", "mtools"), "openssl": ("SM2 密钥与手工核验", "openssl")}
    there = {name: shutil.which(name) is not None for name in needed}
    return [
        (there[name], f"{what}：{name} {'在' if there[name] else f'不在。请运行 apt install {package}'}。")
        for name, (what, package) in needed.items()
    ]


def _authority_state(folder: Path, broker: Path | None) -> list[tuple[bool, str]]:
    source = open_authority(folder)
    with life.bench(source) as at:
        current = at.sitting.publish()
        until = at.sitting.issuer.certificate.not_valid_after_utc
        try:
            audit = (True, f"审计记录：{at.inventory.records.verified_audit().number} 条，链完整。")
        except (SenderFault, OperatorFault) as fault:
            audit = (False, f"审计记录：{fault}")
        lists = [*_lists(at, broker), *(_ending(entry) for entry in cert_book.ending(at.inventory.records, now()))]
    listed, late = source.trust(), "" if current else "；根密钥不在，未能更新。请带回根密钥，再运行 doctor"
    return [
        (current, f"信任清单：第 {listed.version} 版，{len(listed.credentials)} 项{late}。"),
        _issuing(until),
        *lists,
        audit,
    ]


def _issuing(until: datetime) -> tuple[bool, str]:
    if until > now():
        return True, f"签发证书：有效期至 {until:%Y-%m-%d}。"
    return False, f"签发证书：已于 {until:%Y-%m-%d} 过期。请核对本机时钟；确已过期，请用新目录建机构，重新制卡。"


def _ending(entry: Entry) -> tuple[bool, str]:
    """A certificate that somebody has to renew by the command that made it."""
    until = entry.certificate.not_valid_after_utc
    left = f"{until:%Y-%m-%d} 到期，只剩 {(until - now()).days} 天" if until > now() else f"已于 {until:%Y-%m-%d} 过期"
    steps = {BROKER_ROLE: BROKER_STEP, CANARY_ROLE: BROKER_STEP, LOGIN_ROLE: "add-login", TSA_ROLE: "add-tsa"}
    steps |= {Role.RECEIVER.value: "add-receiver"}
    step = steps.get(entry.role, "add-person")
    return False, f"证书：{entry.subject}（{entry.profile.label}）{left}。换发请以原来的参数再运行 {step}。"


def _lists(at: life.Bench, broker: Path | None) -> list[tuple[bool, str]]:
    """The revocation list that the broker in `broker` runs on, else the one that was signed last; none is no fault."""
    try:
        if broker is not None:
            term = broker_term(read_file(broker / "crl.pem"), at.sitting.issuer.certificate)
        elif (found := signed_term(at.inventory.records)) is not None:
            term = found
        else:
            return [(True, "吊销列表：还没有签发过。")]
    except (SenderFault, OperatorFault) as fault:
        return [(False, str(fault))]
    late = "" if broker is None else behind(at.authority, broker, now())
    return [(term.good(now()), term.told(now())), *([(False, late)] if late else [])]


def _acceptance_sheet(told: AcceptanceReport, unit: str) -> Sheet:
    facts = [("设备", told.device), ("使用单位", unit), ("硬件序列号", told.hardware), ("软件版本", told.version)]
    facts.append(("报告时间", f"{told.made_at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}（北京时间，按设备时钟）"))
    verdict = "合格 PASS" if told.passed else "不合格 FAIL"
    return Sheet("设备验收报告", verdict, told.passed, facts, [Line(it.level, it.text) for it in told.items], NOTES)


def _erasure_sheet(word: Erasure) -> Sheet:
    at = f"{word.at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}（北京时间）"
    facts = [("设备", word.device), ("硬件序列号", word.hardware), ("时间", at)]
    facts += [("经办", word.by), ("处置说明", word.reason or "—")]
    said = f"设备声明：{word.events} 条事件、{word.recordings} 个录像均有中心回执，随后擦除密钥与全部内容。"
    lines = [Line("pass" if word.statement else "attention", said if word.statement else "没有设备的声明。")]
    size = f"{word.read / 1e6:.1f} MB" if word.read >= 100_000 else f"{word.read} 字节"
    seen = f"介质 {size}逐字节读过，未见密钥、口令、事件库或录像的明文标记。"
    lines.append(Line("pass" if word.read else "attention", seen if word.read else "介质不在手边，没有读过。"))
    lines.append(Line("pass", "证书已吊销，不能再签名或连接。"))
    digest = [("声明摘要", word.statement)] if word.statement else []
    return Sheet("设备擦除证明", "已退役", True, [*facts, *digest], lines, [f"尚存风险：{text}" for text in RESIDUAL])


def _print(sheet: Sheet, path: Path) -> None:
    if path.suffix == ".pdf":
        from provisioning.fleet.sheet_pdf import sheet_pdf

        durable.write_bytes(path, sheet_pdf(sheet))
    else:
        durable.write_bytes(path, sheet_html(sheet).encode())


def _refuse_paper(path: Path | None) -> None:
    """Before anything is done: what was done could not be printed."""
    if path is not None and path.suffix not in (".html", ".pdf"):
        raise OperatorFault(f"{path.name} 应以 .html 或 .pdf 结尾。请改正 --print。")
