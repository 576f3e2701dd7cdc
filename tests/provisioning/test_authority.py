"""What the authority certifies, what it refuses, and that an interrupted command can be run again."""

import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent import durable
from agent.errors import OperatorFault, SenderFault
from agent.key_files import read_private_key
from agent.wire.envelope import MAX_ENVELOPE_BYTES, open_trust_list, seal
from agent.wire.identifiers import District
from agent.wire.signing import KeySigner, key_id_of
from agent.wire.trust import TRUST_TYPE, Credential, Role, trust_list
from provisioning.authority import certificates, keys
from provisioning.authority.authority import Authority, init_authority, open_authority
from provisioning.authority.certificates import BACKDATING, DOCUMENT_SIGNING, Bearer, Profile
from tests.provisioning.district import NOW


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return init_authority(tmp_path / "ca", "xinghe", "星河区", NOW)


def certified(authority: Authority, subject: str = "REC-0001", role: Role = Role.RECORDER) -> bytes:
    return authority.certify_signer(keys.signing_request(keys.new_key(), subject), subject, role, NOW)


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("profile", ["evidence", "client", "server", "person"])
def test_foreign_verifier_accepts_every_leaf_strictly(authority: Authority, tmp_path: Path, profile: str) -> None:
    key = keys.new_key()
    if profile == "evidence":
        chain, purpose = certified(authority), "smimesign"
    elif profile == "person":
        chain, purpose = certified(authority, "示例-000001", Role.EDITOR), "smimesign"
    elif profile == "client":
        request = keys.signing_request(key, "KSK-0001")
        chain, purpose = authority.certify_client(request, "KSK-0001", Role.KIOSK, NOW), "sslclient"
    else:
        hosts = ("localhost", "127.0.0.1")
        request = keys.signing_request(key, "broker-1")
        chain, purpose = authority.certify_broker(request, "broker-1", hosts, NOW), "sslserver"
    (tmp_path / "chain.pem").write_bytes(chain)
    moment = str(int(NOW.timestamp()))
    strict = ["verify", "-x509_strict", "-attime", moment, "-CAfile", authority.folder / "root.pem"]
    rest = ["-untrusted", tmp_path / "chain.pem", tmp_path / "chain.pem"]
    found = openssl(*strict, "-purpose", purpose, *rest)
    assert found.stdout.strip().endswith("OK"), found.stderr
    other = {"smimesign": "sslclient", "sslclient": "sslserver", "sslserver": "smimesign"}[purpose]
    assert openssl(*strict, "-purpose", other, *rest).returncode != 0


def test_evidence_leaf_has_what_c2pa_and_cms_ask_for(authority: Authority) -> None:
    leaf, issuing = x509.load_pem_x509_certificates(certified(authority))
    usages = list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert DOCUMENT_SIGNING in usages
    assert x509.ExtendedKeyUsageOID.EMAIL_PROTECTION in usages
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    issuer_key = issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority_key = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert authority_key.key_identifier == issuer_key.digest
    names = {attribute.oid: attribute.value for attribute in leaf.subject}
    assert names[NameOID.COMMON_NAME] == "REC-0001"
    assert names[NameOID.ORGANIZATIONAL_UNIT_NAME] == "recorder"
    assert leaf.not_valid_before_utc == NOW - BACKDATING
    assert issuing.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    root = x509.load_pem_x509_certificate(authority.root_pem)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 1


@pytest.mark.parametrize(
    "subject",
    [
        "REC-0002/up",
        "rec-0001",
        "REC-1",
        "REC-0000001",
        "REC-0001\n",
        "+",
        "#",
        "",
        "KSK-0001",
        "receiver-1",
        "REC-０００１",
    ],
)
def test_threat_malicious_technician_gets_no_certificate_for_a_name_outside_the_pattern(
    authority: Authority, subject: str
) -> None:
    with pytest.raises(OperatorFault):
        authority.certify_signer(b"", subject, Role.RECORDER, NOW)


@pytest.mark.parametrize("subject", ["REC-0001", "甲/乙", "a+b", "a#", "", " 甲", "甲\n", "x" * 33, "甲" * 22])
def test_person_that_could_pass_for_a_device_or_a_topic_is_refused(authority: Authority, subject: str) -> None:
    with pytest.raises(OperatorFault):
        authority.certify_signer(b"", subject, Role.EDITOR, NOW)


