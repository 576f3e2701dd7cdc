"""Handing a recording out: it can be checked by whoever gets it, somebody answers for it, and nothing else leaves."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import av
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.evidence.bmff import Source
from agent.evidence.export_report import CERTIFICATE_NAME, PAGE_NAME, open_certificate
from agent.evidence.grounds import Grounds
from agent.evidence.how_to import ALONE_NAME, HOW_TO_NAME, ROOT_NAME
from agent.evidence.recovery import examine
from agent.evidence.report import Report
from agent.evidence.sidecars import MAX_SUMS
from agent.verify_cli import app
from agent.verify_files import Basis, judge_export, judge_path, parts_of
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest, District
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, Credential, Role, TrustList, trust_list
from provisioning.center.export import Office, Wish, export_recording
from provisioning.center.export_certificate import ExportCertificate, Responsibility, seal_certificate
from provisioning.center.export_folder import DRAFT_PREFIX
from provisioning.center.export_ledger import LEDGER_NAME, add_line, check_lines
from provisioning.center.masked_clip import Mask, parse_mask
from tests.agent.evidence.attacks import AUTHORITY, recordings
from tests.agent.evidence.bench import NOW, flipped, private_key
from tests.agent.evidence.foreign import c2pa_manifest, c2pa_state, encypher_accepts, encypher_stream, run
from tests.agent.evidence.handed_out import commands_of, verify_excerpt
from tests.agent.evidence.test_standalone import ALONE
from tests.provisioning.district import TestDistrict, today
from tests.provisioning.grounds import no_grounds
from tests.support.commands import run_here

RECORDINGS = recordings()
TOLD = Responsibility("示例-000003", "示例区法院调取", "示例-000004")
STRETCH = {"begin": NOW + timedelta(seconds=1), "end": NOW + timedelta(seconds=2)}
EXPORTED_AT = NOW + timedelta(days=1)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office("receiver-1", AUTHORITY.signer("receiver-1"), AUTHORITY.root, tmp_path / LEDGER_NAME, no_grounds)


def _recording(tmp_path: Path, name: str = "one segment") -> Path:
    place = tmp_path / "REC-0001-R000001"
    place.mkdir()
    for file, data in RECORDINGS[name].items():
        (place / file).write_bytes(data)
    return place


def _export(tmp_path: Path, office: Office, wish: Wish, name: str = "one segment") -> tuple[Path, ExportCertificate]:
    out = tmp_path / "out" / "R1"
    return out, export_recording(_recording(tmp_path, name), out, wish, office, EXPORTED_AT)


def _trust(office: Office) -> TrustList:
    leaf = x509.load_der_x509_certificate(office.signer.chain[0]).public_bytes(Encoding.PEM).decode()
    return trust_list(District("xinghe"), 1, NOW, [Credential("receiver-1", Role.RECEIVER, leaf)])


def _checked(out: Path, office: Office) -> dict[str, object]:
    """The certificate's fields; every file it names is there as it says, and every file there is named."""
    told = open_certificate((out / CERTIFICATE_NAME).read_bytes(), _trust(office))
    files = {str(it.relative_to(out)): it for it in out.rglob("*") if it.is_file()}
    found = {name: hashlib.sha256(it.read_bytes()).hexdigest() for name, it in files.items()}
    assert {name: found[name] for name in found if name not in (CERTIFICATE_NAME, PAGE_NAME)} == told["files"]
    return dict(told)


def test_whole_export_is_verified_by_the_page_that_lies_in_it(tmp_path: Path, office: Office) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD), "three segments")
    told = _checked(out, office)
    assert (told["kind"], told["verdict"], told["by"], told["approved_by"]) == (
        "whole",
        "complete",
        TOLD.by,
        TOLD.approved_by,
    )
    before = sorted(out.rglob("*"))
    assert _follow(out, out / HOW_TO_NAME) == [(0, True)] * 10
    assert sorted(out.rglob("*")) == before
    assert _judged(out, office)[CERTIFICATE_NAME].verdict.value == "complete"


