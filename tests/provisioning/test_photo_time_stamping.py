"""Time-stamps put into photos: the same as for segments, with photos by themselves and photos of a recording."""

import hashlib
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.adapters.time_stamp_tokens import token_reader
from agent.errors import OperatorFault, SenderFault
from agent.evidence import cose, jpeg, time_stamps
from agent.evidence.grounds import Grounds
from agent.evidence.journal import PHOTO, JournalEvent
from agent.evidence.photo import as_taken, open_photo
from agent.evidence.photo_report import verify_photo
from agent.evidence.report import Report, Status, Verdict
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.verify_files import Basis, exit_code, judge_path
from agent.wire.identifiers import Digest
from agent.wire.offload_manifest import Part, StoredFile
from agent.wire.trust import TrustList
from provisioning.center.export import Office, Wish, export_recording
from provisioning.center.export_certificate import Responsibility
from provisioning.center.export_ledger import LEDGER_NAME
from provisioning.center.held_copy import check_file
from provisioning.center.time_stamping import Authority, stamp_photo, stamp_recording
from tests.agent.evidence.bench import NOW, Bench, make_authority
from tests.agent.evidence.foreign import run
from tests.agent.evidence.photos import photo
from tests.agent.evidence.telling import Centre
from tests.agent.evidence.test_how_to import follow
from tests.agent.evidence.test_photo import c2pa_says, encypher_says
from tests.agent.evidence.test_standalone import ALONE
from tests.provisioning.grounds import no_grounds
from tests.support.tsa import Tsa, make_tsa

AUTHORITY = make_authority()
NAME = "photo-20261122T020000000Z-{}.jpg"


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return make_tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    """A photo by itself, as its device wrote it."""
    place = tmp_path / "photo-a.jpg"
    place.write_bytes(photo(AUTHORITY.signer(), None))
    return place


def asking(tsa: Tsa, hours_ago: int = 0) -> Authority:
    return Authority(lambda request: tsa.answer(request, hours_ago), [tsa.root])


