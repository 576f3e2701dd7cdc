"""A technician's bench for tests: an authority with a site, and devices that ask it as at their first boot."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from agent.wire.card_bundle import CardBundle, Site, bound_token, open_card
from agent.wire.enrolment import EnrolmentAnswer, EnrolmentRequest, open_answer, parse_reply
from agent.wire.signing import load_pem_certificates
from provisioning.authority import keys
from provisioning.authority.authority import Authority, init_authority
from provisioning.fleet.enrolment import Desk, enrolment_desk
from provisioning.fleet.inventory import Planned
from provisioning.fleet.site import set_site
from tests.provisioning.district import NOW, PLACE, UNIT

SITE = Site("127.0.0.1", 8883, "localhost", "5", "https://127.0.0.1:8491/liuhen/enrol", "localhost")


def serial(number: int) -> str:
    return f"10000000{number:08x}"


def planned(number: int) -> Planned:
    return Planned(f"REC-{number:04d}", serial(number), UNIT)


@contextmanager
def bench(folder: Path, site: Site = SITE, now: datetime = NOW) -> Iterator[Desk]:
    """An authority in `folder` with a site, and its desk."""
    authority = init_authority(folder, PLACE, "星河区", now)
    with enrolment_desk(Authority(authority.folder, "示例-000001")) as desk:
        set_site(desk.inventory, site, now)
        yield desk


class NewDevice:
    """A computer with a serial number and a card; its keys are made here, as they are on the device."""

    def __init__(self, desk: Desk, sealed: bytes, now: datetime = NOW) -> None:
        self.root, self.issuing = (load_pem_certificates(pem)[0] for pem in desk.certificates)
        self.card: CardBundle = open_card(sealed, self.issuing, self.root, now)
        self.tls, self.evidence = keys.new_key(), keys.new_key()
        self.now = now

    def request(self, **other: str) -> bytes:
        """What it asks, with single facts replaced by `other`."""
        told = {"device": self.card.device, "hardware": self.card.hardware, "token": self.card.token} | other
        made = EnrolmentRequest(
            told["device"],  # type: ignore[arg-type]
            self.card.district,
            told["hardware"],
            keys.signing_request(self.tls, other.get("name", self.card.device)).decode(),
            keys.signing_request(self.evidence, other.get("name", self.card.device)).decode(),
            {"model": "示例"},
            self.now,
        )
        return made.prove(bound_token(told["token"], told["device"], told["hardware"])).encode()

    def granted(self, reply: bytes) -> EnrolmentAnswer:
        return open_answer(parse_reply(reply).answer, self.issuing, self.root, self.now)