def test_whole_export_carries_photos_and_notes(tmp_path: Path, office: Office) -> None:
    recording, beside = _recording(tmp_path, "never sealed"), {"notes/0001.dsse": b"note", "photo-1.jpg": b"picture"}
    (recording / "notes").mkdir()
    for name, content in beside.items():
        (recording / name).write_bytes(content)
    out = tmp_path / "out"
    export_recording(recording, out, Wish(TOLD), office, EXPORTED_AT)
    assert {name: (out / name).read_bytes() for name in beside} == beside
    assert beside.keys() <= dict(_checked(out, office)["files"]).keys()  # type: ignore[call-overload]


def _follow(place: Path, page: Path) -> list[tuple[int, bool]]:
    """What every command of the page ended with, and whether it printed what it must."""
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    results = []
    for command, answer in commands_of(page.read_text(encoding="utf-8")):
        line = ["bash", "-o", "pipefail", "-c", command]
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=place, timeout=60, env=path)
        results.append((done.returncode, answer in done.stdout))
    return results


def test_dead_devices_folder_can_be_exported_whole(tmp_path: Path, office: Office) -> None:
    out, certificate = _export(tmp_path, office, Wish(TOLD), "never sealed")
    assert certificate.verdict == "unexplained-gap"
    assert (out / HOW_TO_NAME).exists()
    assert (out / ALONE_NAME).exists()


@pytest.mark.parametrize("name", ["one segment", "never sealed", "recovered"])
def test_exact_export_keeps_the_devices_signatures(tmp_path: Path, office: Office, name: str) -> None:
    out, certificate = _export(tmp_path, office, Wish(TOLD, **STRETCH), name)
    _checked(out, office)
    (taken,) = certificate.taken
    assert taken.excerpt is not None
    assert (taken.excerpt.first, taken.excerpt.last) == (3, 4)
    *by_hand, (code, _) = _follow(out, next(out.glob(f"*.{HOW_TO_NAME}")))
    assert by_hand == [(0, True)] * 8
    assert code == 11
    data = (out / taken.file).read_bytes()
    assert verify_excerpt(Source.of_bytes(data), [AUTHORITY.root]) == taken.excerpt
    rows = examine(Source.of_bytes(data)).fragments
    fragments = [data[row.offset : row.offset + row.size] for row in rows]
    assert encypher_stream(data[: rows[0].offset], fragments, AUTHORITY.root_pem, begins_late=True) == "valid"


def test_stretch_over_two_segments_gives_two_excerpts(tmp_path: Path, office: Office) -> None:
    wish = Wish(TOLD, NOW + timedelta(seconds=2), NOW + timedelta(seconds=4))
    out, certificate = _export(tmp_path, office, wish, "three segments")
    assert [taken.source for taken in certificate.taken] == ["segment-0001.mp4", "segment-0002.mp4"]
    assert all((out / taken.file).exists() for taken in certificate.taken)


