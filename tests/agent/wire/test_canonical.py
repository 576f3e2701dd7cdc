import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.instant import TimeState
from tests.support.signers import NOW

texts = st.text(st.characters())  # lone surrogates as well
values = st.recursive(
    st.none() | st.booleans() | st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_one_value_has_one_byte_string(value: object) -> None:
    spelled = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))  # as anyone else would
    try:
        expected = spelled.encode()
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8
        with pytest.raises(ValueError, match="surrogate"):
            canonical.encode(value)
        return
    assert canonical.encode(value) == expected
    assert canonical.decode(expected) == value


def test_a_key_out_of_an_enumeration_is_spelled_as_its_text() -> None:
    assert canonical.encode({TimeState.NTP: 1, "a": TimeState.GNSS}) == b'{"a":"gnss","ntp":1}'


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',  # duplicate key
        b'{"b":1,"a":2}',  # wrong order
        b'{"a": 1}',  # white space
        b'{"a":1.0}',  # floating point
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":"\\u4e2d"}',  # escape where none is needed
        b'{"a":9007199254740993}',  # beyond 2^53
        b'{"a":18446744073709551616}',  # beyond 64 bits
        b'{"a":-0}',
        b'\xef\xbb\xbf{"a":1}',  # byte order mark
        b'{"a":1}\n',
        b"[" * 100 + b"]" * 100,  # nesting bomb
        b"[" * 100_000,
        b"\xff\xfe",
        b"",
    ],
)
def test_bytes_that_are_not_the_one_form_are_refused(data: bytes) -> None:
    with pytest.raises(SenderFault):
        canonical.decode(data)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_a_sender_fault(data: bytes) -> None:
    with contextlib.suppress(SenderFault):
        assert canonical.encode(canonical.decode(data)) == data


def test_floats_have_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="no canonical form"):
        canonical.encode({"x": 0.5})


def test_timestamps_keep_milliseconds_and_refuse_other_zones() -> None:
    text = canonical.timestamp(NOW)
    assert text == "2026-11-22T10:06:14.123Z"
    assert canonical.parse_timestamp(text) == NOW
    for wrong in ("2026-11-22T10:06:14.123+08:00", "2026-11-22 10:06:14.123Z", "now", None, 5):
        with pytest.raises(SenderFault):
            canonical.parse_timestamp(wrong)


def test_a_missing_or_wrongly_typed_field_is_named() -> None:
    fields = Fields("回执", json.loads('{"upto":true,"device":5}'))
    with pytest.raises(SenderFault, match="upto"):
        fields.integer("upto")
    with pytest.raises(SenderFault, match="device"):
        fields.text("device")
    with pytest.raises(SenderFault, match="head"):
        fields.text("head")
    with pytest.raises(SenderFault, match="回执"):
        Fields("回执", [])
