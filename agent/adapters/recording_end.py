"""How a recording ended, kept beside the keys for the case that a power cut comes before the event is stored: once the
key is gone, the recording itself can no longer be asked."""

from dataclasses import fields

from agent.control.recording_messages import RecordingSealed
from agent.errors import SenderFault
from agent.evidence import cbor
from agent.evidence.journal import encode_instant, parse_instant

_AT = "at"
_NAMES = [item.name for item in fields(RecordingSealed) if item.name != _AT]
_TEXTS, _FLAGS = frozenset({"recording", "head", "reason"}), frozenset({"recovered"})  # all others are counts


def encode_end(sealed: RecordingSealed) -> bytes:
    """The CBOR of `sealed`."""
    plain = {name: getattr(sealed, name) for name in _NAMES}
    return cbor.encode({**plain, "reason": str(sealed.reason), _AT: encode_instant(sealed.at)})


def parse_end(data: bytes) -> RecordingSealed:
    """The inverse; raises `SenderFault` when malformed."""
    found = cbor.decode_map(data)
    try:
        plain = {name: found[name] for name in _NAMES}
        at = parse_instant(found[_AT])
    except KeyError as error:
        raise SenderFault(f"录制结束记录缺少 {error}，已拒绝。请交技术人员核查存储卡。") from error
    if any(type(value) is not _type_of(name) for name, value in plain.items()):
        raise SenderFault("录制结束记录的字段类型不对，已拒绝。请交技术人员核查存储卡。")
    return RecordingSealed(**plain, at=at)


def _type_of(name: str) -> type:
    return str if name in _TEXTS else bool if name in _FLAGS else int
