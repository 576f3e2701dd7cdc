"""`agent.toml`: every key, its type, range and default. An unknown key is an error with a suggestion.

Paths are relative to the folder of the file. `parse_config` reads text and touches no disk; `read_config` reads the
file and looks whether what it names is there.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from agent.adapters.source_address import masked
from agent.errors import OperatorFault, SenderFault
from agent.wire.identifiers import DeviceId, DeviceKind, District, device_id, device_kind, district, label

TYPE_NAMES: Mapping[type, str] = {int: "整数", bool: " true 或 false", str: "加引号的文字"}
DATABASE, RECORDINGS = "agent.db", "recordings"  # in the state folder
HIDDEN = "（内容不显示）"
CAMERA = r"auto|none|picamera2|test|(v4l2|rtsp|file):.+"  # what `[capture] camera` may be


def _within(lowest: int, highest: int, default: int) -> Any:
    return field(default=default, metadata={"range": (lowest, highest)})


def _matching(pattern: str, words: str, default: str, *, address: bool = False) -> Any:
    return field(default=default, metadata={"pattern": re.compile(pattern), "words": words, "address": address})


@dataclass(frozen=True)
class IdentityConfig:
    """`[identity]`: the pinned root, the trust list, and the evidence key with its certificates."""

    root: Path
    trust_list: Path
    evidence_key: Path = field(metadata={"secret": True})
    evidence_chain: Path


@dataclass(frozen=True)
class BrokerConfig:
    """`[broker]`: address, protocol and TLS files. `server_name` must stand in the broker's certificate."""

    host: str
    ca: Path
    certificate: Path
    key: Path = field(metadata={"secret": True})
    port: int = _within(1, 65_535, 8883)
    protocol: str = _matching(r"5|3\.1\.1", '"5" 或 "3.1.1"', "5")
    server_name: str = "localhost"
    keepalive_s: int = _within(5, 120, 30)  # 120: the broker's max_keepalive, reference/mqtt.md section 4


@dataclass(frozen=True)
class CaptureConfig:
    """`[capture]`, for recorders; sizes in pixels, rates per second, `fragment_ms` is the length of a signed piece.

    `pre_event_s` seconds before the button are kept in memory and begin the recording; the camera then runs all the
    time. 0, the default, until a profile asks for it. `pre_event_sound`: whether they are heard as well as seen."""

    camera: str = _matching(
        CAMERA,
        "auto、picamera2、v4l2:设备、rtsp:地址、file:路径、test 或 none（只录音）",
        "auto",
        address=True,
    )
    width: int = _within(160, 3840, 1280)
    height: int = _within(120, 2160, 720)
    frames_per_second: int = _within(1, 60, 30)
    video_kbps: int = _within(100, 50_000, 4000)
    audio: str = _matching(r"auto|test|none|alsa:.+", "auto、alsa:设备、test 或 none", "auto")
    fragment_ms: int = _within(200, 5000, 500)
    segment_minutes: int = _within(1, 120, 10)
    pre_event_s: int = _within(0, 120, 0)  # REC-02; 0 keeps the camera off between recordings
    pre_event_sound: bool = False


@dataclass(frozen=True)
class EvidenceConfig:
    """`[evidence]`, for recorders. `archive_key` (PEM public key, P-256): new recordings and photos are encrypted at
    rest for the centre's archive, and this device cannot read them once sealed; without it they stay in the clear."""

    archive_key: Path | None = None


@dataclass(frozen=True)
class HooksConfig:
    """`[hooks]`: the serial device of the MCU that carries the button; empty for none."""

    mcu: str = ""


@dataclass(frozen=True)
class DisclosureConfig:
    """`[disclosure]`, for kiosk hosts: the hall whose publications are shown besides those for everyone."""

    audience: str


@dataclass(frozen=True)
class AgentConfig:
    """The whole file. `disclosure` is there on kiosk hosts and None on recorders."""

    district: District
    device: DeviceId
    unit: str
    identity: IdentityConfig
    broker: BrokerConfig
    state_dir: Path = Path("state")
    capture: CaptureConfig = field(default_factory=CaptureConfig)
    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    hooks: HooksConfig = field(default_factory=HooksConfig)
    disclosure: DisclosureConfig | None = None

    @property
    def records(self) -> bool:
        """Whether this device has a camera: recorders have, kiosk hosts have not."""
        return device_kind(self.device) is DeviceKind.RECORDER


SECTIONS: Mapping[str, type] = {
    "identity": IdentityConfig,
    "broker": BrokerConfig,
    "capture": CaptureConfig,
    "evidence": EvidenceConfig,
    "hooks": HooksConfig,
    "disclosure": DisclosureConfig,
}


