"""What any centre must do, each rule with the question that finds out. The chain goes on from rule to rule."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from agent.errors import SenderFault
from agent.wire.device_events import EVENTS_TYPE, GENESIS, EventType, encode_batch
from agent.wire.envelope import open_envelope, seal
from agent.wire.identifiers import DeviceId, Digest, device_kind
from agent.wire.status import RECEIVER_STATUS_TYPE
from agent.wire.topics import CENTRAL, EVENTS, device_topic
from agent.wire.trust import Role
from provisioning.contract.trial import Trial

FILLING = "示" * 300  # 900 bytes: fifty such events come near the 64 KiB of a batch
SKIPPED_NUMBERS = 5


class Result(StrEnum):
    """What became of a rule."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    SKIP = "SKIP"


@dataclass(frozen=True)
class Rule:
    """`check` returns None when the rule is kept, or why it could not be asked; it raises `SenderFault`."""

    name: str
    chinese: str
    check: Callable[[Trial], str | None]


@dataclass(frozen=True)
class Outcome:
    """A rule's result with its reason, empty for PASS."""

    rule: str
    chinese: str
    result: Result
    reason: str = ""


def run(trial: Trial) -> Iterator[Outcome]:
    """Ask every rule, one after the other."""
    for rule in RULES:
        yield _asked(rule, trial)


def _asked(rule: Rule, trial: Trial) -> Outcome:
    try:
        skipped = rule.check(trial)
    except SenderFault as broken:
        return Outcome(rule.name, rule.chinese, Result.FAIL, str(broken))
    return Outcome(rule.name, rule.chinese, Result.SKIP if skipped else Result.PASS, skipped or "")


def _certificate(trial: Trial) -> str | None:
    refused = trial.session.anonymous_refused()
    if refused is False:
        raise SenderFault("没有客户端证书也能连接。")
    return "此连接方式不能询问" if refused is None else None


def _own_topics(trial: Trial) -> str | None:
    if not trial.session.tells_refusals:
        return "MQTT 3.1.1 不告知拒绝"
    own = trial.subject.device
    other = DeviceId(f"{device_kind(own).value.upper()}-{'999998' if own.endswith('999999') else '999999'}")
    if trial.session.publish(device_topic(trial.subject.place, other, EVENTS), b"{}"):
        raise SenderFault(f"消息服务器让本设备写了 {other} 的主题。")
    return None


def _birth(trial: Trial) -> str | None:
    trial.birth()
    found = trial.receipt(lambda _: True, "对上线状态的回执")
    trial.upto, trial.head = found.upto, found.head
    trial.hashes[found.upto] = found.head
    return None


def _receiver_state(trial: Trial) -> str | None:
    states = [(topic, data) for topic, data in trial.others if topic.split("/")[3:4] == [CENTRAL]]
    if not states:
        raise SenderFault("没有任何接收端的保留状态（central/…/state）。")
    for _, data in states:
        open_envelope(data, RECEIVER_STATUS_TYPE, trial.subject.trust, trial.clock.read().wall).signer(Role.RECEIVER)
    return None


def _commit(trial: Trial) -> str | None:
    trial.send(trial.next_events(3))
    trial.settled()
    return None


def _duplicate(trial: Trial) -> str | None:
    bodies = trial.next_events(2)
    trial.send(bodies)
    trial.settled()
    trial.send(bodies)
    trial.send(trial.next_events(1))
    trial.settled("在重复发送之后的回执")
    return None


def _gap(trial: Trial) -> str | None:
    before = trial.upto
    bodies = trial.next_events(4)
    trial.send(bodies[1:])
    found = trial.receipt(lambda it: it.resend or it.upto > before, "要求重发（resend）的回执")
    if found.upto > before:
        raise SenderFault(f"第 {before + 1} 号还没有发出，回执却已到第 {found.upto} 号。")
    trial.send(bodies)
    trial.settled("补齐缺口之后的回执")
    return None


def _reordered(trial: Trial) -> str | None:
    bodies = trial.next_events(6)
    for part in (bodies[4:], bodies[:2], bodies[2:4]):
        trial.send(part)
    trial.send(bodies)  # what a receiver has not kept is sent again, as a device would
    trial.settled("乱序到达之后的回执")
    return None


def _forged(trial: Trial) -> str | None:
    trial.send([trial.event(trial.upto + 1, trial.head, "/forged")], trial.subject.stranger)
    return _true_one_counts(trial)