def _levels(path: Path) -> tuple[list[int], bool]:
    """Mean brightness of the left upper 64 x 48 of every picture, and whether there is sound."""
    with av.open(path) as film:
        sound = bool(film.streams.audio)
        pictures = [picture.reformat(format="gray") for picture in film.decode(video=0)]
    corners = [
        bytes(memoryview(it.planes[0]))[row * it.planes[0].line_size :][:64] for it in pictures for row in range(48)
    ]
    return [sum(row) // len(row) for row in corners], sound


@pytest.mark.parametrize("mute", [False, True])
def test_masked_export_is_a_trusted_child_that_shows_less(tmp_path: Path, office: Office, mute: bool) -> None:
    wish = Wish(TOLD, **STRETCH, masks=(Mask(0, 0, 64, 48), Mask(80, 60, 40, 40, blur=True)), mute=mute)
    out, certificate = _export(tmp_path, office, wish)
    _checked(out, office)
    (taken,) = certificate.taken
    assert sorted(it.suffix for it in out.iterdir()) == [".dsse", ".html", ".mp4", ".pem", ".txt"]
    data = (out / taken.file).read_bytes()
    assert c2pa_state(data, AUTHORITY.root_pem) == "Trusted"
    assert encypher_accepts(data, AUTHORITY.root_pem)
    levels, sound = _levels(out / taken.file)
    assert len(levels) == 10 * 48
    assert max(levels) < 20
    assert sound is not mute
    manifest = c2pa_manifest(data)
    assert manifest["title"] == taken.file
    (parent,) = manifest["ingredients"]  # type: ignore[misc]
    assert (parent["relationship"], parent["title"]) == ("parentOf", "segment-0001.mp4")
    content = {entry["label"]: entry["data"] for entry in manifest["assertions"]}  # type: ignore[attr-defined]
    done = [action["action"] for action in content["c2pa.actions.v2"]["actions"]]
    assert done == ["c2pa.opened", "c2pa.trimmed", *["c2pa.edited"] * (3 if mute else 2), "c2pa.transcoded"]
    assert (content["cn.liuhen.excerpt"]["first"], content["cn.liuhen.excerpt"]["last"]) == (3, 4)


def test_masked_exports_page_tells_what_lies_there_and_its_commands_work(tmp_path: Path, office: Office) -> None:
    out, certificate = _export(tmp_path, office, Wish(TOLD, **STRETCH, mute=True))
    (taken,) = certificate.taken
    page = (out / HOW_TO_NAME).read_text(encoding="utf-8")
    assert _follow(out, out / HOW_TO_NAME) == [(0, True)] * 2
    original = c2pa_manifest((out / taken.file).read_bytes())
    told = {entry["label"]: entry["data"] for entry in original["assertions"]}["cn.liuhen.excerpt"]  # type: ignore[attr-defined]
    leaf = hashlib.sha256(office.signer.chain[0]).hexdigest()
    assert all(it in page for it in (taken.file, taken.source, told["source_sha256"], leaf, "parentOf", ROOT_NAME))
    assert not (out / ALONE_NAME).exists()
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    for film in (out / taken.file, out):  # no film of a device: the one file says whom to ask, and accuses nobody
        alone = run(sys.executable, "-I", ALONE, film, "--root", tmp_path / "root.pem")
        assert (alone.returncode, "C2PA" in alone.stderr + alone.stdout) == (2, True), alone
    assert HOW_TO_NAME in (out / PAGE_NAME).read_text(encoding="utf-8")


def test_blurred_part_cannot_be_told_from_its_neighbours(tmp_path: Path, office: Office) -> None:
    wish = Wish(TOLD, masks=(Mask(0, 0, 64, 48, blur=True),))
    out, certificate = _export(tmp_path, office, wish)
    with av.open(out / certificate.taken[0].file) as film:
        picture = next(film.decode(video=0)).reformat(format="gray")
    line = bytes(memoryview(picture.planes[0]))[24 * picture.planes[0].line_size :]
    assert max(line[16:48]) - min(line[16:48]) < max(line[80:112]) - min(line[80:112])


@pytest.mark.parametrize(
    ("by", "reason", "approved"),
    [("", "法院调取", "示例-000004"), ("示例-000003", " ", "示例-000004"), ("示例-000003", "法院调取", ""),
     ("示例-000003", "法院调取", "示例-000003"), ("示例-000003", "法院\n调取", "示例-000004")],
)  # fmt: skip
def test_nobody_exports_without_a_reason_and_somebody_elses_approval(by: str, reason: str, approved: str) -> None:
    with pytest.raises(OperatorFault):
        Responsibility(by, reason, approved)


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        (Wish(TOLD, NOW + timedelta(days=2)), "one segment"),
        (Wish(TOLD, masks=(Mask(150, 0, 64, 48),)), "one segment"),
        (Wish(TOLD, mute=True), "never sealed"),
        (Wish(TOLD), "nothing at all"),
        (Wish(TOLD), "hostile: zeros"),
    ],
)
def test_failed_export_leaves_neither_files_nor_a_line(tmp_path: Path, office: Office, wish: Wish, name: str) -> None:
    with pytest.raises((OperatorFault, SenderFault)):
        _export(tmp_path, office, wish, name)
    assert list((tmp_path / "out").iterdir()) == []
    assert not office.ledger.exists()


def test_every_export_is_a_line_of_an_unbroken_ledger(tmp_path: Path, office: Office) -> None:
    recording = _recording(tmp_path)
    for number in range(3):
        export_recording(recording, tmp_path / "out" / str(number), Wish(TOLD), office, EXPORTED_AT)
    content = office.ledger.read_bytes()
    assert check_lines(content) == hashlib.sha256(content.splitlines()[-1]).hexdigest()
    rows = [json.loads(line) for line in content.splitlines()]
    assert [row["reason"] for row in rows] == [TOLD.reason] * 3
    envelope = (tmp_path / "out" / "2" / CERTIFICATE_NAME).read_bytes()
    assert rows[2]["certificate"] == hashlib.sha256(envelope).hexdigest()
    assert hashlib.sha256(content.splitlines()[2]).hexdigest() in (tmp_path / "out" / "2" / PAGE_NAME).read_text()


