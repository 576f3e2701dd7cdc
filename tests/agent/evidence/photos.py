"""A signed photo on the test bench."""

from agent.adapters.libav import photo_of
from agent.evidence.photo import PhotoPlace, PhotoStatement, sign_photo
from agent.wire.device_events import GENESIS
from agent.wire.identifiers import recording_id
from agent.wire.signing import CertifiedSigner
from tests.agent.adapters.recording_bench import footage
from tests.agent.evidence.bench import DEVICE, START, UNIT

PLACE = PhotoPlace(recording_id(DEVICE, 1), 7, GENESIS)


def statement(place: PhotoPlace | None = PLACE) -> PhotoStatement:
    return PhotoStatement(DEVICE, UNIT, START, START, START, place, {"source": "bench", "synthetic": False})


def picture() -> bytes:
    return photo_of(footage(1, sound=False)[1][0].data)


def photo(signer: CertifiedSigner, place: PhotoPlace | None = PLACE) -> bytes:
    return sign_photo(picture(), statement(place), signer)
