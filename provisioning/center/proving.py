"""Proofs out of a receiver's log for anybody: that an event is in it, and that it only ever grew."""

from agent.errors import EnvironmentFault, OperatorFault
from agent.evidence.log_proof import consistency_document, inclusion_document
from agent.evidence.merkle import consistency_path, inclusion_path
from agent.wire.canonical import MAX_INTEGER
from agent.wire.identifiers import DeviceId
from provisioning.center.event_log import EventLog
from provisioning.center.store import Ledger, Store


def prove_event(store: Store, name: str, device: DeviceId, devseq: int) -> bytes:
    """The proof that the event stands in the log of the receiver `name`; raises `OperatorFault` when it does not,
    `EnvironmentFault` when no head that covers it has been signed yet."""
    with store.transaction() as ledger:
        log = EventLog(ledger.rows, name)
        position = log.position(device, devseq) if devseq <= MAX_INTEGER else None  # no chain counts further
        size, head = log.sealed()
        if position is None:
            raise OperatorFault(f"{name} 的日志中没有 {device} 的第 {devseq} 号事件。请用 summary 查看连续至第几号。")
        if position >= size:
            text = f"这个事件是日志的第 {position + 1} 条，日志头只签到第 {size} 条。"
            raise EnvironmentFault(
                f"{text}接收端在运行时一秒内就会签名；若已停止，请运行 liuhen-center receive 后再试。"
            )
        (body,) = ledger.bodies(device, [devseq])
        return inclusion_document(body, position, inclusion_path(position, size, log.read), head)


def prove_growth(store: Store, name: str, old: int) -> bytes:
    """The proof that the log of the receiver `name` still begins with its first `old` events, as any receipt with that
    size of the log said; raises `OperatorFault`."""
    with store.transaction() as ledger:
        log = EventLog(ledger.rows, name)
        size, head = log.sealed()
        if not 0 < old <= size:
            raise OperatorFault(f"{name} 的日志已签名到 {size} 条，没有 {old} 条时的状态可证。请改正 --since。")
        return consistency_document(log.point_at(old), consistency_path(old, size, log.read), head)


def find_event(ledger: Ledger, device: DeviceId, name: str) -> int:
    """The number of the device's event with the id `name`; raises `OperatorFault`."""
    found = ledger.rows.find("event", {"device": device, "event_id": name})
    if not found:
        raise OperatorFault(f"没有收到过 {device} 的事件“{name[:80]}”。请用 liuhen-center events 查看。")
    return int(found[0]["devseq"])