@pytest.mark.parametrize(("keep", "left"), [(-1, 3), (-9, 2), (-60, 2)])
def test_line_that_a_power_cut_left_half_stops_no_later_export(tmp_path: Path, keep: int, left: int) -> None:
    """Nothing was handed out for it; the half of it is kept beside. One that lacks its end alone stays."""
    ledger = tmp_path / LEDGER_NAME
    for number in range(3):
        add_line(ledger, {"number": number, "reason": "调取" * 20})
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:keep])
    assert add_line(ledger, {"number": 7}) == check_lines(ledger.read_bytes())
    rows = [json.loads(line)["number"] for line in ledger.read_bytes().splitlines()]
    assert rows == [*range(left), 7]
    torn = [it.read_bytes() for it in tmp_path.glob(f"{LEDGER_NAME}.torn-*")]
    assert torn == ([] if left == 3 else [whole.splitlines(keepends=True)[2][:keep]])


def test_line_of_which_a_power_cut_left_the_end_alone_stops_no_later_export(tmp_path: Path) -> None:
    ledger = tmp_path / LEDGER_NAME
    for number in range(2):
        add_line(ledger, {"number": number, "reason": "调取" * 20})
    first, second = ledger.read_bytes().splitlines(keepends=True)
    torn = bytes(len(second) // 2) + second[len(second) // 2 :]
    ledger.write_bytes(first + torn)
    assert add_line(ledger, {"number": 7}) == check_lines(ledger.read_bytes())
    assert [json.loads(line)["number"] for line in ledger.read_bytes().splitlines()] == [0, 7]
    assert [it.read_bytes() for it in tmp_path.glob(f"{LEDGER_NAME}.torn-*")] == [torn]


@pytest.mark.parametrize("attack", ["removed", "edited"])
def test_changed_ledger_stops_further_exports(tmp_path: Path, attack: str) -> None:
    ledger = tmp_path / LEDGER_NAME
    for number in range(3):
        add_line(ledger, {"number": number})
    lines = ledger.read_bytes().splitlines(keepends=True)
    changed = {"removed": [lines[0], lines[2]], "edited": [lines[0].replace(b"0", b"7", 1), *lines[1:]]}
    ledger.write_bytes(b"".join(changed[attack]))
    with pytest.raises(SenderFault, match=f"{LEDGER_NAME}：.*台账"):
        add_line(ledger, {"number": 3})


def test_changed_certificate_is_refused(tmp_path: Path, office: Office) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD))
    data = (out / CERTIFICATE_NAME).read_bytes()
    with pytest.raises(SenderFault):
        open_certificate(flipped(data, data.index(b'"payload":"') + 40), _trust(office))


def test_page_shows_words_of_others_as_words(tmp_path: Path, office: Office) -> None:
    told = Responsibility("<script>alert(1)</script>", "调取", "示例-000004")
    out, _ = _export(tmp_path, office, Wish(told))
    page = (out / PAGE_NAME).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page


def test_existing_folder_is_never_written_into(tmp_path: Path, office: Office) -> None:
    (tmp_path / "out" / "R1").mkdir(parents=True)
    with pytest.raises(OperatorFault, match="已存在"):
        _export(tmp_path, office, Wish(TOLD))


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "1,2,3,-4", "1\x1d,2,3,4", f"1,2,3,{'4' * 5000}"])
def test_mask_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OperatorFault, match="x,y"):
        parse_mask(text)


def test_moments_are_beijing_time() -> None:
    from provisioning.cli_frame import parse_moment

    assert parse_moment("2026-11-22 10:00:00.5") == NOW + timedelta(milliseconds=500)
    assert parse_moment("2026-11-22 10:00:00") == datetime.fromisoformat("2026-11-22T10:00:00+08:00")
    with pytest.raises(OperatorFault, match="北京时间"):
        parse_moment("yesterday")