@pytest.mark.parametrize("name", ["", " ", "甲" * 22, "甲\n乙"])
def test_district_name_that_no_certificate_can_carry_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperatorFault):
        init_authority(tmp_path / "ca", "xinghe", name, NOW)
    assert not (tmp_path / "ca").exists()


def test_threat_malicious_technician_gets_no_second_key_for_a_live_device(authority: Authority) -> None:
    certified(authority)
    with pytest.raises(OperatorFault, match="revoke"):
        certified(authority)
    authority.revoke("REC-0001", "遗失", NOW)
    certified(authority)
    live = [entry for entry in authority.trust().credentials.values() if entry.revoked_at is None]
    assert [entry.subject for entry in live] == ["REC-0001"]


def test_one_person_cannot_be_editor_and_reviewer(authority: Authority) -> None:
    certified(authority, "示例-000001", Role.EDITOR)
    with pytest.raises(OperatorFault):
        certified(authority, "示例-000001", Role.REVIEWER)


def test_one_key_cannot_have_two_uses(authority: Authority) -> None:
    request = keys.signing_request(keys.new_key(), "REC-0001")
    authority.certify_signer(request, "REC-0001", Role.RECORDER, NOW)
    with pytest.raises(OperatorFault, match="公钥"):
        authority.certify_client(request, "REC-0001", Role.RECORDER, NOW)


def test_the_same_request_again_gets_the_same_chain_and_no_new_version(authority: Authority) -> None:
    request = keys.signing_request(keys.new_key(), "REC-0001")
    first = authority.certify_signer(request, "REC-0001", Role.RECORDER, NOW)
    version = authority.trust().version
    assert authority.certify_signer(request, "REC-0001", Role.RECORDER, NOW + timedelta(days=1)) == first
    assert authority.trust().version == version


def test_request_without_possession_is_refused(authority: Authority) -> None:
    honest = x509.load_pem_x509_csr(keys.signing_request(keys.new_key(), "REC-0001")).public_bytes(Encoding.DER)
    other = keys.new_key().public_key().public_numbers()
    point = b"\x04" + other.x.to_bytes(32) + other.y.to_bytes(32)
    start = honest.index(b"\x03\x42\x00\x04") + 3  # the BIT STRING of an uncompressed P-256 point
    forged = x509.load_der_x509_csr(honest[:start] + point + honest[start + 65 :])
    with pytest.raises(SenderFault, match="持有"):
        authority.certify_signer(forged.public_bytes(Encoding.PEM), "REC-0001", Role.RECORDER, NOW)


@pytest.mark.parametrize("kind", ["rsa", "p384", "garbage", "other name", "two names"])
def test_unfit_request_is_refused(authority: Authority, kind: str) -> None:
    name = [x509.NameAttribute(NameOID.COMMON_NAME, "REC-0002" if kind == "other name" else "REC-0001")]
    if kind == "two names":
        name.append(x509.NameAttribute(NameOID.COMMON_NAME, "REC-0002"))
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    if kind == "p384":
        key = ec.generate_private_key(ec.SECP384R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(name)).sign(key, hashes.SHA256())
    pem = b"garbage" if kind == "garbage" else request.public_bytes(Encoding.PEM)
    with pytest.raises(SenderFault):
        authority.certify_signer(pem, "REC-0001", Role.RECORDER, NOW)
    assert authority.register().entries == ()


def test_threat_malicious_technician_gets_nothing_outside_the_profile(authority: Authority) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "REC-0001")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = builder.sign(keys.new_key(), hashes.SHA256()).public_bytes(Encoding.PEM)
    leaf = x509.load_pem_x509_certificates(authority.certify_signer(pem, "REC-0001", Role.RECORDER, NOW))[0]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_revocation_keeps_its_first_moment_and_raises_the_version(authority: Authority) -> None:
    certified(authority)
    before = authority.trust().version
    after = authority.revoke("REC-0001", "遗失", NOW)
    assert after.version == before + 1
    again = authority.revoke("REC-0001", "别的原因", NOW + timedelta(days=1))
    assert again.version == after.version
    (credential,) = again.credentials.values()
    assert credential.revoked_at == NOW
    assert authority.register().entries[0].reason == "遗失"
    with pytest.raises(SenderFault, match="吊销"):
        again.credential(credential.key_id, NOW)
    with pytest.raises(OperatorFault):
        authority.revoke("REC-0009", "遗失", NOW)


