"""The small district of a rehearsal: who is in it and the folders they run from."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent import durable
from agent.wire.trust import Role
from provisioning.authority.archive_key import ARCHIVE_PUBLIC, read_archive_public
from provisioning.authority.authority import Authority, init_authority
from provisioning.center.broker_config import Listener
from provisioning.center.broker_folder import BrokerOrder, current_user, write_broker_folder
from provisioning.fleet.folders import write_device_folder, write_person_folder, write_receiver_folder
from provisioning.fleet.orders import BrokerAddress, DeviceOrder, KioskOrder, ReceiverOrder

SAMPLE = Path(__file__).with_name("sample")
PLACE, NAME = "xinghe", "星河区"
UNIT, HALL, AUDIENCE = "星河区综合行政执法局", "星河区政务服务大厅", "hall-1"
ON_SCENE = "REC-0001"  # the recorder that the inspection is made with
RECORDERS, KIOSK, RECEIVER = ("REC-0001", "REC-0002"), "KSK-0001", "receiver-1"
EDITOR, REVIEWER = "示例-000101", "示例-000102"
OFFICERS, EXAMINER, LEADER = ("示例-000001", "示例-000002"), "示例-000301", "示例-000401"
PEOPLE = (
    (Role.EDITOR, EDITOR),
    (Role.REVIEWER, REVIEWER),
    (Role.HANDLER, OFFICERS[0]),
    (Role.EXAMINER, EXAMINER),
    (Role.LEADER, LEADER),
)
LOOPBACK = "127.0.0.1"
PHONE = "0000-0000000"  # fictional: nobody answers it


@dataclass(frozen=True)
class District:
    """Where everything of a rehearsal lies below `place`."""

    place: Path

    @property
    def authority(self) -> Path:
        """The authority's folder."""
        return self.place / "authority"

    @property
    def root(self) -> Path:
        """The certificate that every party pins."""
        return self.authority / "root.pem"

    @property
    def center(self) -> Path:
        """The receiver's folder."""
        return self.place / "center"

    @property
    def archive(self) -> Path:
        """Where recordings stand in the clear: on the devices they are encrypted."""
        return self.place / "archive"

    @property
    def office(self) -> Path:
        """The publishing office's folder."""
        return self.place / "office"

    @property
    def logs(self) -> Path:
        """One log file a role."""
        return self.place / "logs"

    def device(self, name: str) -> Path:
        """A device's folder."""
        return self.place / "devices" / name

    def recordings(self, name: str) -> list[Path]:
        """The recording folders of a device as the archive has decrypted them, oldest first."""
        return sorted((self.archive / name).glob("*-R*"))

    def button(self, name: str) -> Path:
        """The serial line of a recorder's simulated button."""
        return self.device(name) / "mcu"

    def lines(self, name: str) -> dict[str, str]:
        """The serial lines of a recorder besides the button's, by their key in `[hooks]`."""
        keys = ("card", "printer") if name == ON_SCENE else ()
        return {key: str((self.device(name) / key).absolute()) for key in keys}

    def person(self, role: Role) -> Path:
        """The folder with a person's key."""
        return self.place / "people" / role.value


@dataclass(frozen=True)
class Wishes:
    """What a rehearsal is to be built with; `engine` is `mosquitto` or `embedded`."""

    engine: str
    port: int
    camera: str

    @property
    def protocol(self) -> str:
        """MQTT 5, or 3.1.1 where the broker knows no better."""
        return "5" if self.engine == "mosquitto" else "3.1.1"


def build_district(place: Path, wishes: Wishes, now: datetime) -> tuple[District, Path]:
    """Write every folder; returns the district and the broker's configuration file."""
    district = District(place)
    for folder in (district.logs, district.office):
        durable.make_directory(folder)
    authority = init_authority(district.authority, PLACE, NAME, now)
    for _ in range(2):  # the second round hands everybody the trust list with all the others on it
        write_receiver_folder(authority, _receiver(wishes, district), district.center, now)
        for role, subject in PEOPLE:
            write_person_folder(authority, subject, role, district.person(role), now)
        for order in _devices(wishes, district):
            write_device_folder(authority, order, district.device(order.device), now)
    return district, _broker(authority, wishes, district, now)


def _broker(authority: Authority, wishes: Wishes, district: District, now: datetime) -> Path:
    listener = Listener(LOOPBACK, wishes.port, current_user())
    order = BrokerOrder(listener, wishes.engine, pairs=(":".join(RECORDERS),))
    return write_broker_folder(authority, order, district.place / "broker", now)[0]


def _receiver(wishes: Wishes, district: District) -> ReceiverOrder:
    return ReceiverOrder(RECEIVER, _address(wishes), str((district.office / "released").absolute()))


def _devices(wishes: Wishes, district: District) -> list[DeviceOrder]:
    archive = read_archive_public(district.authority / ARCHIVE_PUBLIC)
    recorders = [
        DeviceOrder(
            name,
            UNIT,
            _address(wishes),
            wishes.camera,
            str(district.button(name).absolute()),
            partner=partner,
            own_sensors=False,
            archive=archive,
            lines=district.lines(name),
        )
        for name, partner in zip(RECORDERS, reversed(RECORDERS), strict=True)
    ]
    kiosk = DeviceOrder(KIOSK, UNIT, _address(wishes), kiosk=KioskOrder(HALL, AUDIENCE, PHONE, f"{LOOPBACK}:0"))
    return [*recorders, kiosk]


def _address(wishes: Wishes) -> BrokerAddress:
    return BrokerAddress(LOOPBACK, wishes.port, wishes.protocol)