def test_command_exports_and_says_where(tmp_path: Path) -> None:
    config = TestDistrict(tmp_path / "x", 1, moment=today).receiver() / "center.toml"
    words = [_recording(tmp_path), "--config", config, "--by", TOLD.by, "--reason", TOLD.reason]
    command = ["provisioning.center.cli", "export-recording", *words]
    approved = ["--out", str(tmp_path / "o"), "--approved-by", TOLD.approved_by, "--json"]
    done = run_here(*command, *approved, "--from", "2026-11-22 10:00:01")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # Recorded by a device of another authority: exported all the same, and the certificate says what was found.
    assert (told["kind"], told["verdict"], told["taken"][0]["range"]["first"]) == ("exact", "untrusted", 3)
    assert (config.parent / LEDGER_NAME).read_text().count("\n") == 1
    assert run_here(*command, "--out", tmp_path / "p").returncode == 2
    wrong = run_here(*command, *approved[:1], tmp_path / "p", *approved[2:], "--mask", "1,2")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def _basis(office: Office, trust: TrustList | None = None) -> Basis:
    return Basis((AUTHORITY.root,), Grounds(trust or _trust(office)), EXPORTED_AT + timedelta(days=900))


def _judged(out: Path, office: Office, trust: TrustList | None = None) -> dict[str, Report]:
    """What `liuhen-verify` says of each film of an export by itself, and of the certificate."""
    basis = _basis(office, trust)
    judged = [judge_path(place, basis, lambda _: None) for place in parts_of(out)]
    return {it.path.name: it.report for it in (*judged, judge_export(out, basis))}


def test_export_is_verified_with_its_certificate_years_later(tmp_path: Path, office: Office) -> None:
    out, certificate = _export(tmp_path, office, Wish(TOLD, **STRETCH), "three segments")
    reports = _judged(out, office)
    assert {name: report.verdict.value for name, report in reports.items()} == {
        certificate.taken[0].file: "unexplained-gap",  # an excerpt, whose surroundings are not there
        CERTIFICATE_NAME: "complete",
    }
    said = "".join(reports[CERTIFICATE_NAME].completeness.lines)
    assert f"{PAGE_NAME} 只供打印" in said
    assert all(word in said for word in (TOLD.by, TOLD.approved_by, TOLD.reason, "第 3 至 4 片段"))
    assert reports[CERTIFICATE_NAME].recording == certificate.recording


def test_whole_export_is_verified_as_a_recording_and_by_its_certificate(tmp_path: Path, office: Office) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD))
    reports = _judged(out, office)
    assert [report.verdict.value for report in reports.values()] == ["complete", "complete"]


def test_changed_missing_and_added_film_of_an_export_are_told_by_its_certificate(
    tmp_path: Path, office: Office
) -> None:
    out, certificate = _export(tmp_path, office, Wish(TOLD, **STRETCH))
    film = out / certificate.taken[0].file
    original = film.read_bytes()
    film.write_bytes(original[:-1] + b"x")
    (out / "excerpt-of-another.mp4").write_bytes(original)
    (out / ROOT_NAME).unlink()
    report = _judged(out, office)[CERTIFICATE_NAME]
    assert {(place.file, place.kind) for place in report.places} == {
        (film.name, "export"),
        ("excerpt-of-another.mp4", "export"),
        (ROOT_NAME, "missing"),
    }
    assert report.verdict.value == "altered"


@pytest.mark.parametrize("name", ["film.mp4", "notes/film.mp4", ".film", "SEGMENT-0002.MP4", "deep/er/a.jpg", "link"])
def test_file_mixed_into_an_export_is_told_whatever_it_is_called(tmp_path: Path, office: Office, name: str) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD))
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    if name == "link":
        (out / name).symlink_to("/etc")
    else:
        (out / name).write_bytes(b"from elsewhere")
    report = _judged(out, office)[CERTIFICATE_NAME]
    assert (report.verdict.value, [place.file for place in report.places]) == ("altered", [name])


