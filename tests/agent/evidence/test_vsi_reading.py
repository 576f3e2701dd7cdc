"""A fragment's signature that is opened like the one before it: never more is accepted than by parsing it."""

import pytest

from agent.errors import SenderFault
from agent.evidence import cbor, cose, vsi, vsi_reading
from agent.evidence.session import CertifiedSession, SessionKey
from agent.evidence.vsi_reading import SegmentInfoReader
from agent.wire.signing import RAW_SIGNATURE_BYTES
from tests.agent.evidence.bench import private_key

KEY = SessionKey(private_key("session"))
SESSION = CertifiedSession(KEY.public_key, KEY.key_id, 1)
MANIFEST, TIME = "urn:c2pa:x", 1_700_000_000
NUMBERS = (1, 2, 23, 24, 25, 255, 256, 257, 65_535, 65_536, 65_537, 2**32 - 1, 2**32, 2**32 + 1)


def _signed(sequence: int, time: int = TIME, manifest: str = MANIFEST) -> bytes:
    return vsi.sign_fragment(KEY, manifest, sequence, 500, time + sequence % 9, [b"box of %d" % sequence])


def _outcome(read, emsg: bytes) -> object:
    try:
        return read(emsg)
    except SenderFault:
        return "refused"


def test_row_of_fragments_tells_what_each_tells_by_itself():
    reader = SegmentInfoReader(SESSION)
    for emsg in (*map(_signed, NUMBERS), _signed(258, 5), _signed(259, manifest="urn:c2pa:y"), _signed(260)):
        assert reader.open(emsg) == vsi.open_fragment(emsg, SESSION)


def test_no_changed_byte_is_accepted_because_the_fragment_before_was_good():
    emsg, refused = _signed(301), 0
    for at in range(len(emsg)):
        changed = emsg[:at] + bytes([emsg[at] ^ 1]) + emsg[at + 1 :]
        reader = SegmentInfoReader(SESSION)
        reader.open(_signed(300))
        found = _outcome(reader.open, changed)
        assert found == _outcome(lambda data: vsi.open_fragment(data, SESSION), changed)
        refused += found == "refused"
    assert refused == len(emsg) - 4  # all but the duration, which is not signed and compared with the journal's


def test_signature_moved_to_another_number_or_time_is_refused():
    reader, good = SegmentInfoReader(SESSION), _signed(301)
    reader.open(_signed(300))
    for other in (_signed(302), _signed(301, TIME + 1)):
        with pytest.raises(SenderFault, match="签名与内容不符"):
            reader.open(other[:-RAW_SIGNATURE_BYTES] + good[-RAW_SIGNATURE_BYTES:])


def test_number_of_the_box_that_is_not_the_signed_one_is_refused():
    """Players read it; the signature does not cover it."""
    reader, emsg = SegmentInfoReader(SESSION), _signed(301)
    reader.open(_signed(300))
    at = emsg.index((301).to_bytes(4))
    with pytest.raises(SenderFault, match="签名之外"):
        reader.open(emsg[:at] + (302).to_bytes(4) + emsg[at + 4 :])


def test_bytes_behind_or_missing_are_refused():
    reader, emsg = SegmentInfoReader(SESSION), _signed(301)
    reader.open(_signed(300))
    for changed in (emsg + b"\0", emsg[:-1]):
        with pytest.raises(SenderFault):
            reader.open(changed)


@pytest.mark.parametrize("iat", ["noon", None, -5, 2**70])
def test_session_key_that_writes_another_form_misleads_nobody(iat):
    """Whoever holds it may sign what he likes: it is read as it stands, or refused, and never as the one before."""
    hashed = {"exclusions": [], "alg": "sha256", "hash": b"\x07"}

    def odd(sequence: int) -> bytes:
        payload = cbor.encode({"manifestId": MANIFEST, "sequenceNumber": sequence, "bmffHash": hashed})
        message = cose.sign_attached(KEY.signer, {"iat": iat}, {cose.KEY_ID: KEY.key_id}, payload)
        whole = _signed(sequence)
        head = whole[8 : whole.index(b"\xd2\x84")]
        return (8 + len(head) + len(message)).to_bytes(4) + b"emsg" + head + message

    reader = SegmentInfoReader(SESSION)
    for sequence in (300, 301, 302):
        emsg = odd(sequence)
        assert _outcome(reader.open, emsg) == _outcome(lambda data: vsi.open_fragment(data, SESSION), emsg)


def test_number_without_bytes_of_its_own_is_not_read_as_nought():
    """Below 24 a number is in CBOR's first byte; a session that is certified from 0 on would let a 0 pass."""
    session = CertifiedSession(KEY.public_key, KEY.key_id, 0)
    reader, emsg = SegmentInfoReader(session), _signed(5)
    reader.open(emsg)
    at = vsi_reading._EVENT_ID
    with pytest.raises(SenderFault, match="签名之外"):
        reader.open(emsg[: at.start] + bytes(4) + emsg[at.stop :])
