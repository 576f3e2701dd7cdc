"""What a recorder shows, sounds and says: the one table of every state, notice, fault and alarm.

Colours after GA/T 947 as it is reported (reference: domain, section 1.5): on is green, sound yellow, picture red. Light
tells what is so, buzzer and vibration what has just happened. The README shows the same table.
"""

from collections.abc import Mapping
from enum import StrEnum

from agent.control.acts import Act
from agent.control.alarms import Alarm
from agent.control.lights import Colour, Cue, Light, Pattern, Pulse
from agent.evidence.reasons import Reason


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
    STEP_MARKED = "step-marked"
    PHOTO_TAKEN = "photo-taken"
    SOUND_MUTED = "sound-muted"
    SOUND_BACK = "sound-back"
    RECORDING_PAUSED = "recording-paused"
    RECORDING_RESUMED = "recording-resumed"
    EXPLANATION_BEGAN = "explanation-began"
    EXPLANATION_ENDED = "explanation-ended"
    NOT_POSSIBLE = "not-possible"
    CARD_READ = "card-read"
    MESSAGE_CAME = "message-came"
    WORK_FAILED = "work-failed"


class Fault(StrEnum):
    """What is wrong with recording itself; it holds until it is over. `Alarm` is what the governor says."""

    RECORDING_FAILED = "recording-failed"
    CAMERA_LOST = "camera-lost"
    ENCODER_STALLED = "encoder-stalled"
    PICTURE_FROZEN = "picture-frozen"
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
    Notice.STEP_MARKED: Cue(Pulse.SHORT, Pulse.LONG, "step-marked", "环节已标记。"),
    Notice.PHOTO_TAKEN: Cue(Pulse.SHORT, Pulse.SHORT, "photo-taken", "已拍照。"),
    Notice.SOUND_MUTED: Cue(Pulse.TWICE, Pulse.SHORT, "sound-muted", "已静音。"),
    Notice.SOUND_BACK: Cue(Pulse.SHORT, Pulse.SHORT, "sound-back", "已恢复录音。"),
    Notice.RECORDING_PAUSED: Cue(Pulse.TWICE, Pulse.LONG, "recording-paused", "录制已暂停。"),
    Notice.RECORDING_RESUMED: Cue(Pulse.LONG, Pulse.SHORT, "recording-resumed", "录制已继续。"),
    Notice.EXPLANATION_BEGAN: Cue(Pulse.SHORT, Pulse.SHORT, "explanation-began", "请口头说明中断原因。"),
    Notice.EXPLANATION_ENDED: Cue(Pulse.SHORT, Pulse.SHORT, "explanation-ended", "说明已记录。"),
    Notice.NOT_POSSIBLE: Cue(Pulse.ALARM, Pulse.ALARM, "not-possible", "现在不能执行，请先开始录制。"),
    Notice.CARD_READ: Cue(Pulse.SHORT, Pulse.SHORT, "card-read", "已读卡。"),
    Notice.MESSAGE_CAME: Cue(Pulse.TWICE, Pulse.LONG, "message-came", "收到中心的消息，请查看。"),
    Notice.WORK_FAILED: Cue(Pulse.ALARM, Pulse.SHORT, "work-failed", "设备有故障，请查看设备状态。"),
}
STOPPED = Light(Colour.YELLOW, Pattern.FAST)
"""Nothing is recorded, though somebody wanted it."""
BROKEN = Light(Colour.RED, Pattern.FAST)
"""A recording goes on, and something is missing in it."""
MILD = Light(Colour.YELLOW, Pattern.DOUBLE)
"""Shown only while nothing is recorded: the bearer must see that it is."""

TROUBLES: Mapping[Fault | Alarm, tuple[Light, Cue]] = {
    Fault.RECORDING_FAILED: (STOPPED, Cue(Pulse.ALARM, Pulse.ALARM, "recording-failed", "录制失败，请重新开始录制。")),
    Alarm.BATTERY_EMPTY: (STOPPED, Cue(Pulse.ALARM, Pulse.ALARM, "battery-empty", "电量将尽，录制已停止。")),
    Alarm.TOO_HOT: (STOPPED, Cue(Pulse.ALARM, Pulse.ALARM, "too-hot", "设备过热，录制已停止。")),
    Alarm.STORAGE_FULL: (
        STOPPED,
        Cue(Pulse.ALARM, Pulse.ALARM, "storage-full", "存储空间已用尽，录制中断。"),
    ),
    Fault.CAMERA_LOST: (BROKEN, Cue(Pulse.ALARM, Pulse.ALARM, "camera-lost", "摄像头已断开，正在重试。")),
    Fault.ENCODER_STALLED: (BROKEN, Cue(Pulse.ALARM, Pulse.ALARM, "encoder-stalled", "画面停滞，正在重试。")),
    Fault.PICTURE_FROZEN: (BROKEN, Cue(Pulse.ALARM, Pulse.SHORT, "picture-frozen", "画面静止不动，请检查摄像头。")),
    Fault.STORAGE_FAILED: (BROKEN, Cue(Pulse.ALARM, Pulse.ALARM, "storage-failed", "存储故障，请检查存储卡。")),
    Fault.SOUND_LOST: (BROKEN, Cue(Pulse.ALARM, Pulse.SHORT, "sound-lost", "没有声音，请检查麦克风。")),
    Fault.FRAMES_DROPPED: (BROKEN, Cue(Pulse.NONE, Pulse.SHORT, "frames-dropped", "画面有丢失，已记录。")),
    Alarm.STORAGE_SHORT: (MILD, Cue(Pulse.ALARM, Pulse.ALARM, "storage-short", "存储空间即将用尽。")),
    Alarm.BATTERY_LOW: (MILD, Cue(Pulse.ALARM, Pulse.ALARM, "battery-low", "电量低，请尽快充电。")),
    Alarm.HOT: (MILD, Cue(Pulse.ALARM, Pulse.SHORT, "hot", "设备温度高，请移到阴凉处。")),
    Fault.EVENTS_NOT_STORED: (
        MILD,
        Cue(Pulse.ALARM, Pulse.SHORT, "events-not-stored", "事件暂未入库，请检查存储空间。"),
    ),
    Fault.CASING_OPENED: (MILD, Cue(Pulse.ALARM, Pulse.ALARM, "casing-opened", "机壳已打开，已记录。")),
    Fault.CLOCK_DISPUTED: (MILD, Cue(Pulse.SHORT, Pulse.SHORT, "clock-disputed", "卫星时间与网络时间不一致，请核对。")),
    Alarm.STORAGE_LOW: (MILD, Cue(Pulse.SHORT, Pulse.SHORT, "storage-low", "存储空间偏少，请尽快导出录像。")),
}
"""Gravest first."""

GAP_FAULTS: Mapping[Reason, Fault | None] = dict.fromkeys(Reason) | {
    Reason.CAMERA_LOST: Fault.CAMERA_LOST,
    Reason.ENCODER_STALLED: Fault.ENCODER_STALLED,
    Reason.PICTURE_FROZEN: Fault.PICTURE_FROZEN,
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
    Act.STEP: Notice.STEP_MARKED,
    Act.PHOTO: None,  # told when it is on the disk
}