def _altered(trial: Trial) -> str | None:
    body = trial.event(trial.upto + 1, trial.head, "/a")
    sealed = seal(EVENTS_TYPE, encode_batch([body]), [trial.subject.signer])
    other = seal(EVENTS_TYPE, encode_batch([body.replace(b"/a", b"/b")]), [trial.subject.stranger])
    payload, wrong = (data.partition(b'","payloadType')[0] for data in (sealed, other))
    trial.send_sealed(sealed.replace(payload, wrong))
    return _true_one_counts(trial)


def _foreign_source(trial: Trial) -> str | None:
    other = DeviceId(f"{device_kind(trial.subject.device).value.upper()}-999997")
    trial.send([trial.event(trial.upto + 1, trial.head, "/foreign", device=other)])
    return _true_one_counts(trial)


def _broken_chain(trial: Trial) -> str | None:
    trial.send([trial.event(trial.upto + 1, GENESIS if trial.upto else Digest("f" * 64), "/unchained")])
    return _true_one_counts(trial)


def _true_one_counts(trial: Trial) -> str | None:
    """Had the false event been taken, the true one of the same number could not be."""
    trial.send(trial.next_events(1))
    trial.settled("对真实事件的回执")
    return None


def _fork(trial: Trial) -> str | None:
    before = trial.head
    trial.send(trial.next_events(1))
    trial.settled()
    trial.send([trial.event(trial.upto, before, "/fork")])
    trial.send(trial.next_events(1))
    trial.settled("分叉之后的回执（先到的应保留）")
    return None


def _declared(trial: Trial) -> str | None:
    number = trial.upto + SKIPPED_NUMBERS + 1
    facts = {"skipped_to": number - 1, "kept_as": "", "detail": "conformance"}
    lost = trial.event(number, GENESIS, "/lost", type=EventType.STORAGE_FAILED, data=facts)
    trial.own(number, lost)
    trial.send([lost])
    found = trial.settled("对声明的缺口的回执")
    if found.resend:
        raise SenderFault("设备已声明缺口，仍要求重发。")
    return None


def _largest(trial: Trial) -> str | None:
    trial.send(trial.next_events(50, data={"conformance": FILLING}))
    trial.settled("对 50 个事件、近 64 KiB 的一批的回执")
    return None


def _honest(trial: Trial) -> str | None:
    if trial.faults:
        raise SenderFault(trial.faults[0])
    known = [(it.upto, it.head) for it in trial.receipts if it.upto in trial.hashes]
    wrong = [upto for upto, head in known if trial.hashes[upto] != head]
    if wrong:
        raise SenderFault(f"回执中第 {wrong[0]} 号的链头不是本设备发出的。")
    numbers = [it.upto for it in trial.receipts]
    if numbers != sorted(numbers):
        raise SenderFault("后来的回执比先前的回执退了回去。")
    return None


def _log_grows(trial: Trial) -> str | None:
    trees = [it.tree for it in trial.receipts if it.tree is not None]
    if not trees:
        return "回执中没有日志（tree），可不实现"
    for old, new in pairwise(trees):
        if new.size < old.size or (new.size == old.size and new.root != old.root):
            raise SenderFault(f"日志由 {old.size} 条变为 {new.size} 条，或同样条数有两个根。")
    return None


RULES = (
    Rule("broker.certificate", "没有客户端证书的连接被拒绝", _certificate),
    Rule("broker.own-topics", "设备只能写自己的主题", _own_topics),
    Rule("receipt.birth", "上线得到回执，说明已收到第几号", _birth),
    Rule("receiver.state", "接收端有签名的保留状态", _receiver_state),
    Rule("receipt.commit", "事件收下后得到回执，链头相符", _commit),
    Rule("receipt.duplicate", "重复的事件只算一次", _duplicate),
    Rule("gap.resend", "有缺口时不越过，并要求重发", _gap),
    Rule("order.reordered", "乱序到达的按序号收下", _reordered),
    Rule("refuse.forged", "不认识的密钥签名的事件不收", _forged),
    Rule("refuse.altered", "内容被改的事件不收", _altered),
    Rule("refuse.foreign-source", "冒称别的设备的事件不收", _foreign_source),
    Rule("refuse.broken-chain", "不接在链头之后的事件不收", _broken_chain),
    Rule("fork.first-stays", "同一序号有两个内容时保留先到的", _fork),
    Rule("gap.declared", "设备声明的缺口予以承认，继续往后", _declared),
    Rule("batch.largest", "收下最大的一批", _largest),
    Rule("receipt.honest", "回执都有效，从不后退，链头都是设备的", _honest),
    Rule("log.grows", "日志只增不减", _log_grows),
)
