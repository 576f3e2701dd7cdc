"""CBOR (RFC 8949) as evidence uses it: written with definite lengths, read only after a bounded look at its structure.

Everything read here comes from a file that anyone may have made, so the structure is walked first without building
anything: depth, number of items, lengths and tags are limited, indefinite lengths and floating point are refused.
"""

from typing import Any

import cbor2

from agent.errors import SenderFault

MAX_BYTES = 64 * 1024  # ours; a manifest store is 16 KiB, a journal entry below 1 KiB
MAX_DEPTH = 16  # ours; a C2PA session-keys assertion nests 6 deep
MAX_ITEMS = 8192  # ours; a manifest has below 300
COSE_SIGN1 = 18  # RFC 9052 section 2
TAGS = frozenset({0, COSE_SIGN1})  # 0: date-time text (RFC 8949 section 3.4.1)
SIMPLE_VALUES = frozenset({20, 21, 22})  # false, true, null


def encode(value: Any) -> bytes:
    """The CBOR bytes of `value`; maps keep their order."""
    return cbor2.dumps(value)


def tagged(tag: int, value: Any) -> Any:
    """`value` under a CBOR tag."""
    return cbor2.CBORTag(tag, value)


def decode(data: bytes) -> Any:
    """The one item in `data`; raises `SenderFault` for anything outside the limits above, followed by more bytes or
    not written as `encode` writes it: a number in too many bytes, a key twice.

    A COSE_Sign1 comes back as an object with `tag` and `value`, a date-time as an aware datetime.
    """
    return _decoded(data, exact=True)


def decode_map(data: bytes, *, exact: bool = True) -> dict[Any, Any]:
    """As `decode`, for data whose item is a map. Not `exact`: the caller writes it again and compares by itself."""
    value = _decoded(data, exact=exact)
    if not isinstance(value, dict):
        raise SenderFault("CBOR 数据应为一个映射，已拒绝。")
    return value


def _decoded(data: bytes, *, exact: bool) -> Any:
    _check(data)
    try:
        value = cbor2.loads(data)
        written = encode(value) if exact else data
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise SenderFault(f"CBOR 数据无法读取（{type(error).__name__}），已拒绝。") from error
    if written != data:
        raise _refusal("的写法不合规定")
    return value


def untagged(value: Any, tag: int) -> Any:
    """What stands under `tag`; raises `SenderFault` when `value` does not carry it."""
    if not isinstance(value, cbor2.CBORTag) or value.tag != tag:
        raise SenderFault(f"CBOR 数据缺少标签 {tag}，已拒绝。")
    return value.value


def _check(data: bytes) -> None:
    """One tight loop: it runs for every fragment of a recording, some seventy items each."""
    end = len(data)
    if end > MAX_BYTES:
        raise _refusal("过长")
    position, items, left, outer = 0, 0, 1, list[int]()  # `left` items at this depth, `outer` at those around it
    while left or outer:
        if not left:
            left = outer.pop()
            continue
        left, items = left - 1, items + 1
        if position >= end:
            raise _refusal("不完整")
        head = data[position]
        if step := _WHOLE[head]:
            position += step
        elif head < _FIRST_NESTED and (head >> 5) & 2:
            length, position = _argument(data, position + 1, head & 31)
            position += length
        else:
            outer.append(left)
            left, position = _nested(data, position, head)
        if items > MAX_ITEMS or len(outer) >= MAX_DEPTH:
            raise _refusal("嵌套过深或条目过多")
    if position != end:
        raise _refusal("不完整或末尾有多余字节")


def _whole(head: int) -> int:
    """How many bytes an item takes that its first byte tells all about, else 0: numbers, short strings, constants."""
    major, argument = head >> 5, head & 31
    if major in (0, 1) and argument < 28:
        return 1 + _SIZES.get(argument, 0)
    if major in (2, 3) and argument < 24:
        return 1 + argument
    return int(major == 7 and argument in SIMPLE_VALUES)


_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}  # RFC 8949 section 3
_WHOLE = tuple(map(_whole, range(256)))
_FIRST_NESTED = 4 << 5


def _nested(data: bytes, position: int, head: int) -> tuple[int, int]:
    """How many items follow the head of an array, a map or an allowed tag, and where."""
    major = head >> 5
    argument, position = _argument(data, position + 1, head & 31)
    if major in (4, 5):
        return argument * (major - 3), position  # a map has two items an entry
    if major != 6 or argument not in TAGS:
        raise _refusal("含有不允许的类型或长度")
    return 1, position


def _argument(data: bytes, position: int, minor: int) -> tuple[int, int]:
    if minor < 24:
        return minor, position
    size = _SIZES.get(minor, 0)
    if not size or position + size > len(data):
        raise _refusal("含有不定长度或不完整")
    return int.from_bytes(data[position : position + size]), position + size


def _refusal(why: str) -> SenderFault:
    return SenderFault(f"CBOR 数据{why}，已拒绝。")