def test_trust_list_lost_in_an_interruption_is_signed_again_from_the_register(authority: Authority) -> None:
    old = authority.trust_bytes
    certified(authority)
    wanted = authority.trust().version
    for left in (old, b"torn", None):
        path = authority.folder / "trust.dsse"
        path.unlink() if left is None else durable.write_bytes(path, left)
        init_authority(authority.folder, "xinghe", "星河区", NOW)
        assert authority.trust().version == wanted


def test_init_again_changes_nothing_and_for_another_district_is_refused(authority: Authority) -> None:
    before = {path.name: path.read_bytes() for path in authority.folder.iterdir()}
    init_authority(authority.folder, "xinghe", "星河区", NOW + timedelta(days=1))
    assert {path.name: path.read_bytes() for path in authority.folder.iterdir()} == before
    with pytest.raises(OperatorFault):
        init_authority(authority.folder, "other", "别区", NOW)


@pytest.mark.parametrize("empty", [False, True])
def test_an_authority_that_lost_its_database_keeps_its_root_and_says_so(authority: Authority, empty: bool) -> None:
    for name in ("inventory.db", "inventory.db-wal", "inventory.db-shm"):
        (authority.folder / name).unlink(missing_ok=True)
    if empty:
        (authority.folder / "inventory.db").touch()
    else:
        with pytest.raises(OperatorFault, match="备份"):
            open_authority(authority.folder)
    before = {path.name: path.read_bytes() for path in authority.folder.glob("*.[kp]e[ym]")}
    with pytest.raises(OperatorFault, match="不要重建"):
        init_authority(authority.folder, "xinghe", "星河区", NOW)
    assert {path.name: path.read_bytes() for path in authority.folder.glob("*.[kp]e[ym]")} == before


def test_an_init_that_was_cut_before_the_database_was_founded_is_done_again(authority: Authority) -> None:
    for path in authority.folder.glob("*"):
        if path.name not in ("root.key", "root.pem", "issuing.key"):
            path.unlink()
    again = init_authority(authority.folder, "xinghe", "星河区", NOW)
    assert again.trust().version == 1


@pytest.mark.parametrize("name", ["root.pem", "issuing.pem"])
def test_a_certificate_that_is_gone_is_named_with_where_to_get_it(authority: Authority, name: str) -> None:
    (authority.folder / name).unlink()
    with pytest.raises(OperatorFault, match=f"{name}.*(备份|路径)"):
        certified(authority)


def test_keys_are_private_and_the_root_signs_only_issuer_and_trust_list(authority: Authority) -> None:
    certified(authority)
    for name in ("root.key", "issuing.key", "inventory.db", "audit.key"):
        assert stat.S_IMODE((authority.folder / name).stat().st_mode) == 0o600
    root = x509.load_pem_x509_certificate(authority.root_pem)
    leaf, issuing = x509.load_pem_x509_certificates(certified(authority, "REC-0002"))
    assert issuing.issuer == root.subject
    issuing.verify_directly_issued_by(root)
    leaf.verify_directly_issued_by(issuing)
    assert open_trust_list(authority.trust_bytes, root).version == authority.trust().version
    assert key_id_of(leaf.public_key()) in authority.trust().credentials  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["root.key", "issuing.key"])
def test_an_authority_key_that_others_can_read_signs_nothing(authority: Authority, name: str) -> None:
    (authority.folder / name).chmod(0o644)
    with pytest.raises(OperatorFault, match="chmod 600"):
        certified(open_authority(authority.folder))


def test_a_folder_that_is_no_authority_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(OperatorFault, match="init-ca"):
        open_authority(tmp_path)


def test_trust_list_of_five_hundred_devices_is_opened(authority: Authority) -> None:
    certified(authority)
    root_key = read_private_key(authority.folder / "root.key")
    issuer = certificates.parse_issuer(
        read_private_key(authority.folder / "issuing.key"), (authority.folder / "issuing.pem").read_bytes()
    )
    listed = []
    for number in range(500):
        bearer = Bearer(f"REC-{number:04d}", "recorder", "星河区")
        leaf = certificates.leaf_certificate(keys.new_key().public_key(), bearer, Profile.EVIDENCE, issuer, NOW)
        pem = leaf.public_bytes(Encoding.PEM).decode()
        listed.append(Credential(bearer.common_name, Role.RECORDER, pem))
    made = trust_list(District("xinghe"), 2, NOW, listed)
    sealed = seal(TRUST_TYPE, made.encode(), [KeySigner(root_key)])
    assert len(sealed) > MAX_ENVELOPE_BYTES
    root = x509.load_pem_x509_certificate(authority.root_pem)
    assert len(open_trust_list(sealed, root).credentials) == 500
