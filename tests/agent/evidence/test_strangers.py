"""What lies beside a recording and is no part of it: named, never taken for evidence, never a reason to doubt it."""

import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from agent.errors import OperatorFault
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.folder_names import TRACE_FILES, names_in
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest, District
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, Role, trust_list
from tests.agent.evidence.bench import DEVICE, NOW, Authority, Bench, private_key
from tests.agent.evidence.telling import credential
from tests.support.commands import run_here

TRACES = {**TRACE_FILES, "._segment-0001.mp4": b"\0\5\x16\7"}


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    bench = Bench(authority.signer())
    files = {"segment-0001.mp4": bench.sealed()}
    files["journal.jsonl"] = journal_lines(bench.records)
    files["SHA256SUMS"] = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in files.items()})
    files["SHA256SUMS.p7s"] = sign_sums(files["SHA256SUMS"], bench.signer)
    place = tmp_path / "recordings" / "REC-0001-R000001"
    place.mkdir(parents=True)
    for name, data in files.items():
        (place / name).write_bytes(data)
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    return place


def _judged(folder: Path, *more: object) -> tuple[int, dict[str, object]]:
    root = next(it for it in folder.parents if (it / "root.pem").exists()) / "root.pem"
    done = run_here("agent.verify_cli", folder, "--roots", root, "--json", *more)
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", ["film.mp4", "excerpt-segment-0001-1-2.mp4", "SEGMENT-0002.MP4", "deep/er/photo.jpg"])
def test_film_laid_beside_a_recording_is_named_as_no_part_of_it(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"from elsewhere")
    code, report = _judged(folder)
    assert (code, report["places"]) == (0, [])
    layer = report["layers"]["completeness"]
    told = ["没有中断" in layer["lines"][0], layer["lines"][1].startswith(f"{name}：没有任何签名涉及它")]
    assert (layer["status"], told) == ("noted", [True, True])


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("papers/document-000007-0123456789ab.json.enc", "文书文本"),
        ("segment-0001.mp4.torn", "残余"),
        (".segment-0002.mp4.new", "残余"),
    ],
)
def test_papers_and_remains_are_told_for_what_they_are(folder: Path, name: str, word: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"LIUHENW1")
    code, report = _judged(folder)
    assert (code, report["places"]) == (0, [])
    assert any(word in line and name in line for line in report["layers"]["completeness"]["lines"])


@pytest.mark.parametrize(("name", "begins"), TRACES.items())
def test_what_a_computer_leaves_behind_is_known_by_name_and_content(folder: Path, name: str, begins: bytes) -> None:
    (folder / name).write_bytes(begins + b"...")
    assert names_in(folder).traces == (name,)
    (folder / name).write_bytes(b"\0\0\0\x18ftypmp42")
    assert (names_in(folder).traces, name in names_in(folder).files) == ((), True)
    lines = _judged(folder)[1]["layers"]["completeness"]["lines"]
    assert any(line.startswith(f"{name}：没有任何签名涉及它") for line in lines)


def test_link_with_the_name_of_a_trace_is_not_followed(folder: Path) -> None:
    (folder / ".DS_Store").symlink_to("/dev/zero")
    assert ".DS_Store" in names_in(folder).files


def test_entries_among_recordings_that_are_none_are_named(folder: Path) -> None:
    (folder.parent / "old").mkdir()
    (folder.parent / "film.mp4").write_bytes(b"film")
    (folder.parent / "System Volume Information").mkdir()
    code, device = _judged(folder.parent)
    assert (code, device["layers"]["completeness"]["lines"][-1]) == (
        0,
        "与录制放在一起而不是录制，未核验：film.mp4、old。",
    )


def test_export_without_its_certificate_is_not_taken_for_a_plain_recording(folder: Path) -> None:
    (folder / "export.html").write_text("导出证明")
    code, report = _judged(folder)
    assert (code, [(it["file"], it["kind"]) for it in report["places"]]) == (12, [("export.dsse", "missing")])


@pytest.mark.parametrize(("days", "code"), [(-1, 14), (1, 0)])
def test_sums_signed_with_another_revoked_key_of_the_device(
    folder: Path, authority: Authority, tmp_path: Path, days: int, code: int
) -> None:
    own, other = authority.signer(), authority.signer(key_of="an earlier key")
    (folder / "SHA256SUMS.p7s").write_bytes(sign_sums((folder / "SHA256SUMS").read_bytes(), other))
    revoked = credential(other, DEVICE, Role.RECORDER, NOW + timedelta(days=days))
    listed = trust_list(District("xinghe"), 1, NOW, [credential(own, DEVICE, Role.RECORDER), revoked])
    (tmp_path / "trust.dsse").write_bytes(seal(TRUST_TYPE, listed.encode(), [KeySigner(private_key("root xinghe"))]))
    assert _judged(folder, "--trust", tmp_path / "trust.dsse")[0] == code


def test_folder_that_was_filled_up_is_refused_before_it_fills_the_memory(folder: Path) -> None:
    assert len(names_in(folder, most=4).files) == 4
    with pytest.raises(OperatorFault, match="请检查路径"):
        names_in(folder, most=3)


def test_name_that_is_no_text_is_told(folder: Path) -> None:
    (folder / os.fsdecode(b"film-\xff.mp4")).write_bytes(b"film")
    assert _judged(folder)[0] == 0
