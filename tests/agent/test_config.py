"""agent.toml: what a technician can get wrong, and what the line says that he then reads."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from agent.config import (
    HIDDEN,
    SECTIONS,
    CaptureConfig,
    DutyConfig,
    HooksConfig,
    StorageConfig,
    parse_config,
    read_config,
    shown,
)
from agent.errors import OperatorFault
from tests.support.device import DistrictKeys, agent_toml

FOLDER = Path("/etc/liuhen")


def test_defaults_and_paths_relative_to_the_file() -> None:
    config = parse_config(agent_toml("REC-0001", 8883), FOLDER)
    assert config.identity.root == FOLDER / "root.pem"
    assert config.state_dir == FOLDER / "state"
    assert (config.capture.camera, config.capture.fragment_ms, config.broker.protocol) == ("auto", 500, "5")
    assert config.disclosure is None
    kiosk = parse_config(agent_toml("KSK-0001", 8883), FOLDER)
    assert kiosk.disclosure is not None
    assert (kiosk.disclosure.audience, kiosk.records) == ("hall-1", False)


def test_reference_names_every_key_with_its_default_and_none_that_is_not_known() -> None:
    page = (Path(__file__).parents[2] / "agent" / "README.md").read_text(encoding="utf-8")
    recorder, kiosk = (block.partition("```")[0] for block in page.split("```toml\n")[1:])
    config = parse_config(recorder, FOLDER)
    for section, kind in SECTIONS.items():
        text = kiosk if section == "disclosure" else recorder
        there = re.findall(r"^(?:# )?(\w+) = ", text.partition(f"[{section}]")[2].partition("\n[")[0], re.MULTILINE)
        assert there == [*dict.fromkeys(there)]
        assert {*there} == {item.name for item in fields(kind)}, section
    assert (config.capture, config.storage, config.duty) == (CaptureConfig(), StorageConfig(), DutyConfig())
    assert replace(config.hooks, mcu="", voices=Path("voices")) == HooksConfig()
    assert parse_config(agent_toml("KSK-0001", 8883).partition("[disclosure]")[0] + kiosk, FOLDER).disclosure


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("port = 8883", "prot = 8883", "是否想写 port？"),
        ("[broker]", "[brokr]", "是否想写 broker？"),
        ("district =", "zzz = 1\ndistrict =", "可用的有：district"),
        ("port = 8883", "port = 88830", "broker.port = 88830 不对，应是1 至 65535 之间的整数"),
        ("port = 8883", 'port = "8883"', "broker.port = '8883' 不对，应是整数"),
        ("port = 8883", "port = true", "应是整数"),
        ('host = "127.0.0.1"', "host = 127", "broker.host = 127 不对，应是加引号的非空文字"),
        ('host = "127.0.0.1"\n', "", "缺少 broker.host"),
        ('protocol = "5"', 'protocol = "4"', '应是 "5" 或 "3.1.1"'),
        ('"evidence.key"', '"tpm2:1"', "identity.evidence_key：不认识的密钥位置 tpm2"),
        ("[broker]", '[evidence]\nprofile = "gm"\n[broker]', "须同时写"),
        (
            "[broker]",
            '[evidence]\nprofile = "sm9"\n[broker]',
            'evidence.profile = \'sm9\' 不对，应是 "default" 或 "gm"',
        ),
        ('root = "root.pem"', 'root = ""', "identity.root = '' 不对，应是加引号的非空文字"),
        ('"REC-0001"', '"rec-1"', "应形如 REC-0001"),
        ('"xinghe"', '"星河"', "应形如 xinghe"),
        ('device = "REC-0001"', 'device = "KSK-0001"', "缺少 [disclosure]"),
        ("[broker]", '[disclosure]\naudience = "hall-1"\n[broker]', "请删去 [disclosure]"),
        ("[broker]", '[capture]\ncamera = "webcam"\n[broker]', "v4l2:设备"),
        ("[broker]", "[capture]\nwidth = 10\n[broker]", "应是160 至 3840 之间的整数"),
        ("[broker]", "[capture]\npre_event_sound = 1\n[broker]", "capture.pre_event_sound = 1 不对，应是true 或 false"),
        ('host = "127.0.0.1"', f'host = "{"a" * 300}"', "应是主机名或 IP 地址"),
        ('host = "127.0.0.1"', 'host = "broker..example"', "应是主机名或 IP 地址"),
        ('host = "127.0.0.1"', 'host = "broker\\u0000"', "应是主机名或 IP 地址"),
        ("[broker]", "[broker", "不是有效的 TOML"),
        ("[duty]", '[duty]\npartner = "REC-0001"', "duty.partner 应是另一台执法记录仪"),
        ("[duty]", '[duty]\npartner = "KSK-0001"', "duty.partner 应是另一台执法记录仪"),
        ('district = "xinghe"', 'district = "xinghe"\nhooks = 3', "hooks = 3 不对，应是一节"),
        ('district = "xinghe"', 'district = "xinghe"\ndistrict = "b"', "不是有效的 TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_key_value_and_what_is_allowed(old: str, new: str, words: str) -> None:
    text = agent_toml("REC-0001", 8883)
    assert old in text
    with pytest.raises(OperatorFault) as caught:
        parse_config(text.replace(old, new, 1), FOLDER)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    config = DistrictKeys().write_folder(tmp_path, 8883)
    assert read_config(config).broker.certificate == tmp_path / "tls.pem"
    (tmp_path / "tls.pem").unlink()
    with pytest.raises(OperatorFault, match=r"broker\.certificate 指向的文件 .*tls\.pem 不存在或不可读"):
        read_config(config)


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="无法读取配置"):
        read_config(tmp_path / "agent.toml")
    (tmp_path / "agent.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OperatorFault, match="UTF-8"):
        read_config(tmp_path / "agent.toml")


def test_shown_configuration_names_key_files_and_hides_what_is_in_them(tmp_path: Path) -> None:
    config = read_config(DistrictKeys().write_folder(tmp_path, 8883))
    lines = shown(config)
    assert lines["broker"]["key"] == f"{tmp_path / 'tls.key'}{HIDDEN}"
    assert lines["broker"]["port"] == 8883
    assert "disclosure" not in lines
    assert "PRIVATE" not in str(lines)


def test_archive_key_that_is_not_there_is_told_before_anything_is_recorded(tmp_path: Path) -> None:
    text = DistrictKeys().write_folder(tmp_path, 8883).read_text()
    assert parse_config(text, FOLDER).evidence.archive_key is None
    (tmp_path / "agent.toml").write_text(text + '\n[evidence]\narchive_key = "archive.pub"\n')
    with pytest.raises(OperatorFault, match=r"evidence\.archive_key 指向的文件 .*archive\.pub 不存在"):
        read_config(tmp_path / "agent.toml")
    (tmp_path / "archive.pub").write_text("...")
    assert read_config(tmp_path / "agent.toml").evidence.archive_key == tmp_path / "archive.pub"
