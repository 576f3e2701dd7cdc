"""What a recorder shows, sounds and says: the one table of every state, notice and fault.

Colours after GA/T 947 as it is reported (reference: domain, section 1.5): on is green, sound yellow, picture red. Light
tells what is so, buzzer and vibration what has just happened. The README shows the same table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.control.acts import Act
from agent.evidence.reasons import Reason


class Colour(StrEnum):
    """Of the lamp."""

    OFF = "灭"
    GREEN = "绿"
    YELLOW = "黄"
    RED = "红"


class Pattern(StrEnum):
    """How the lamp shows it: one second on and off, a fifth of a second, two flashes and a pause."""

    STEADY = "常亮"
    SLOW = "慢闪"
    FAST = "快闪"
    DOUBLE = "双闪"


class Pulse(StrEnum):
    """What buzzer or vibration do once."""

    NONE = "无"
    SHORT = "一短"
    TWICE = "两短"
    LONG = "一长"
    ALARM = "急促"


@dataclass(frozen=True)
class Light:
    """The lamp, until the next one."""

    colour: Colour
    pattern: Pattern = Pattern.STEADY


@dataclass(frozen=True)
class Cue:
    """What is heard and felt once. `name` is that of the spoken file, `words` what it says."""

    buzzer: Pulse = Pulse.NONE
    vibration: Pulse = Pulse.NONE
    name: str = ""
    words: str = ""


SILENT = Cue()


class Mode(StrEnum):
    """What the recorder is doing; exactly one holds."""

    OFF = "off"
    READY = "ready"
    STARTING = "starting"
    RECORDING = "recording"
    SOUND_ONLY = "sound-only"
    MUTED = "muted"
    PAUSED = "paused"
    SEALING = "sealing"


class Notice(StrEnum):
    """What has just happened."""

    RECORDING_BEGAN = "recording-began"
    STILL_RECORDING = "still-recording"
    RECORDING_ENDED = "recording-ended"
    KEY_MARKED = "key-marked"
    PHOTO_TAKEN = "photo-taken"
    SOUND_MUTED = "sound-muted"
    SOUND_BACK = "sound-back"
    RECORDING_PAUSED = "recording-paused"
    RECORDING_RESUMED = "recording-resumed"
    EXPLANATION_BEGAN = "explanation-began"
    EXPLANATION_ENDED = "explanation-ended"
    NOT_POSSIBLE = "not-possible"
    CARD_READ = "card-read"
    WORK_FAILED = "work-failed"


class Fault(StrEnum):
    """What is wrong with recording itself, gravest first; it holds until it is over."""

    RECORDING_FAILED = "recording-failed"
    CAMERA_LOST = "camera-lost"
    ENCODER_STALLED = "encoder-stalled"
    STORAGE_FAILED = "storage-failed"
    SOUND_LOST = "sound-lost"
    FRAMES_DROPPED = "frames-dropped"
    EVENTS_NOT_STORED = "events-not-stored"
    CASING_OPENED = "casing-opened"
    CLOCK_DISPUTED = "clock-disputed"


MODES: Mapping[Mode, tuple[Light, str]] = {
    Mode.OFF: (Light(Colour.OFF), "代理已停止"),
    Mode.READY: (Light(Colour.GREEN), "待机，可以录制"),
    Mode.STARTING: (Light(Colour.RED, Pattern.SLOW), "正在打开摄像头"),
    Mode.RECORDING: (Light(Colour.RED), "正在录像"),
    Mode.SOUND_ONLY: (Light(Colour.YELLOW), "正在录音（无画面）"),
    Mode.MUTED: (Light(Colour.RED, Pattern.DOUBLE), "正在录像，已静音"),
    Mode.PAUSED: (Light(Colour.YELLOW, Pattern.SLOW), "录制已暂停"),
    Mode.SEALING: (Light(Colour.GREEN, Pattern.SLOW), "正在封存"),
}
NOTICES: Mapping[Notice, Cue] = {
    Notice.RECORDING_BEGAN: Cue(
        Pulse.LONG, Pulse.LONG, "recording-began", "您已进入录音录像区域，执法全过程将被记录。"
    ),
    Notice.STILL_RECORDING: Cue(Pulse.SHORT, Pulse.SHORT, "still-recording", "正在录音录像。"),
    Notice.RECORDING_ENDED: Cue(Pulse.TWICE, Pulse.TWICE, "recording-ended", "录音录像已结束。"),
    Notice.KEY_MARKED: Cue(Pulse.SHORT, Pulse.TWICE, "key-marked", "已作重点标记。"),
    Notice.PHOTO_TAKEN: Cue(Pulse.SHORT, Pulse.SHORT, "photo-taken", "已拍照。"),
    Notice.SOUND_MUTED: Cue(Pulse.TWICE, Pulse.SHORT, "sound-muted", "已静音。"),
    Notice.SOUND_BACK: Cue(Pulse.SHORT, Pulse.SHORT, "sound-back", "已恢复录音。"),
    Notice.RECORDING_PAUSED: Cue(Pulse.TWICE, Pulse.LONG, "recording-paused", "录制已暂停。"),
    Notice.RECORDING_RESUMED: Cue(Pulse.LONG, Pulse.SHORT, "recording-resumed", "录制已继续。"),
    Notice.EXPLANATION_BEGAN: Cue(Pulse.SHORT, Pulse.SHORT, "explanation-began", "请口头说明中断原因。"),
    Notice.EXPLANATION_ENDED: Cue(Pulse.SHORT, Pulse.SHORT, "explanation-ended", "说明已记录。"),
    Notice.NOT_POSSIBLE: Cue(Pulse.ALARM, Pulse.ALARM, "not-possible", "现在不能执行，请先开始录制。"),
    Notice.CARD_READ: Cue(Pulse.SHORT, Pulse.SHORT, "card-read", "已读卡。"),
    Notice.WORK_FAILED: Cue(Pulse.ALARM, Pulse.SHORT, "work-failed", "设备有故障，请查看设备状态。"),
}
FAULTS: Mapping[Fault, tuple[Light, Cue]] = {
    Fault.RECORDING_FAILED: (
        Light(Colour.YELLOW, Pattern.FAST),
        Cue(Pulse.ALARM, Pulse.ALARM, "recording-failed", "录制失败，请重新开始录制。"),
    ),
    Fault.CAMERA_LOST: (
        Light(Colour.RED, Pattern.FAST),
        Cue(Pulse.ALARM, Pulse.ALARM, "camera-lost", "摄像头已断开，正在重试。"),
    ),
    Fault.ENCODER_STALLED: (
        Light(Colour.RED, Pattern.FAST),
        Cue(Pulse.ALARM, Pulse.ALARM, "encoder-stalled", "画面停滞，正在重试。"),
    ),
    Fault.STORAGE_FAILED: (
        Light(Colour.RED, Pattern.FAST),
        Cue(Pulse.ALARM, Pulse.ALARM, "storage-failed", "存储故障，请检查存储卡。"),
    ),
    Fault.SOUND_LOST: (
        Light(Colour.RED, Pattern.FAST),
        Cue(Pulse.ALARM, Pulse.SHORT, "sound-lost", "没有声音，请检查麦克风。"),
    ),
    Fault.FRAMES_DROPPED: (
        Light(Colour.RED, Pattern.FAST),
        Cue(Pulse.NONE, Pulse.SHORT, "frames-dropped", "画面有丢失，已记录。"),
    ),
    Fault.EVENTS_NOT_STORED: (
        Light(Colour.YELLOW, Pattern.FAST),
        Cue(Pulse.ALARM, Pulse.SHORT, "events-not-stored", "事件暂未入库，请检查存储空间。"),
    ),
    Fault.CASING_OPENED: (
        Light(Colour.YELLOW, Pattern.DOUBLE),
        Cue(Pulse.ALARM, Pulse.ALARM, "casing-opened", "机壳已打开，已记录。"),
    ),
    Fault.CLOCK_DISPUTED: (
        Light(Colour.YELLOW, Pattern.DOUBLE),
        Cue(Pulse.SHORT, Pulse.SHORT, "clock-disputed", "卫星时间与网络时间不一致，请核对。"),
    ),
}
GAP_FAULTS: Mapping[Reason, Fault | None] = dict.fromkeys(Reason) | {
    Reason.CAMERA_LOST: Fault.CAMERA_LOST,
    Reason.ENCODER_STALLED: Fault.ENCODER_STALLED,
    Reason.STORAGE_FAILED: Fault.STORAGE_FAILED,
    Reason.SOUND_LOST: Fault.SOUND_LOST,
    Reason.FRAMES_DROPPED: Fault.FRAMES_DROPPED,
}
"""What an interruption means for the bearer; a pause, silence and the ends of a recording are no faults."""

ACT_NOTICES: Mapping[Act, Notice | None] = {
    Act.MUTE: Notice.SOUND_MUTED,
    Act.UNMUTE: Notice.SOUND_BACK,
    Act.PAUSE: Notice.RECORDING_PAUSED,
    Act.RESUME: Notice.RECORDING_RESUMED,
    Act.EXPLAIN: Notice.EXPLANATION_BEGAN,
    Act.EXPLAINED: Notice.EXPLANATION_ENDED,
    Act.MARK: Notice.KEY_MARKED,
    Act.PHOTO: None,  # told when it is on the disk
}