def judged(place: Path, tsa: Tsa, now: datetime = NOW, trust: TrustList | None = None) -> Report:
    grounds = Grounds(trust, stamps=token_reader([tsa.root]))
    return verify_photo(place.name, place.read_bytes(), [AUTHORITY.root], now, grounds)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recording with a photo that its journal and its sums name."""
    bench = Bench(AUTHORITY.signer())
    content = photo(bench.signer)
    digest = Digest(hashlib.sha256(content).hexdigest())
    events = {3: (JournalEvent(PHOTO, bench.now, None, digest),)}
    files = {"segment-0001.mp4": bench.sealed(events=events), NAME.format(digest[:8]): content}
    files["journal.jsonl"] = journal_lines(bench.records)
    files["SHA256SUMS"] = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in files.items()})
    files["SHA256SUMS.p7s"] = sign_sums(files["SHA256SUMS"], bench.signer)
    place = tmp_path / "REC-0001-R000001"
    place.mkdir()
    for name, data in files.items():
        (place / name).write_bytes(data)
    return place


def test_stamped_photo_keeps_its_length_and_is_trusted_by_strangers_and_witnessed_for_us(taken: Path, tsa: Tsa) -> None:
    before = taken.read_bytes()
    assert judged(taken, tsa).time.status is Status.NOTED
    assert stamp_photo(taken, asking(tsa)) is not None
    after = taken.read_bytes()
    assert (len(after), as_taken(after)) == (len(before), before)
    assert c2pa_says(after, AUTHORITY.root_pem) == "Trusted"
    assert encypher_says(after, AUTHORITY.root_pem)
    seen = judged(taken, tsa)
    assert (seen.verdict, seen.time.status) == (Verdict.COMPLETE, Status.PASSED)
    assert "witnessed" in seen.time.lines[0]
    unread = verify_photo(taken.name, after, [AUTHORITY.root], NOW)
    assert (unread.verdict, unread.time.status) == (Verdict.COMPLETE, Status.NOTED)
    assert stamp_photo(taken, asking(tsa)) is None, "once"


def test_photo_whose_certificate_expired_is_told_to_be_witnessed(tmp_path: Path, tsa: Tsa) -> None:
    place, later = tmp_path / "photo-a.jpg", NOW + timedelta(days=40000)
    place.write_bytes(photo(AUTHORITY.signer(), None))
    assert any("没有时间戳佐证" in line for line in judged(place, tsa, later).time.lines)
    stamp_photo(place, asking(tsa))
    seen = judged(place, tsa, later)
    assert (seen.verdict, seen.time.status) == (Verdict.COMPLETE, Status.PASSED)


@pytest.mark.parametrize("seen_before", [True, False])
def test_token_tells_what_was_signed_before_the_key_was_revoked(taken: Path, tsa: Tsa, seen_before: bool) -> None:
    """The clock of a device whose key was stolen may say what it likes; the token is of now."""
    stamp_photo(taken, asking(tsa))
    hours = timedelta(hours=2 if seen_before else -2)
    seen = judged(taken, tsa, trust=Centre(AUTHORITY, revoked_at=datetime.now(UTC) + hours).trust)
    assert ("已有见证" in "".join(seen.trust.lines)) is seen_before


def test_token_about_another_photo_is_altered(taken: Path, tsa: Tsa, tmp_path: Path) -> None:
    other = tmp_path / "photo-b.jpg"
    other.write_bytes(photo(AUTHORITY.signer()))
    stamp_photo(other, asking(tsa))
    token = open_photo(other.read_bytes()).token
    data = taken.read_bytes()
    placed = jpeg.find_store(data)
    forged = jpeg.encode_segment(time_stamps.stamped_store(placed.store, token or b""))
    taken.write_bytes(data[: placed.offset] + forged + data[placed.offset + placed.size :])
    seen = judged(taken, tsa)
    assert (seen.verdict, seen.first_bad and seen.first_bad.kind) == (Verdict.ALTERED, "photo")


def test_nothing_else_may_hide_behind_the_token(taken: Path, tsa: Tsa) -> None:
    stamp_photo(taken, asking(tsa))
    data = taken.read_bytes()
    placed = jpeg.find_store(data)
    signed, encoded = time_stamps.signature_in(placed.store)
    header = {**signed.unprotected, "sigTst2": {**signed.unprotected["sigTst2"], "note": "hidden"}}
    over = len(cose.encode(signed.protected_bytes, header, None, signed.signature)) - len(encoded)
    header["pad"] = header["pad"][:-over]
    hidden = cose.encode(signed.protected_bytes, header, None, signed.signature)
    taken.write_bytes(data.replace(encoded, hidden))
    assert len(taken.read_bytes()) == len(data)
    assert judged(taken, tsa).verdict is Verdict.ALTERED


def test_recording_with_a_stamped_photo_is_complete_for_both_verifiers_and_by_hand(
    folder: Path, tsa: Tsa, tmp_path: Path
) -> None:
    assert [outcome.file.suffix for outcome in stamp_recording(folder, asking(tsa))] == [".mp4", ".jpg", ".p7s"]
    place = next(folder.glob("photo-*.jpg"))
    basis = Basis((AUTHORITY.root,), Grounds(stamps=token_reader([tsa.root])), NOW)
    report = judge_path(folder, basis, lambda _: None).report
    assert report.verdict is Verdict.COMPLETE, report.as_json()
    assert not [line for line in report.completeness.lines if "unstamped" in line]
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    alone = run(sys.executable, "-I", ALONE, folder, "--root", tmp_path / "root.pem")
    assert alone.returncode == 0, alone.stdout
    assert f"{place.name}: bears a time-stamp" in alone.stdout
    office = Office("receiver-1", AUTHORITY.signer("receiver-1"), AUTHORITY.root, tmp_path / LEDGER_NAME, no_grounds)
    wish = Wish(Responsibility("示例-000003", "示例区法院调取", "示例-000004"))
    export_recording(folder, tmp_path / "out", wish, office, NOW + timedelta(days=1))
    answers = follow(tmp_path / "out")
    assert set(answers.values()) == {(0, True)}, answers
    assert sum("photo-*.jpg" in command for command in answers) == 1
    changed = tmp_path / "out" / place.name
    changed.write_bytes(changed.read_bytes()[:-30] + bytes(28) + b"\xff\xd9")
    assert [answer for command, answer in follow(tmp_path / "out").items() if "photo-*.jpg" in command] == [(1, False)]
    assert exit_code([judge_path(tmp_path / "out", basis, lambda _: None).report.verdict], ()) == 13


def test_another_picture_under_a_stamped_manifest_is_altered_for_both_verifiers(
    folder: Path, tsa: Tsa, tmp_path: Path
) -> None:
    stamp_recording(folder, asking(tsa))
    place = next(folder.glob("photo-*.jpg"))
    data = place.read_bytes()
    place.write_bytes(data[:-40] + bytes([data[-40] ^ 1]) + data[-39:])
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    assert run(sys.executable, "-I", ALONE, folder, "--root", tmp_path / "root.pem").returncode == 13
    basis = Basis((AUTHORITY.root,), Grounds(), NOW)
    assert judge_path(folder, basis, lambda _: None).report.verdict is Verdict.ALTERED


def test_stamped_photo_is_still_the_one_that_its_device_uploaded_and_told(taken: Path, tsa: Tsa) -> None:
    digest = Digest(hashlib.sha256(taken.read_bytes()).hexdigest())
    told = StoredFile(taken.name, digest, (Part(0, taken.stat().st_size, digest),))
    stamp_photo(taken, asking(tsa))
    check_file(taken, told)
    found = judge_path(taken, Basis((AUTHORITY.root,), Grounds(), NOW), lambda _: None)
    assert found.photo == told.sha256
    taken.write_bytes(taken.read_bytes()[:-3] + b"x\xff\xd9")
    with pytest.raises(SenderFault, match="不同或缺失"):
        check_file(taken, told)


def test_folder_of_photos_is_stamped_and_an_interrupted_run_goes_on(taken: Path, tsa: Tsa) -> None:
    (taken.parent / "photo-b.jpg").write_bytes(photo(AUTHORITY.signer(), None))
    (taken.parent / f"{taken.name}.unstamped").write_bytes(b"of a run that was cut off")
    assert [outcome.at is None for outcome in stamp_recording(taken.parent, asking(tsa))] == [False, False]
    assert [outcome.at for outcome in stamp_recording(taken.parent, asking(tsa))] == [None, None]
    kept = (taken.parent / f"{taken.name}.unstamped").read_bytes()
    assert kept in as_taken(taken.read_bytes())
    with pytest.raises(OperatorFault, match="没有分段文件"):
        stamp_recording(taken.parent.parent, asking(tsa))


def test_picture_of_a_stranger_is_not_touched(taken: Path, tsa: Tsa) -> None:
    data = as_taken(taken.read_bytes())
    placed = jpeg.find_store(data)
    for foreign in (data[: placed.offset] + data[placed.offset + placed.size :], data[:-9], b"text"):
        taken.write_bytes(foreign)
        with pytest.raises(SenderFault, match="文件原样未动"):
            stamp_photo(taken, asking(tsa))
        assert taken.read_bytes() == foreign
        assert [it.name for it in taken.parent.glob("photo-a*")] == ["photo-a.jpg"]
