import base64
import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderFault
from agent.wire.envelope import (
    MAX_ENVELOPE_BYTES,
    add_signature,
    open_envelope,
    open_trust_list,
    parse_envelope,
    pre_authentication_encoding,
    seal,
)
from agent.wire.trust import Credential, Role
from tests.support.signers import NOW, holder, sealed_trust_list, trusting

KIND = "application/vnd.liuhen.test+json"
EDITOR = holder("示例-000001", Role.EDITOR, 11)
REVIEWER = holder("示例-000002", Role.REVIEWER, 12)
STRANGER = holder("示例-000003", Role.EDITOR, 13)
TRUST = trusting(EDITOR, REVIEWER)


def test_what_two_people_signed_opens_with_both_named() -> None:
    data = add_signature(seal(KIND, b"{}", [EDITOR.signer]), REVIEWER.signer)
    opened = open_envelope(data, KIND, TRUST, NOW)
    assert opened.payload == b"{}"
    assert opened.signer(Role.EDITOR).subject == "示例-000001"
    assert opened.signer(Role.REVIEWER).subject == "示例-000002"


def test_pae_counts_bytes_not_characters() -> None:
    assert pre_authentication_encoding("类", b"ab") == "DSSEv1 3 类 2 ab".encode()
    # the example of the DSSE specification, protocol.md
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_changed_payload_is_refused() -> None:
    document = json.loads(seal(KIND, b'{"a":1}', [EDITOR.signer]))
    document["payload"] = base64.b64encode(b'{"a":2}').decode()
    with pytest.raises(SenderFault, match="签名"):
        open_envelope(json.dumps(document).encode(), KIND, TRUST, NOW)


def test_a_payload_is_not_taken_for_another_type() -> None:
    data = seal(KIND, b"{}", [EDITOR.signer])
    with pytest.raises(SenderFault, match="类型"):
        open_envelope(data, "application/vnd.liuhen.receipt+json", TRUST, NOW)
    document = json.loads(data)
    document["payloadType"] = "application/vnd.liuhen.receipt+json"
    with pytest.raises(SenderFault, match="签名"):
        open_envelope(json.dumps(document).encode(), "application/vnd.liuhen.receipt+json", TRUST, NOW)


def test_one_unknown_signature_beside_a_good_one_refuses_the_whole() -> None:
    with pytest.raises(SenderFault, match="信任清单"):
        open_envelope(seal(KIND, b"{}", [EDITOR.signer, STRANGER.signer]), KIND, TRUST, NOW)


def test_one_key_signing_twice_is_not_two_people() -> None:
    with pytest.raises(SenderFault, match="两次"):
        open_envelope(seal(KIND, b"{}", [EDITOR.signer, EDITOR.signer]), KIND, TRUST, NOW)


def test_a_signature_is_not_moved_to_another_key() -> None:
    document = json.loads(seal(KIND, b"{}", [STRANGER.signer]))
    document["signatures"][0]["keyid"] = EDITOR.signer.key_id
    with pytest.raises(SenderFault, match="签名"):
        open_envelope(json.dumps(document).encode(), KIND, TRUST, NOW)


def test_expired_future_and_revoked_keys_are_refused() -> None:
    data = seal(KIND, b"{}", [EDITOR.signer])
    for moment in (NOW + timedelta(days=400), NOW - timedelta(days=3)):
        with pytest.raises(SenderFault, match="有效期"):
            open_envelope(data, KIND, TRUST, moment)
    credential = EDITOR.credential
    revoked = Credential(credential.subject, credential.role, credential.certificate_pem, NOW)
    trust = trusting(type(EDITOR)(EDITOR.signer, revoked))
    with pytest.raises(SenderFault, match="吊销"):
        open_envelope(data, KIND, trust, NOW)
    assert open_envelope(data, KIND, trust, NOW - timedelta(seconds=1)).payload == b"{}"


def test_a_trust_list_opens_only_with_the_pinned_root() -> None:
    root, other = holder("root", Role.EDITOR, 21), holder("other", Role.EDITOR, 22)
    data = sealed_trust_list(TRUST, root.signer)
    assert open_trust_list(data, root.credential.certificate) == TRUST
    with pytest.raises(SenderFault, match="根密钥"):
        open_trust_list(data, other.credential.certificate)
    document = json.loads(data)
    document["signatures"][0]["keyid"] = other.signer.key_id
    with pytest.raises(SenderFault):
        open_trust_list(json.dumps(document).encode(), other.credential.certificate)


def test_oversized_and_overloaded_envelopes_are_refused_before_any_crypto() -> None:
    with pytest.raises(SenderFault, match="KiB"):
        parse_envelope(b" " * (MAX_ENVELOPE_BYTES + 1))
    with pytest.raises(SenderFault, match="签名"):
        parse_envelope(seal(KIND, b"{}", [EDITOR.signer] * 9))
    with pytest.raises(SenderFault, match="签名"):
        parse_envelope(seal(KIND, b"{}", []))


def test_a_type_spelled_with_a_lone_surrogate_cannot_poison_what_is_said_about_it() -> None:
    data = json.dumps({"payload": "YQ==", "payloadType": "\ud800", "signatures": [{"keyid": "0" * 64, "sig": "YQ=="}]})
    with pytest.raises(SenderFault) as fault:
        open_envelope(data.encode(), KIND, TRUST, NOW)
    str(fault.value).encode()


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_garbage_is_refused_as_the_senders_fault(data: bytes) -> None:
    with pytest.raises(SenderFault):
        open_envelope(data, KIND, TRUST, NOW)


SEALED = seal(KIND, b'{"upto":7}', [EDITOR.signer])  # once: an ECDSA signature's length varies


@given(st.data())
def test_no_flipped_byte_of_payload_or_signature_opens(data: st.DataObject) -> None:
    sealed = bytearray(SEALED)
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        opened = open_envelope(bytes(sealed), KIND, TRUST, NOW)
    except SenderFault:
        return
    # base64 has unused low bits in its last character, JSON ignores names it does not know: the content stands.
    assert opened.payload == b'{"upto":7}'


def test_openssl_checks_an_envelope_by_hand(tmp_path: Path) -> None:
    envelope = parse_envelope(seal(KIND, "窗口".encode(), [EDITOR.signer]))
    key = EDITOR.credential.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "signature").write_bytes(envelope.signatures[0].der)
    signed = tmp_path / "signed"
    signed.write_bytes(pre_authentication_encoding(envelope.payload_type, envelope.payload))
    check = [
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        tmp_path / "key.pem",
        "-signature",
        tmp_path / "signature",
        signed,
    ]
    assert b"Verified OK" in subprocess.run(check, check=True, capture_output=True).stdout
    signed.write_bytes(signed.read_bytes() + b" ")
    assert subprocess.run(check, check=False, capture_output=True).returncode != 0
