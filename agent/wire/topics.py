"""Every MQTT topic, built and parsed here and nowhere else.

    gov/{district}/v1/{rec|ksk}/{device}/evt            the chain of events         device -> centre
    gov/{district}/v1/{rec|ksk}/{device}/hint           urgent copy of an event     device -> centre
    gov/{district}/v1/{rec|ksk}/{device}/state          retained birth / last will  device -> centre
    gov/{district}/v1/{rec|ksk}/{device}/ack            signed receipts             centre -> device
    gov/{district}/v1/{rec|ksk}/{device}/cmd/{id}       signed command              centre -> device
    gov/{district}/v1/{rec|ksk}/{device}/cmd/{id}/rsp   its answer                  device -> centre
    gov/{district}/v1/{rec|ksk}/{device}/twin/desired   retained wishes             centre -> device
    gov/{district}/v1/{rec|ksk}/{device}/twin/reported  retained report             device -> centre
    gov/{district}/v1/central/{receiver}/state          retained state of a receiver
    gov/{district}/v1/pub/{audience}/{kind}/{id}        retained disclosure         centre -> kiosks
    gov/{district}/v1/pub/{audience}/content/{sha256}/{number}  retained piece of a file of one

No personal data, case number or name ever stands in a topic.
"""

from dataclasses import dataclass
from functools import lru_cache

from agent.errors import SenderFault
from agent.wire.identifiers import (
    DeviceId,
    Digest,
    District,
    device_id,
    device_kind,
    digest,
    district,
    label,
)

TOPICS_KEPT = 8_192  # ours; of a district's 2 000 devices: a receiver reads the same topic for every message
ROOT, VERSION = "gov", "v1"
EVENTS, HINT, STATE, RECEIPT = "evt", "hint", "state", "ack"
COMMAND, COMMAND_ANSWER = "cmd", "rsp"
TWIN_DESIRED, TWIN_REPORTED = "twin/desired", "twin/reported"
CENTRAL, PUBLICATION = "central", "pub"
CONTENT = "content"
EVERYONE = "all"
MAX_PIECE_DIGITS = 4
DEVICE_CHANNELS = frozenset({EVENTS, HINT, STATE, RECEIPT, TWIN_DESIRED, TWIN_REPORTED})


@dataclass(frozen=True)
class DeviceTopic:
    """A parsed device topic; `channel` is one of `DEVICE_CHANNELS`."""

    district: District
    device: DeviceId
    channel: str


@dataclass(frozen=True)
class PublicationTopic:
    """A parsed disclosure topic."""

    district: District
    audience: str
    kind: str
    disclosure: str


@dataclass(frozen=True)
class ContentTopic:
    """A parsed topic of a piece of a file; `number` from 0."""

    district: District
    audience: str
    sha256: Digest
    number: int


@lru_cache(TOPICS_KEPT)
def device_topic(place: District, device: DeviceId, channel: str) -> str:
    """The topic of one channel of one device."""
    return f"{ROOT}/{place}/{VERSION}/{device_kind(device).value}/{device}/{channel}"


def receiver_state_topic(place: District, receiver: str) -> str:
    """The retained topic where a receiver says that it is there."""
    return f"{ROOT}/{place}/{VERSION}/{CENTRAL}/{receiver}/{STATE}"


def publication_topic(place: District, audience: str, kind: str, disclosure: str) -> str:
    """The retained topic of one disclosure; `audience` is `all`, a hall or a kiosk's label."""
    return f"{ROOT}/{place}/{VERSION}/{PUBLICATION}/{audience}/{kind}/{disclosure}"


def content_topic(place: District, audience: str, sha256: Digest, number: int | str) -> str:
    """The retained topic of piece `number`, from 0, of the file with this hash; `+` for all of its pieces."""
    return f"{publication_topic(place, audience, CONTENT, sha256)}/{number}"


def events_filter(place: District) -> str:
    """The receiver's subscription: every device's chain, recorders and kiosks alike."""
    return f"{ROOT}/{place}/{VERSION}/+/+/{EVENTS}"


def hints_filter(place: District) -> str:
    """The receiver's subscription: every device's urgent copies."""
    return f"{ROOT}/{place}/{VERSION}/+/+/{HINT}"


def states_filter(place: District) -> str:
    """The receiver's subscription: every device's birth and last will."""
    return f"{ROOT}/{place}/{VERSION}/+/+/{STATE}"


def publications_filter(place: District, audience: str, kind: str = "+") -> str:
    """The subscription to what is disclosed to `audience`: everything, for a kiosk, or one kind."""
    return f"{ROOT}/{place}/{VERSION}/{PUBLICATION}/{audience}/{kind}/+"


@lru_cache(TOPICS_KEPT)
def parse_device_topic(topic: str) -> DeviceTopic:
    """The inverse of `device_topic`; raises `SenderFault` for any other topic."""
    levels = topic.split("/", 5)
    if len(levels) != 6 or levels[0] != ROOT or levels[2] != VERSION or levels[5] not in DEVICE_CHANNELS:
        raise SenderFault(f"主题“{topic[:120]}”不是设备主题，已忽略。")
    device = device_id(levels[4])
    if levels[3] != device_kind(device).value:
        raise SenderFault(f"主题“{topic[:120]}”中的设备类别与编号不符，已忽略。")
    return DeviceTopic(district(levels[1]), device, levels[5])


def parse_publication_topic(topic: str) -> PublicationTopic:
    """The inverse of `publication_topic`; raises `SenderFault` for any other topic."""
    levels = topic.split("/")
    if len(levels) != 7 or levels[0] != ROOT or levels[2:4] != [VERSION, PUBLICATION]:
        raise SenderFault(f"主题“{topic[:120]}”不是公示主题，已忽略。")
    return PublicationTopic(district(levels[1]), label(levels[4]), label(levels[5]), label(levels[6]))


def is_content_topic(topic: str) -> bool:
    """Whether `topic` looks like that of a piece of a file: such as are not documents."""
    levels = topic.split("/")
    return len(levels) == 8 and levels[3] == PUBLICATION and levels[5] == CONTENT


def parse_content_topic(topic: str) -> ContentTopic:
    """The inverse of `content_topic`; raises `SenderFault` for any other topic."""
    levels = topic.split("/")
    if not is_content_topic(topic) or levels[0] != ROOT or levels[2] != VERSION or not _is_number(levels[7]):
        raise SenderFault(f"主题“{topic[:120]}”不是附件主题，已忽略。")
    return ContentTopic(district(levels[1]), label(levels[4]), digest(levels[6]), int(levels[7]))


def _is_number(text: str) -> bool:
    plain = text.isascii() and text.isdigit() and len(text) <= MAX_PIECE_DIGITS
    return plain and (text == "0" or not text.startswith("0"))
