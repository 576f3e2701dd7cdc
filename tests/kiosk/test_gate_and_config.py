from pathlib import Path
from typing import Any

import pytest

from agent.errors import OperatorFault
from agent.web.gate import own_hosts
from kiosk.config import parse_config
from kiosk.gate import POLICY, doorway

DOORWAY = doorway(own_hosts("127.0.0.1", 8480))
GOOD = {"district": "xinghe", "device": "KSK-0001", "hall": "大厅", "audience": "hall-1", "complaint_phone": "0000"}


def test_a_rebound_name_a_foreign_origin_and_a_post_are_refused() -> None:
    assert DOORWAY.refusal("GET", "/", "127.0.0.1:8480", None) is None
    assert DOORWAY.refusal("GET", "/", "localhost:8480", "http://localhost:8480") is None
    assert DOORWAY.refusal("GET", "/", "evil.example:8480", None) == 421
    assert DOORWAY.refusal("GET", "/", "127.0.0.1:9999", None) == 421
    assert DOORWAY.refusal("GET", "/", None, None) == 421
    assert DOORWAY.refusal("GET", "/", "127.0.0.1:8480", "http://evil.example") == 403
    assert DOORWAY.refusal("GET", "/", "127.0.0.1:8480", "null") == 403
    assert DOORWAY.refusal("POST", "/", "127.0.0.1:8480", None) == 405


def test_the_policy_allows_nothing_inline_and_nothing_foreign() -> None:
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


def test_paths_are_relative_to_the_file_and_have_defaults() -> None:
    config = parse_config(GOOD, Path("/etc/k"))
    assert config.disclosed == Path("/etc/k/state/disclosed")
    assert (config.host, config.port) == ("127.0.0.1", 8480)


def test_an_unknown_key_gets_a_suggestion() -> None:
    with pytest.raises(OperatorFault, match="audiance。是否想写 audience？"):
        parse_config({**GOOD, "audiance": "x"}, Path())


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:80", "192.0.2.1:80", "127.0.0.1", "127.0.0.1:70000", "hall:80", "[::1]:80"]
)
def test_only_loopback_is_served(listen: str) -> None:
    with pytest.raises(OperatorFault, match="listen"):
        parse_config({**GOOD, "listen": listen}, Path())


@pytest.mark.parametrize(("key", "value"), [("hall", ""), ("hall", 3), ("device", "KSK-1"), ("audience", "大厅")])
def test_a_wrong_value_is_refused(key: str, value: Any) -> None:
    with pytest.raises(OperatorFault, match=key):
        parse_config({**GOOD, key: value}, Path())


@pytest.mark.parametrize("key", sorted(GOOD))
def test_a_missing_value_is_named(key: str) -> None:
    with pytest.raises(OperatorFault, match=key):
        parse_config({name: value for name, value in GOOD.items() if name != key}, Path())
