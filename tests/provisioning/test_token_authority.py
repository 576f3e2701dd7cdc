"""An authority whose keys are in a PKCS#11 token (SoftHSM2) does what one with key files does: the same tests."""

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from agent.errors import EnvironmentFault, OperatorFault
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import Role
from provisioning.authority import keys
from provisioning.authority.authority import Authority, init_authority
from provisioning.authority.key_store import KeyStore
from provisioning.authority.revocation_list import current_list, verify_list
from tests.provisioning import test_authority as files
from tests.provisioning.district import NOW
from tests.support.token import PIN, soft_token

pytestmark = pytest.mark.xdist_group("softhsm")
NUMBERS = itertools.count(1)
A = "REC-0001"
SAME = [
    files.test_threat_malicious_technician_gets_no_second_key_for_a_live_device,
    files.test_one_person_cannot_be_editor_and_reviewer,
    files.test_one_key_cannot_have_two_uses,
    files.test_the_same_request_again_gets_the_same_chain_and_no_new_version,
    files.test_request_without_possession_is_refused,
    files.test_threat_malicious_technician_gets_nothing_outside_the_profile,
    files.test_revocation_keeps_its_first_moment_and_raises_the_version,
    files.test_evidence_leaf_has_what_c2pa_and_cms_ask_for,
    files.test_trust_list_lost_in_an_interruption_is_signed_again_from_the_register,
    files.test_init_again_changes_nothing_and_for_another_district_is_refused,
]
REFUSING = [
    files.test_threat_malicious_technician_gets_no_certificate_for_a_name_outside_the_pattern,
    files.test_person_that_could_pass_for_a_device_or_a_topic_is_refused,
    files.test_unfit_request_is_refused,
]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return in_the_token(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """For tests that need no authority of their own: making two keys in the token takes most of their time."""
    return in_the_token(tmp_path_factory.mktemp("shared"))


def cases(test: Any) -> list[Any]:
    """What the file backend's test is run with, one after the other."""
    (mark,) = test.pytestmark
    return list(mark.args[1])


def in_the_token(tmp_path: Path) -> Authority:
    token, number = soft_token(), next(NUMBERS)
    pin = tmp_path / "pin"
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    place = f"pkcs11:token={token.name};object=%s-{number}?module-path={token.module}&pin-source={pin}"
    text = f'root = "{place % "root"}"\nissuing = "{place % "issuing"}"\n'
    return init_authority(tmp_path / "ca", "xinghe", "星河区", NOW, text.encode())


@pytest.mark.parametrize("test", SAME, ids=lambda test: test.__name__.removeprefix("test_"))
def test_token_does_what_files_do(authority: Authority, test: object) -> None:
    test(authority)  # type: ignore[operator]


@pytest.mark.parametrize("test", REFUSING, ids=lambda test: test.__name__.removeprefix("test_"))
def test_token_refuses_what_files_refuse(authority: Authority, test: Any) -> None:
    for case in cases(test):
        test(authority, case)


@pytest.mark.parametrize("profile", cases(files.test_foreign_verifier_accepts_every_leaf_strictly))
def test_foreign_verifier_accepts_every_leaf_of_the_token(shared: Authority, tmp_path: Path, profile: str) -> None:
    files.test_foreign_verifier_accepts_every_leaf_strictly(shared, tmp_path, profile)


def test_token_and_certificates_are_kept_when_the_database_is_lost(authority: Authority) -> None:
    before = KeyStore(authority.folder).key("root").public_key()
    files.test_an_authority_that_lost_its_database_keeps_its_root_and_says_so(authority, empty=False)
    assert KeyStore(authority.folder).key("root").public_key() == before


def test_no_key_of_the_authority_is_in_its_folder_and_none_can_be_taken_out(authority: Authority) -> None:
    assert not (authority.folder / "root.key").exists()
    assert not (authority.folder / "issuing.key").exists()
    key = KeyStore(authority.folder).key("issuing")
    with pytest.raises(OperatorFault, match="不能导出"):
        keys.private_pem(key)


def test_list_signed_in_the_token_is_good_and_holds_whom_it_should(authority: Authority) -> None:
    chain = authority.certify_signer(keys.signing_request(keys.new_key(), A), A, Role.RECORDER, NOW)
    leaf, issuing = x509.load_pem_x509_certificates(chain)
    authority.revoke(A, "遗失", NOW)
    with authority.sit() as desk:
        made = current_list(desk, NOW)
    assert verify_list(made.pem, issuing, NOW + timedelta(days=1), [leaf.serial_number], []) == 1


def test_the_same_again_makes_no_other_key(authority: Authority) -> None:
    before = authority.root_pem
    assert init_authority(authority.folder, "xinghe", "星河区", NOW).root_pem == before
    assert KeyStore(authority.folder).make("root").public_key() == load_pem_certificates(before)[0].public_key()


def test_token_that_is_pulled_out_is_named(authority: Authority) -> None:
    path = authority.folder / "keystore.toml"
    path.write_text(path.read_text().replace("token=REC-", "token=NO-"))
    with pytest.raises(EnvironmentFault, match="没有应答"):
        authority.certify_signer(keys.signing_request(keys.new_key(), A), A, Role.RECORDER, NOW)