def read_config(path: Path) -> AgentConfig:
    """Read the file at `path`; raises `OperatorFault` for what is wrong in it, or with the files it names."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorFault(
            f"无法读取配置 {path}（{_cause(error)}）。请用 --config 指明设备文件夹中的 agent.toml。"
        ) from error
    config = parse_config(text, path.resolve().parent)
    for name, file in _files(config).items():
        if not os.access(file, os.R_OK) or not file.is_file():
            raise OperatorFault(f"{name} 指向的文件 {file} 不存在或不可读。请重新发放设备文件夹，或检查权限。")
    return config


def parse_config(text: str, folder: Path) -> AgentConfig:
    """The configuration that `text` holds, paths resolved against `folder`; raises `OperatorFault`."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorFault(f"agent.toml 不是正确的 TOML（{error}）。请改正该行。") from error
    values = _section(AgentConfig, raw, "", folder)
    for name, kind in SECTIONS.items():
        if name in raw:
            values[name] = kind(**_section(kind, raw[name], f"{name}.", folder))
    return _checked(AgentConfig(**values))


def shown(config: AgentConfig) -> dict[str, Any]:
    """The effective configuration for people: key files by path only, addresses without their passwords."""
    return _shown(config)


def _shown(part: Any) -> dict[str, Any]:
    lines: dict[str, Any] = {}
    for item in fields(part):
        value = getattr(part, item.name)
        if is_dataclass(value):
            lines[item.name] = _shown(value)
        elif item.metadata.get("secret"):
            lines[item.name] = f"{value}{HIDDEN}"
        elif item.metadata.get("address"):
            lines[item.name] = masked(value)
        elif value is not None:
            lines[item.name] = str(value) if isinstance(value, Path) else value
    return lines


def _checked(config: AgentConfig) -> AgentConfig:
    try:
        district(config.district)
        device_id(config.device)
        if config.disclosure is not None:
            label(config.disclosure.audience)
    except SenderFault as fault:
        raise OperatorFault(f"agent.toml：{fault}") from fault
    if not config.records and config.disclosure is None:
        raise OperatorFault('agent.toml：大厅终端缺少 [disclosure] 一节。请写上 audience = "hall-1" 之类的大厅代号。')
    if config.records and config.disclosure is not None:
        raise OperatorFault("agent.toml：执法记录仪不展示公示内容。请删去 [disclosure] 一节。")
    return config


def _section(kind: type, raw: Any, prefix: str, folder: Path) -> dict[str, Any]:
    """The checked values of one table, without the tables inside it."""
    if not isinstance(raw, dict):
        raise OperatorFault(f"agent.toml：{prefix.rstrip('.')} 应是一节（写作 [{prefix.rstrip('.')}]）。")
    items = {item.name: item for item in fields(kind)}
    for name in raw:
        if name not in items:
            raise OperatorFault(f"agent.toml：没有名为 {prefix}{name} 的配置项。{_suggestion(name, list(items))}")
    hints = get_type_hints(kind)
    inner = SECTIONS if kind is AgentConfig else {}
    _check_complete(items, raw, prefix)
    return {
        name: _value(f"{prefix}{name}", items[name], hints[name], raw.get(name, items[name].default), folder)
        for name in items
        if name not in inner
    }


def _check_complete(items: Mapping[str, Field[Any]], raw: Mapping[str, Any], prefix: str) -> None:
    for name, item in items.items():
        if name not in raw and item.default is MISSING and item.default_factory is MISSING:
            raise OperatorFault(f"agent.toml：缺少 {prefix}{name}。请补上，或重新发放设备文件夹。")


def _value(name: str, item: Field[Any], kind: Any, value: Any, folder: Path) -> Any:
    if kind == Path | None and value is None:
        return None
    if kind is Path or kind == Path | None:
        if isinstance(value, Path | str) and str(value):
            return folder / value
        raise OperatorFault(f"agent.toml：{name} = {value!r} 应是一个文件路径（加引号）。")
    wanted = kind if kind in TYPE_NAMES else str
    if not isinstance(value, wanted) or isinstance(value, bool) is not (wanted is bool):
        raise OperatorFault(f"agent.toml：{name} = {value!r} 应是{TYPE_NAMES[wanted]}。")
    return _in_range(name, item, value)


def _in_range(name: str, item: Field[Any], value: Any) -> Any:
    if "range" in item.metadata:
        lowest, highest = item.metadata["range"]
        if not lowest <= value <= highest:
            raise OperatorFault(f"agent.toml：{name} = {value} 超出范围，应在 {lowest} 至 {highest} 之间。")
    if "pattern" in item.metadata and not item.metadata["pattern"].fullmatch(value):
        told = masked(value) if item.metadata.get("address") else value
        raise OperatorFault(f"agent.toml：{name} = {told!r} 不对，应是 {item.metadata['words']}。")
    return value


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"是否想写 {near[0]}？" if near else f"可用的有：{'、'.join(known)}。"


def _files(config: AgentConfig) -> dict[str, Path]:
    return {
        f"{section}.{item.name}": getattr(part, item.name)
        for section, part in (("identity", config.identity), ("broker", config.broker), ("evidence", config.evidence))
        for item in fields(part)
        if isinstance(getattr(part, item.name), Path)
    }


def _cause(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "不是 UTF-8 文本"
