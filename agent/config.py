"""`agent.toml`: every key, its type, range and default. An unknown key is an error with a suggestion.

Paths are relative to the folder of the file. `parse_config` reads text and touches no disk; `read_config` reads the
file and looks whether what it names is there.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from agent.adapters.source_address import masked
from agent.config_fields import matching as _matching
from agent.config_fields import within as _within
from agent.control.storage_policy import MARGIN_BYTES, StoragePolicy
from agent.errors import OperatorFault, SenderFault
from agent.evidence.collected import MAX_SOURCE
from agent.evidence.gm_sums import DEFAULT_PROFILE, GM_PROFILE
from agent.evidence.reasons import Cause
from agent.evidence.vsi_profiles import DEFAULT_VSI, VSI_PROFILES
from agent.key_places import KeyFile, KeyPlace, parse_key_place
from agent.offload_config import OffloadConfig, check_offload
from agent.settings import Settings, parse_toml, read_text
from agent.wire.identifiers import DeviceId, DeviceKind, District, device_id, device_kind, district, label

WHERE = "agent.toml"
DATABASE, RECORDINGS, COLLECTED, PAGE = "agent.db", "recordings", "collected", "page"  # in the state folder
OFFLOAD, OFFLOAD_STATUS = "offload", "offload.json"  # likewise: what stands outside, and how far it is
SOUND_BITS = 64_000  # a second of AAC, as `agent.adapters.libav` codes it
HIDDEN = "（内容不显示）"
CAMERA = r"auto|none|picamera2|test|(v4l2|rtsp|file):.+"  # what `[capture] camera` may be


@dataclass(frozen=True)
class IdentityConfig:
    """`[identity]`: the pinned root, the trust list, the evidence key (see `agent.key_places`) and its certificates."""

    root: Path
    trust_list: Path
    evidence_key: KeyPlace = field(metadata={"secret": True})
    evidence_chain: Path
    renewal: str = ""  # https address of the server that renews the TLS certificate; "" for none


@dataclass(frozen=True)
class BrokerConfig:
    """`[broker]`: address, protocol and TLS files. `server_name` must stand in the broker's certificate."""

    host: str = field(metadata={"host": True})
    ca: Path
    certificate: Path
    key: Path = field(metadata={"secret": True})
    port: int = _within(1, 65_535, 8883)
    protocol: str = _matching(r"5|3\.1\.1", '"5" 或 "3.1.1"', "5")
    server_name: str = field(default="localhost", metadata={"host": True})
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
    """`[evidence]`, for recorders. `profile` "gm" adds SM3 sums signed with `sm2_key` (PKCS8 PEM) beside every
    recording. `archive_key` (PEM public key, P-256): new recordings and photos are encrypted for the archive, and
    this device cannot read them once they are sealed; without it they stay in the clear. Documents' texts go to the
    centre encrypted for it, or for `papers_key` where recordings are in the clear; without either they stay here.
    `vsi_profile`: in which dialect fragments are signed (`agent.evidence.vsi_profiles`), for a foreign verifier."""

    profile: str = _matching("default|gm", '"default" 或 "gm"', DEFAULT_PROFILE)
    sm2_key: Path | None = field(default=None, metadata={"secret": True})
    archive_key: Path | None = None
    papers_key: Path | None = None
    vsi_profile: str = _matching("|".join(map(re.escape, VSI_PROFILES)), "、".join(VSI_PROFILES), DEFAULT_VSI.name)


