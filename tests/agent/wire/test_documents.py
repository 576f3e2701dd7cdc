from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.device_events import GENESIS
from agent.wire.disclosures import ENTRY_FIELDS, Disclosure, DisclosureKind, parse_disclosure
from agent.wire.identifiers import DeviceId, Digest, District, RecordingId
from agent.wire.receipts import Receipt, parse_receipt
from agent.wire.recording_receipts import RecordingReceipt, parse_recording_receipt
from agent.wire.status import DeviceStatus, parse_status
from agent.wire.trust import Credential, Role, parse_trust_list
from agent.wire.witness import Witness, parse_witness
from tests.support.signers import NOW, holder, trusting

RECEIPT = Receipt(DeviceId("REC-0001"), 7, Digest("ab" * 32), "receiver-1", NOW)
STATUS = DeviceStatus(DeviceId("REC-0001"), True, 3, "boot", "0.1.0", 5, 7, GENESIS, NOW)
WITNESS = Witness(RecordingId("REC-0001-R000001"), 12, Digest("cd" * 32), "receiver-1", NOW)
RECORDING_RECEIPT = RecordingReceipt(
    RecordingId("REC-0001-R000001"), Digest("ab" * 32), Digest("cd" * 32), 9, True, "6个月", "receiver-1", NOW, NOW
)
ENTRY = dict.fromkeys(ENTRY_FIELDS[DisclosureKind.WINDOW_BOARD], "示例")
BOARD = Disclosure(
    District("xinghe"), "hall-1", DisclosureKind.WINDOW_BOARD, "main", 2, "窗口公示", "示例局", NOW, NOW,
    NOW + timedelta(days=1), None, (ENTRY,),
)  # fmt: skip


def test_documents_parse_back_from_their_own_bytes() -> None:
    assert parse_receipt(RECEIPT.encode()) == RECEIPT
    assert parse_recording_receipt(RECORDING_RECEIPT.encode()) == RECORDING_RECEIPT
    assert parse_status(STATUS.encode()) == STATUS
    assert parse_witness(WITNESS.encode()) == WITNESS
    assert parse_witness(replace(WITNESS, witness="REC-0002").encode()).witness == "REC-0002"
    assert parse_disclosure(BOARD.encode()) == BOARD
    assert (
        parse_disclosure(replace(BOARD, withdrawn="撤回", entries=(), effective_until=None).encode()).withdrawn
        == "撤回"
    )
    trust = trusting(holder("示例-000001", Role.EDITOR), holder("REC-0001", Role.RECORDER))
    assert parse_trust_list(trust.encode()) == trust


@pytest.mark.parametrize("document", [RECEIPT, STATUS, BOARD, WITNESS])
def test_every_field_left_out_is_refused(document: Receipt | DeviceStatus | Disclosure | Witness) -> None:
    parse = {
        Receipt: parse_receipt,
        DeviceStatus: parse_status,
        Disclosure: parse_disclosure,
        Witness: parse_witness,
    }[type(document)]
    value = canonical.decode(document.encode())
    for name in value:
        shortened = {key: inner for key, inner in value.items() if key != name}
        with pytest.raises(SenderFault, match=name):
            parse(canonical.encode(shortened))


def test_a_witness_to_nothing_or_by_nobody_is_refused() -> None:
    for changes in ({"sequence": 0}, {"sequence": True}, {"witness": "Somebody Else"}, {"recording": "REC-0001"}):
        with pytest.raises(SenderFault):
            parse_witness(canonical.encode({**canonical.decode(WITNESS.encode()), **changes}))


def test_an_entry_without_one_of_the_seeds_fields_is_refused_with_its_number() -> None:
    for name in ENTRY:
        shortened = {key: value for key, value in ENTRY.items() if key != name}
        document = {**canonical.decode(BOARD.encode()), "entries": [ENTRY, shortened]}
        with pytest.raises(SenderFault, match=rf"第 2 条.*{name}"):
            parse_disclosure(canonical.encode(document))


def test_an_entry_whose_certificate_only_holds_the_key_somewhere_is_refused_when_it_is_used() -> None:
    """A list is read without opening its certificates: what an entry is called counts for nothing until one is."""
    mine, stranger = holder("REC-0001", Role.RECORDER, 41), ec.derive_private_key(42, ec.SECP256R1())
    held = mine.credential.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "REC-0001")])
    hidden = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), held)
    made = x509.CertificateBuilder(name, name, stranger.public_key(), 1, NOW, NOW + timedelta(days=1))
    signed = made.add_extension(hidden, critical=False).sign(stranger, hashes.SHA256())
    pem = signed.public_bytes(Encoding.PEM).decode()
    document = canonical.decode(trusting(mine).encode())
    document["credentials"][0]["certificate"] = pem
    listed = parse_trust_list(canonical.encode(document)).listed(mine.credential.key_id)
    with pytest.raises(SenderFault, match="REC-0001"):
        _ = listed.public_key
    with pytest.raises(SenderFault, match="REC-0001"):
        listed.valid_at(NOW)


def test_a_certificate_of_another_key_is_refused_with_the_whole_list() -> None:
    mine, other = holder("REC-0001", Role.RECORDER, 41), holder("REC-0002", Role.RECORDER, 42)
    document = canonical.decode(trusting(mine).encode())
    document["credentials"][0]["certificate"] = other.credential.certificate_pem
    with pytest.raises(SenderFault, match="密钥标识"):
        parse_trust_list(canonical.encode(document))


def test_a_trust_list_gives_one_key_one_role() -> None:
    person = holder("示例-000001", Role.EDITOR, 31)
    twice = Credential("示例-000001", Role.REVIEWER, person.credential.certificate_pem)
    with pytest.raises(SenderFault, match="两次"):
        trusting(person, type(person)(person.signer, twice))
    document = canonical.decode(trusting(person).encode())
    document["credentials"][0]["key"] = "00" * 32
    with pytest.raises(SenderFault, match="密钥标识"):
        parse_trust_list(canonical.encode(document))
