import pytest

from agent.errors import SenderFault
from agent.wire import topics
from agent.wire.identifiers import DeviceId, District, device_id, parse_recording_id, recording_id, recording_number

PLACE, DEVICE = District("xinghe"), DeviceId("REC-0001")


@pytest.mark.parametrize("channel", sorted(topics.DEVICE_CHANNELS))
def test_a_device_topic_parses_back(channel: str) -> None:
    topic = topics.device_topic(PLACE, DEVICE, channel)
    assert topics.parse_device_topic(topic) == topics.DeviceTopic(PLACE, DEVICE, channel)


def test_a_publication_topic_parses_back() -> None:
    topic = topics.publication_topic(PLACE, "hall-1", "window-board", "main")
    assert topic == "gov/xinghe/v1/pub/hall-1/window-board/main"
    assert topics.parse_publication_topic(topic) == topics.PublicationTopic(PLACE, "hall-1", "window-board", "main")


@pytest.mark.parametrize(
    "topic",
    [
        "gov/xinghe/v1/ksk/REC-0001/evt",  # the kind does not fit the id
        "gov/xinghe/v1/rec/REC-0001/evt/x",
        "gov/xinghe/v2/rec/REC-0001/evt",
        "gov/xinghe/v1/rec/REC-0002/up/evt",  # a slash in a name
        "gov/xinghe/v1/rec/rec-0001/evt",
        "gov/星河/v1/rec/REC-0001/evt",
        "gov/xinghe/v1/rec/+/evt",
        "",
    ],
)
def test_a_topic_outside_the_plan_is_refused(topic: str) -> None:
    with pytest.raises(SenderFault):
        topics.parse_device_topic(topic)


@pytest.mark.parametrize("name", ["REC-1", "REC-0000001", "REC-0001/up", "rec-0001", "KSK-0001\n", "", "CTR-0001"])
def test_a_name_outside_the_pattern_is_no_device(name: str) -> None:
    with pytest.raises(SenderFault):
        device_id(name)


def test_recordings_are_numbered_within_their_device() -> None:
    recording = recording_id(DEVICE, 12)
    assert recording == "REC-0001-R000012"
    assert recording_number(parse_recording_id(recording)) == 12
    with pytest.raises(SenderFault):
        parse_recording_id("REC-0001-12")