@dataclass(frozen=True)
class HooksConfig:
    """`[hooks]`, for recorders: serial devices of the MCU, the GNSS receiver and the card reader, and the ALSA device
    of the loudspeaker; each empty for none. `printer` is the serial device of the slip printer, `printer_encoding` the
    Chinese that it knows. `voices` is a folder of spoken notices, `{notice}.wav`; without one they
    are beeped. `gpio`: button and lamps are on pins of this computer (BCM numbers, -1: not there). `mute_cause` is the
    reason that the mute slide on a pin stands for."""

    mcu: str = ""
    gnss: str = ""
    card: str = ""
    speaker: str = ""
    printer: str = ""
    printer_encoding: str = _matching("gb18030|gbk", '"gb18030" 或 "gbk"', "gb18030")
    voices: Path = Path("voices")
    gpio: bool = False
    gpio_button: int = _within(-1, 27, 17)
    gpio_mute: int = _within(-1, 27, 27)
    gpio_red: int = _within(-1, 27, 5)
    gpio_green: int = _within(-1, 27, 6)
    gpio_buzzer: int = _within(-1, 27, 13)
    gpio_vibration: int = _within(-1, 27, 19)
    mute_cause: str = _matching("|".join(["", *Cause]), f"{'、'.join(Cause)} 或空", "")


@dataclass(frozen=True)
class StorageConfig:
    """`[storage]`, for recorders. `reserve_mb` are taken so that what runs can always be closed; alarms come when less
    than `low_hours` and `short_minutes` of recording fit. A full disk ends a recording; nothing is ever deleted."""

    reserve_mb: int = _within(0, 4096, 32)
    low_hours: int = _within(1, 240, 4)
    short_minutes: int = _within(1, 600, 30)


@dataclass(frozen=True)
class DutyConfig:
    """`[duty]`: how long a duty is planned to last and how long a full battery lasts while recording; `sensors` is the
    kernel's tree with battery and heat, "none" where they are not this device's (a rehearsal on some computer).
    `partner` is the second officer's recorder, whose heads this one countersigns; empty for none."""

    planned_hours: int = _within(1, 24, 8)
    battery_hours: int = _within(1, 48, 8)  # reference/domain.md: what units ask of a recorder
    sensors: str = _matching(r"none|/.+", '"none" 或内核目录，如 "/sys"', "/sys")
    partner: str = ""

    @property
    def partner_id(self) -> DeviceId | None:
        """The partner, None where there is none."""
        return device_id(self.partner) if self.partner else None

    @property
    def sysfs(self) -> Path | None:
        """Where the sensors are, None where there are none."""
        return None if self.sensors == "none" else Path(self.sensors)


@dataclass(frozen=True)
class CollectConfig:
    """`[collect]`: the folder or mount point of another maker's recorder, whose files are taken over, and the label
    of where they come from, which goes to the centre."""

    folder: Path
    source: str


@dataclass(frozen=True)
class PageConfig:
    """`[page]`, for recorders: where the officer's page listens, on loopback or on the device's own USB network."""

    listen: str = "127.0.0.1:8471"


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
    storage: StorageConfig = field(default_factory=StorageConfig)
    duty: DutyConfig = field(default_factory=DutyConfig)
    collect: CollectConfig | None = None
    offload: OffloadConfig | None = None
    page: PageConfig = field(default_factory=PageConfig)
    disclosure: DisclosureConfig | None = None

    @property
    def storage_policy(self) -> StoragePolicy:
        """`[storage]` as the controller uses it."""
        rate = self.capture.video_kbps * 1000 + SOUND_BITS
        storage = self.storage
        return StoragePolicy(MARGIN_BYTES, rate, storage.low_hours, storage.short_minutes / 60)

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
    "storage": StorageConfig,
    "duty": DutyConfig,
    "collect": CollectConfig,
    "offload": OffloadConfig,
    "page": PageConfig,
    "disclosure": DisclosureConfig,
}
NEEDED = ("identity", "broker")


def read_config(path: Path) -> AgentConfig:
    """Read the file at `path`; raises `OperatorFault` for what is wrong in it, or with the files it names."""
    text = read_text(path, "请用 --config 指明设备文件夹中的 agent.toml。")
    config = parse_config(text, path.resolve().parent)
    for name, file in _files(config).items():
        if not os.access(file, os.R_OK) or not file.is_file():
            raise OperatorFault(f"{name} 指向的文件 {file} 不存在或不可读。请重新发放设备文件夹，或检查权限。")
    return config