@pytest.mark.parametrize("instead", ["pipe", "link to nowhere", "folder", "link to itself"])
def test_listed_file_that_cannot_be_read_is_missing_and_the_rest_is_still_judged(
    tmp_path: Path, office: Office, instead: str
) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD))
    place = out / "journal.jsonl"
    place.unlink()
    if instead == "pipe":
        os.mkfifo(place)
    elif instead == "folder":
        place.mkdir()
    else:
        place.symlink_to(place if instead == "link to itself" else out / "nowhere")
    (out / "film.mp4").write_bytes(b"from elsewhere")
    report = judge_export(out, _basis(office)).report
    assert {(it.file, it.kind) for it in report.places} == {("journal.jsonl", "missing"), ("film.mp4", "export")}
    trust = tmp_path / "trust.dsse"
    trust.write_bytes(seal(TRUST_TYPE, _trust(office).encode(), [KeySigner(private_key("root xinghe"))]))
    page = tmp_path / "report.html"
    command = [str(out), "--roots", str(out / ROOT_NAME), "--trust", str(trust), "--json", "--report", str(page)]
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, done.exception.__class__) == (13, SystemExit)
    assert json.loads(done.stdout.splitlines()[-1])["path"].endswith(CERTIFICATE_NAME)
    assert "film.mp4：不在导出证明所列的文件中" in page.read_text()  # said of the whole, so on the page as well


def test_what_a_computer_leaves_in_an_export_does_not_make_it_altered(tmp_path: Path, office: Office) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD))
    (out / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (out / "System Volume Information").mkdir()
    (out / "System Volume Information" / "IndexerVolumeGuid").write_bytes(b"{}")
    report = judge_export(out, _basis(office)).report
    assert (report.verdict.value, report.places) == ("complete", ())
    assert any(".DS_Store、System Volume Information/" in line for line in report.completeness.lines)


def test_large_export_is_complete_and_a_film_beyond_thousands_of_files_is_found(tmp_path: Path, office: Office) -> None:
    out, certificate = _export(tmp_path, office, Wish(TOLD))
    photos = {f"photo-{number:05}.jpg": b"photo %d" % number for number in range(2 * MAX_SUMS)}
    for name, content in photos.items():
        (out / name).write_bytes(content)
    files = {**certificate.files, **{name: Digest(hashlib.sha256(it).hexdigest()) for name, it in photos.items()}}
    (out / CERTIFICATE_NAME).write_bytes(seal_certificate(replace(certificate, files=files), office.signer))
    assert _judged(out, office)[CERTIFICATE_NAME].verdict.value == "complete"
    (out / "zzz.mp4").write_bytes(b"film")
    assert [place.file for place in _judged(out, office)[CERTIFICATE_NAME].places] == ["zzz.mp4"]


def test_folder_of_an_export_that_was_filled_up_is_told_in_bounds(tmp_path: Path, office: Office) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD))
    for number in range(150):
        (out / str(number)).touch()
    places = _judged(out, office)[CERTIFICATE_NAME].places
    assert (len(places), places[-1].file) == (101, ".")


def test_certificate_that_the_centre_did_not_sign_vouches_for_nothing(tmp_path: Path, office: Office) -> None:
    """Signed by a recorder of the district; by a centre whose key was revoked before; flipped; by nobody known."""
    out, _ = _export(tmp_path, office, Wish(TOLD))
    (listed,) = _trust(office).credentials.values()
    for wrong in (
        trust_list(District("xinghe"), 1, NOW, [replace(listed, role=Role.RECORDER)]),
        trust_list(District("xinghe"), 1, NOW, [replace(listed, revoked_at=EXPORTED_AT - timedelta(days=1))]),
        trust_list(District("xinghe"), 1, NOW, []),
    ):
        report = _judged(out, office, wrong)[CERTIFICATE_NAME]
        assert (report.verdict.value, report.completeness.lines) == ("untrusted", ("导出证明不评判此项。",))
    data = (out / CERTIFICATE_NAME).read_bytes()
    (out / CERTIFICATE_NAME).write_bytes(flipped(data, data.index(b'"payload":"') + 40))
    assert _judged(out, office)[CERTIFICATE_NAME].verdict.value == "untrusted"


def test_command_verifies_an_exports_folder_and_says_what_it_lacks(tmp_path: Path, office: Office) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD, **STRETCH))
    done = CliRunner().invoke(app, [str(out), "--roots", str(out / ROOT_NAME)])
    assert done.exit_code == 14
    assert "节选" in done.stdout
    assert "--trust trust.dsse" in done.stdout


