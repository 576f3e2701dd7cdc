"""The files beside a recording, checked by hand with sha256sum and openssl, and by us."""

import hashlib
import itertools
import json
from pathlib import Path

import pytest

from agent.errors import SenderFault
from agent.evidence import cms
from agent.evidence.bmff import Source
from agent.evidence.places import SegmentFile
from agent.evidence.report import Status, Verdict
from agent.evidence.sidecars import journal_lines, segment_name, sha256sums, sign_sums
from agent.evidence.verify import Sidecars, verify_recording
from agent.wire.identifiers import Digest
from tests.agent.evidence.bench import NOW, Authority, Bench, flipped, make_authority
from tests.agent.evidence.foreign import run


class Folder:
    """A recording of one segment with its sidecars, as a recorder leaves it."""

    def __init__(self, bench: Bench) -> None:
        self.segment = bench.sealed()
        self.journal = journal_lines(bench.records)
        self.sums = sha256sums({segment_name(1): _digest(self.segment), "journal.jsonl": _digest(self.journal)})
        self.signature = sign_sums(self.sums, bench.signer)

    def write(self, folder: Path, authority: Authority) -> Path:
        for name, content in (
            (segment_name(1), self.segment),
            ("journal.jsonl", self.journal),
            ("SHA256SUMS", self.sums),
            ("SHA256SUMS.p7s", self.signature),
            ("root.pem", authority.root_pem),
        ):
            (folder / name).write_bytes(content)
        return folder

    def verdict(self, authority: Authority, **changes: bytes | None) -> Verdict:
        parts = {"journal": self.journal, "sums": self.sums, "signature": self.signature, **changes}
        files = [SegmentFile(segment_name(1), Source.of_bytes(self.segment))]
        report = verify_recording(files, [authority.root], NOW, Sidecars(**parts))
        assert (report.verdict is Verdict.COMPLETE) == (not report.places and report.trust.status is Status.PASSED)
        return report.verdict


def _digest(content: bytes) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest())


@pytest.fixture
def folder(bench: Bench) -> Folder:
    return Folder(bench)


def _openssl(place: Path) -> int:
    return run(
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", place / "SHA256SUMS.p7s",
        "-content", place / "SHA256SUMS", "-CAfile", place / "root.pem", "-out", "/dev/null",
    ).returncode  # fmt: skip


def test_by_hand_everything_agrees(authority: Authority, folder: Folder, tmp_path: Path) -> None:
    place = folder.write(tmp_path, authority)
    assert run("sh", "-c", f"cd {place} && sha256sum --strict -c SHA256SUMS").returncode == 0
    assert _openssl(place) == 0


def test_by_hand_a_changed_list_and_a_foreign_root_fail(authority: Authority, folder: Folder, tmp_path: Path) -> None:
    place = folder.write(tmp_path, authority)
    (place / "SHA256SUMS").write_bytes(folder.sums.replace(b"journal", b"journey"))
    assert _openssl(place) != 0
    assert run("sh", "-c", f"cd {place} && sha256sum --strict -c SHA256SUMS").returncode != 0
    folder.write(tmp_path, make_authority("beidou"))
    assert _openssl(place) != 0


def test_by_hand_one_fragment_by_its_journal_line(folder: Folder, authority: Authority, tmp_path: Path) -> None:
    place = folder.write(tmp_path, authority)
    line = json.loads(folder.journal.splitlines()[2])
    cut = f"tail -c +{line['offset'] + 1} {line['file']} | head -c {line['length']} | sha256sum"
    assert run("sh", "-c", f"cd {place} && {cut}").stdout.split()[0] == line["sha256"]


def test_journal_lines_chain_by_hash(folder: Folder) -> None:
    lines = folder.journal.splitlines()
    for before, after in itertools.pairwise(lines):
        assert json.loads(after)["previous_line"] == hashlib.sha256(before).hexdigest()
        assert json.loads(after)["previous"] == json.loads(before)["head"]


def test_folder_with_its_sidecars_is_complete(authority: Authority, folder: Folder) -> None:
    assert folder.verdict(authority) is Verdict.COMPLETE


def test_absent_sidecars_take_nothing_away(authority: Authority, folder: Folder) -> None:
    assert folder.verdict(authority, journal=None, sums=None, signature=None) is Verdict.COMPLETE


@pytest.mark.parametrize("name", ["journal", "sums", "signature"])
@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.99])
def test_one_flipped_bit_in_a_sidecar_is_noticed(authority: Authority, folder: Folder, name: str, where: float) -> None:
    content = getattr(folder, name)
    verdict = folder.verdict(authority, **{name: flipped(content, int(len(content) * where))})
    certificates = name == "signature" and 0 < where < 0.9  # there the chain breaks, not the signature
    assert verdict is (Verdict.UNTRUSTED if certificates else Verdict.ALTERED)


def test_listed_file_that_is_gone_is_missing(authority: Authority, folder: Folder) -> None:
    assert folder.verdict(authority, journal=None) is Verdict.MISSING


def test_list_signed_by_a_stranger_is_untrusted(authority: Authority, folder: Folder) -> None:
    stranger = make_authority("beidou").signer()
    assert folder.verdict(authority, signature=sign_sums(folder.sums, stranger)) is Verdict.UNTRUSTED


def test_list_signed_by_another_device_of_the_district_is_untrusted(authority: Authority, folder: Folder) -> None:
    other = authority.signer("REC-0002")
    assert folder.verdict(authority, signature=sign_sums(folder.sums, other)) is Verdict.UNTRUSTED


def test_list_rewritten_by_a_stranger_does_not_hide_the_change(authority: Authority, folder: Folder) -> None:
    journal = folder.journal.replace(b"ntp", b"gps")
    sums = sha256sums({segment_name(1): _digest(folder.segment), "journal.jsonl": _digest(journal)})
    changes = {"journal": journal, "sums": sums, "signature": sign_sums(sums, make_authority("beidou").signer())}
    assert folder.verdict(authority, **changes) is Verdict.ALTERED


def test_segment_that_no_list_names_is_altered(authority: Authority, folder: Folder, bench: Bench) -> None:
    sums = sha256sums({"journal.jsonl": _digest(folder.journal)})
    assert folder.verdict(authority, sums=sums, signature=sign_sums(sums, bench.signer)) is Verdict.ALTERED


def test_list_that_its_own_device_signed_wrong_is_altered(authority: Authority, folder: Folder, bench: Bench) -> None:
    sums = sha256sums({segment_name(1): Digest("0" * 64), "journal.jsonl": _digest(folder.journal)})
    assert folder.verdict(authority, sums=sums, signature=sign_sums(sums, bench.signer)) is Verdict.ALTERED


def test_signature_of_one_list_is_not_that_of_another(folder: Folder) -> None:
    assert cms.open_detached(folder.signature, folder.sums)
    with pytest.raises(SenderFault, match="内容不符"):
        cms.open_detached(folder.signature, folder.sums + b"\n")


def test_unreadable_segment_is_listed_and_so_not_missing(authority: Authority, folder: Folder) -> None:
    folder.segment = flipped(folder.segment, 900)
    assert folder.verdict(authority) is Verdict.ALTERED


@pytest.mark.parametrize("name", ["../segment-0001.mp4", "a b", "x\ny", ""])
def test_name_that_could_lead_elsewhere_is_never_listed(name: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        sha256sums({name: Digest("0" * 64)})