def parse_config(text: str, folder: Path) -> AgentConfig:
    """The configuration that `text` holds, paths resolved against `folder`; raises `OperatorFault`."""
    top = Settings(WHERE, parse_toml(text, WHERE), _names(AgentConfig))
    values = _values(AgentConfig, top, folder)
    for name, kind in SECTIONS.items():
        if top.given(name) or name in NEEDED:
            values[name] = kind(**_values(kind, top.table(name, _names(kind)), folder))
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
        elif item.metadata.get("secret") and value is not None:
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
        partner = config.duty.partner_id
    except SenderFault as fault:
        raise OperatorFault(f"agent.toml：{fault}") from fault
    if partner is not None and (partner == config.device or device_kind(partner) is not DeviceKind.RECORDER):
        raise OperatorFault("agent.toml：duty.partner 应是另一台执法记录仪的编号，不能是本机。请改正或删去。")
    if (config.evidence.profile == GM_PROFILE) != (config.evidence.sm2_key is not None):
        raise OperatorFault('agent.toml：evidence.profile = "gm" 与 evidence.sm2_key 须同时写，或都不写。')
    if not config.records and config.disclosure is None:
        raise OperatorFault('agent.toml：大厅终端缺少 [disclosure] 一节。请写上 audience = "hall-1" 之类的大厅代号。')
    if config.records and config.disclosure is not None:
        raise OperatorFault("agent.toml：执法记录仪不展示公示内容。请删去 [disclosure] 一节。")
    _check_collect(config)
    check_offload(config.offload)
    return config


def _check_collect(config: AgentConfig) -> None:
    collect = config.collect
    if collect is None:
        return
    if len(collect.source) > MAX_SOURCE or not collect.source.isprintable():
        raise OperatorFault(f"agent.toml：collect.source 应是 {MAX_SOURCE} 字以内的一行文字。请改正。")
    card, state = collect.folder.resolve(), config.state_dir.resolve()
    if card == state or card in state.parents or state in card.parents:
        raise OperatorFault("agent.toml：collect.folder 不能与 state_dir 互相包含。请写存储卡的挂载目录。")


def _names(kind: type) -> list[str]:
    return [item.name for item in fields(kind)]


def _values(kind: type, settings: Settings, folder: Path) -> dict[str, Any]:
    """The checked values of one table, without the tables inside it."""
    hints, inner = get_type_hints(kind), SECTIONS if kind is AgentConfig else {}
    return {
        item.name: _value(item, hints[item.name], settings, folder) for item in fields(kind) if item.name not in inner
    }


def _value(item: Field[Any], kind: Any, settings: Settings, folder: Path) -> Any:
    name, default = item.name, None if item.default is MISSING else item.default
    match item.metadata:
        case {"range": bounds}:
            return settings.integer(name, bounds, default)
        case {"pattern": pattern, "words": words, "address": address}:
            return settings.matching(name, pattern, words, default, masked if address else repr)
        case {"host": True}:
            return settings.host(name, default)
    if kind is KeyPlace:
        return _key_place(settings.text(name), folder)
    if kind == Path | None and not settings.given(name):
        return None
    if kind is Path or kind == Path | None:
        return settings.path(name, folder, None if default is None else str(default))
    if kind is bool:
        return settings.flag(name, default)
    return settings.text(name, default)


def _key_place(text: str, folder: Path) -> KeyPlace:
    try:
        return parse_key_place(text, folder)
    except OperatorFault as fault:
        raise OperatorFault(f"{WHERE}：identity.evidence_key：{fault}") from fault


def _files(config: AgentConfig) -> dict[str, Path]:
    named = {
        f"{section}.{item.name}": getattr(part, item.name)
        for section, part in (("identity", config.identity), ("broker", config.broker), ("evidence", config.evidence))
        for item in fields(part)
    }
    files = {name: value.path if isinstance(value, KeyFile) else value for name, value in named.items()}
    return {name: value for name, value in files.items() if isinstance(value, Path)}