def test_file_name_that_is_no_text_ends_neither_the_report_nor_json(tmp_path: Path, office: Office) -> None:
    out, _ = _export(tmp_path, office, Wish(TOLD))
    odd = out.rename(os.fsdecode(os.fsencode(out.parent) + b"/\xff\xfe"))
    (odd / os.fsdecode(b"segment-\xff.mp4")).write_bytes(b"no film")
    page = tmp_path / "report.html"
    command = [str(odd), "--roots", str(odd / ROOT_NAME), "--report", str(page)]
    for more in ([], ["--json"]):
        done = CliRunner().invoke(app, [*command, *more])
        assert (done.exit_code, done.exception.__class__) == (13, SystemExit)
    assert "segment-\ufffd.mp4" in page.read_text()


@pytest.mark.parametrize("name", ["journal.jsonl", "SHA256SUMS.p7s", "segment-0001.mp4"])
def test_file_that_cannot_be_read_is_told_in_one_line_and_nothing_leaves(
    tmp_path: Path, office: Office, name: str
) -> None:
    recording = _recording(tmp_path)
    (recording / name).unlink()
    (recording / name).mkdir()
    with pytest.raises(EnvironmentFault, match=rf"无法读取 .*{name}.*重试"):
        export_recording(recording, tmp_path / "out" / "R1", Wish(TOLD), office, EXPORTED_AT)
    assert list((tmp_path / "out").iterdir()) == []
    assert not office.ledger.exists()


def test_segment_whose_name_is_words_for_a_shell_is_not_exported(tmp_path: Path, office: Office) -> None:
    """HOW-TO-VERIFY.txt has commands with the names of files in them."""
    recording = _recording(tmp_path)
    (recording / "segment-0001; touch there .mp4").write_bytes(b"no film")
    with pytest.raises(OperatorFault, match="分段名"):
        export_recording(recording, tmp_path / "out", Wish(TOLD), office, EXPORTED_AT)


def test_export_that_was_killed_leaves_nothing_behind_the_next_one(tmp_path: Path, office: Office) -> None:
    """Its hidden folder holds a recording; one of an export that still lives is left alone."""
    killed, living = tmp_path / "out" / f"{DRAFT_PREFIX}killed", tmp_path / "out" / f"{DRAFT_PREFIX}living"
    for draft in (killed, living):
        draft.mkdir(parents=True)
        (draft / "segment-0001.mp4").write_bytes(b"film")
    held = os.open(living, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    _export(tmp_path, office, Wish(TOLD))
    os.close(held)
    assert (killed.exists(), living.exists()) == (False, True)


def _sealed_trust(office: Office) -> bytes:
    return seal(TRUST_TYPE, _trust(office).encode(), [KeySigner(private_key("root xinghe"))])


@pytest.mark.parametrize("masked", [False, True])
def test_command_vouches_for_the_whole_folder_of_an_export(tmp_path: Path, office: Office, masked: bool) -> None:
    """A masked film is no film of a device: the certificate speaks for it, and C2PA software."""
    masks = (Mask(0, 0, 64, 48),) if masked else ()
    out, certificate = _export(tmp_path, office, Wish(TOLD, **STRETCH, masks=masks) if masked else Wish(TOLD))
    (tmp_path / "trust.dsse").write_bytes(_sealed_trust(office))
    given = ["--roots", str(out / ROOT_NAME), "--trust", str(tmp_path / "trust.dsse")]
    done = CliRunner().invoke(app, [str(out), *given])
    assert done.exit_code == 0, done.output
    if masked:
        alone = CliRunner().invoke(app, [str(out / certificate.taken[0].file), *given])
        assert (alone.exit_code, "C2PA 软件" in alone.output, "被改" in alone.output) == (2, True, False)


@pytest.mark.parametrize("name", ["papers", "SHA256SUMS.p7s.tsr", "photo-a.jpg", "notes", "segment-0002.mp4"])
def test_link_in_a_recordings_folder_hands_out_nothing_of_the_centre(tmp_path: Path, office: Office, name: str) -> None:
    recording, keys = _recording(tmp_path), tmp_path / "keys"
    keys.mkdir()
    (keys / "centre.key").write_bytes(b"secret")
    (recording / name).symlink_to(keys if name in ("papers", "notes") else keys / "centre.key")
    with pytest.raises(OperatorFault, match="未导出"):
        export_recording(recording, tmp_path / "out", Wish(TOLD), office, EXPORTED_AT)
    assert not (tmp_path / "out").exists()
