"""What the centre puts on the broker, and the files it watches."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent import durable
from agent.errors import SenderFault
from agent.wire.envelope import MAX_ENVELOPE_BYTES, add_signature
from agent.wire.identifiers import District
from agent.wire.signing import KeySigner
from agent.wire.trust import Role
from provisioning.authority import keys
from provisioning.center.publications import open_publication
from provisioning.center.watched import ReleasedFolder, TrustFile
from tests.provisioning.district import NOW, PLACE, TestDistrict, load_signer, sealed_notice


class Office:
    def __init__(self, base: Path) -> None:
        self.district = TestDistrict(base, 1, moment=lambda: NOW)
        self.editor = self.district.person("示例-000001", Role.EDITOR)
        self.reviewer = self.district.person("示例-000002", Role.REVIEWER)
        self.device = load_signer(self.district.device("KSK-0001"), "evidence")
        self.stranger = KeySigner(keys.new_key())


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


FORGERIES: dict[str, Callable[[Office], bytes]] = {
    "editor only": lambda office: sealed_notice([office.editor]),
    "reviewer only": lambda office: sealed_notice([office.reviewer]),
    "editor twice": lambda office: add_signature(sealed_notice([office.editor]), office.editor),
    "a kiosk for reviewer": lambda office: sealed_notice([office.editor, office.device]),
    "an unknown key beside": lambda office: sealed_notice([office.editor, office.reviewer, office.stranger]),
    "altered": lambda office: sealed_notice([office.editor, office.reviewer]).replace(b'"sig":"M', b'"sig":"N', 1),
    "garbage": lambda _: b"\x00\xff",
    "too large for the broker": lambda office: too_large([office.editor, office.reviewer]),
}


def too_large(signers: list[KeySigner]) -> bytes:
    """An envelope within its own limit that no longer fits one packet together with its topic."""
    room = MAX_ENVELOPE_BYTES - len(sealed_notice(signers, title="")) - 8  # ECDSA lengths differ by a few bytes
    sealed = sealed_notice(signers, title="长" * (room // 8))  # it stands in there twice
    assert MAX_ENVELOPE_BYTES - 24 < len(sealed) <= MAX_ENVELOPE_BYTES
    return sealed


@pytest.mark.parametrize("forgery", FORGERIES)
def test_unfit_disclosure_is_not_published(office: Office, forgery: str) -> None:
    with pytest.raises(SenderFault):
        open_publication(FORGERIES[forgery](office), office.district.authority.trust(), PLACE, NOW)


def test_disclosure_of_another_district_is_not_published(office: Office) -> None:
    sealed = sealed_notice([office.editor, office.reviewer])
    assert open_publication(sealed, office.district.authority.trust(), PLACE, NOW).sealed == sealed
    with pytest.raises(SenderFault, match="不是本区"):
        open_publication(sealed, office.district.authority.trust(), District("other"), NOW)


def test_disclosure_signed_by_a_revoked_reviewer_is_not_published(office: Office) -> None:
    trust = office.district.authority.revoke("示例-000002", "离岗", NOW)
    with pytest.raises(SenderFault, match="吊销"):
        open_publication(sealed_notice([office.editor, office.reviewer]), trust, PLACE, NOW + timedelta(seconds=1))


def test_released_files_come_once_until_replaced_and_all_again_after_forget(tmp_path: Path) -> None:
    folder = ReleasedFolder(tmp_path)
    assert folder.changed() == []
    durable.write_bytes(tmp_path / "b.dsse", b"1")
    durable.write_bytes(tmp_path / "a.dsse", b"2")
    (tmp_path / ".c.dsse.7.new").write_bytes(b"draft")
    (tmp_path / "notes.txt").write_bytes(b"x")
    assert folder.changed() == [("a.dsse", b"2"), ("b.dsse", b"1")]
    assert folder.changed() == []
    durable.write_bytes(tmp_path / "b.dsse", b"3")
    assert folder.changed() == [("b.dsse", b"3")]
    folder.forget()
    assert [name for name, _ in folder.changed()] == ["a.dsse", "b.dsse"]
    assert ReleasedFolder(tmp_path / "missing").changed() == []


def test_trust_list_is_only_ever_replaced_by_a_newer_one(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "watched.dsse"
    old = office.district.authority.trust_bytes
    durable.write_bytes(path, old)
    watched = TrustFile(path, x509.load_pem_x509_certificate(office.district.authority.root_pem))
    first = watched.load()
    assert watched.renew() is None
    office.district.device("REC-0001")
    durable.write_bytes(path, office.district.authority.trust_bytes)
    renewed = watched.renew()
    assert renewed is not None
    assert renewed.version == first.version + 1
    durable.write_bytes(path, old)
    with pytest.raises(SenderFault, match="旧"):
        watched.renew()
    assert watched.renew() is None
    durable.write_bytes(path, TestDistrict(tmp_path / "foreign", 1, moment=lambda: NOW).authority.trust_bytes)
    with pytest.raises(SenderFault, match="根密钥"):
        watched.renew()
    path.unlink()
    assert watched.renew() is None


def test_a_released_file_that_could_not_be_read_is_taken_once_it_can(tmp_path: Path) -> None:
    folder, place = ReleasedFolder(tmp_path), tmp_path / "a.dsse"
    place.mkdir()  # even root cannot read it
    assert folder.changed() == []
    place.rmdir()
    place.write_bytes(b"a")
    assert folder.changed() == [("a.dsse", b"a")]


def test_a_file_keeps_being_tried_while_nothing_about_it_changes(tmp_path: Path) -> None:
    folder, place = ReleasedFolder(tmp_path), tmp_path / "a.dsse"
    place.symlink_to("/proc/self/mem")  # there, and reading fails with EIO
    assert folder.changed() == []
    assert folder._seen == {}


def test_a_trust_list_that_cannot_be_read_is_tried_again_and_stops_nothing(office: Office, tmp_path: Path) -> None:
    place = tmp_path / "trust.dsse"
    place.write_bytes(office.district.authority.trust_bytes)
    file = TrustFile(place, x509.load_pem_x509_certificate(office.district.authority.root_pem))
    first = file.load()
    place.unlink()
    place.mkdir()
    assert file.renew() is None
    office.district.person("示例-000009", Role.EDITOR)
    place.rmdir()
    place.write_bytes(office.district.authority.trust_bytes)
    found = file.renew()
    assert found is not None
    assert found.version == first.version + 1


@pytest.mark.parametrize("odd", ["loop", "pipe", "folder", "endless"])
def test_what_is_no_file_in_the_released_folder_is_passed_over(tmp_path: Path, odd: str) -> None:
    place = tmp_path / "all.notice.odd.dsse"
    match odd:
        case "loop":
            place.symlink_to(place)
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "endless":
            place.symlink_to("/dev/zero")
    (tmp_path / "all.notice.good.dsse").write_bytes(b"x")
    assert ReleasedFolder(tmp_path).changed() == [("all.notice.good.dsse", b"x")]


def test_huge_released_file_is_read_no_further_than_it_takes_to_refuse_it(tmp_path: Path) -> None:
    with (tmp_path / "all.notice.huge.dsse").open("wb") as file:
        file.truncate(1_500_000_000)
    ((_, content),) = ReleasedFolder(tmp_path).changed()
    assert len(content) == MAX_ENVELOPE_BYTES + 1
