"""Photos: believed by engines none of us wrote, and by nobody once a bit has changed."""

import io
import json
import subprocess
from dataclasses import replace
from datetime import timedelta

import c2pa
import encypher_c2pa
import pytest

from agent.errors import SenderFault
from agent.evidence import cbor, jpeg
from agent.evidence.bmff import Source
from agent.evidence.grounds import Grounds
from agent.evidence.photo import AlteredPhoto, open_photo, parse_statement, sign_photo
from agent.evidence.photo_report import recording_photo_findings, verify_photo
from agent.evidence.places import SegmentFile
from agent.evidence.position import SIMULATED, Position
from agent.evidence.report import Verdict
from agent.evidence.verify import examine_files
from agent.wire.identifiers import device_id
from agent.wire.instant import TimeState
from tests.agent.evidence.bench import NOW, Authority, Bench, flipped, make_authority
from tests.agent.evidence.foreign import EVIDENCE_OIDS
from tests.agent.evidence.photos import PLACE, photo, picture, statement
from tests.agent.evidence.telling import Centre


@pytest.fixture(scope="module")
def signed(authority: Authority) -> bytes:
    return photo(authority.signer())


def c2pa_says(data: bytes, root_pem: bytes) -> str:
    trust = {"trust_anchors": root_pem.decode(), "trust_config": EVIDENCE_OIDS}
    settings = {"trust": trust, "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}}
    with c2pa.Context.from_dict(settings) as context:
        try:
            with c2pa.Reader("image/jpeg", io.BytesIO(data), context=context) as reader:
                return str(json.loads(reader.json())["validation_state"])
        except c2pa.C2paError:
            return "Refused"


def encypher_says(data: bytes, root_pem: bytes) -> bool:
    try:
        report = encypher_c2pa.verify(
            data, "image/jpeg", trust_pem=root_pem.decode(), no_default_trust=True, telemetry=False, online=False
        )
    except ValueError:
        return False
    return (report.get("integrity"), report.get("validation_state")) == ("valid", "Trusted")


def verdict(data: bytes, authority: Authority) -> Verdict:
    return verify_photo("x.jpg", data, [authority.root], NOW).verdict


def test_position_is_signed_told_and_said_to_be_the_receivers_word(authority: Authority):
    here = Position(399_000_000, 1_164_000_000, SIMULATED, 9, 80, age_ms=400)
    data = sign_photo(picture(), replace(statement(), position=here), authority.signer())
    assert open_photo(data).statement.position == here
    lines = verify_photo("x.jpg", data, [authority.root], NOW).integrity.lines
    assert any("39.90000, 116.40000" in line and "0.4 秒" in line and "模拟器" in line for line in lines)


def test_photo_of_an_older_device_without_a_position_is_still_read():
    old = cbor.decode_map(statement().encode())
    del old["position"]
    assert parse_statement(cbor.encode(old)) == statement()


def test_photo_is_trusted_by_two_foreign_engines_and_by_ours(authority: Authority, signed: bytes) -> None:
    assert c2pa_says(signed, authority.root_pem) == "Trusted"
    assert encypher_says(signed, authority.root_pem)
    report = verify_photo("x.jpg", signed, [authority.root], NOW)
    assert report.verdict is Verdict.COMPLETE
    assert (report.device, report.recording, report.segments) == ("REC-0001", PLACE.recording, 0)
    assert "第 7 片段" in report.integrity.lines[1]


def test_photo_is_still_an_ordinary_jpeg(signed: bytes) -> None:
    command = ["ffmpeg", "-v", "error", "-i", "-", "-f", "rawvideo", "-pix_fmt", "yuvj420p", "-"]
    pixels = [
        subprocess.run(command, input=data, capture_output=True, check=True).stdout for data in (signed, picture())
    ]
    assert pixels[0] == pixels[1]
    assert len(pixels[0]) == 160 * 96 * 3 // 2


def test_statement_comes_back_as_it_was_signed(authority: Authority, signed: bytes) -> None:
    assert open_photo(signed).statement == statement()
    assert open_photo(photo(authority.signer(), None)).statement.place is None


@pytest.mark.parametrize("part", ["picture", "manifest", "padding", "header", "end"])
def test_flipped_bit_is_found_by_all_three(authority: Authority, signed: bytes, part: str) -> None:
    placed = jpeg.find_store(signed)
    end = placed.offset + placed.size
    at = {
        "picture": end + 500,
        "manifest": placed.offset + 600,
        "padding": end - 20,
        "header": placed.offset - 3,
        "end": len(signed) - 40,
    }[part]
    broken = flipped(signed, at)
    assert verdict(broken, authority) in (Verdict.ALTERED, Verdict.UNTRUSTED)
    if part != "padding":  # the padding of a COSE header is not signed: only ours looks into it
        assert c2pa_says(broken, authority.root_pem) in ("Invalid", "Refused")
        assert not encypher_says(broken, authority.root_pem)


def test_bytes_behind_the_end_are_found(authority: Authority, signed: bytes) -> None:
    assert verdict(signed + b"hidden", authority) is Verdict.ALTERED
    assert c2pa_says(signed + b"hidden", authority.root_pem) == "Invalid"


def test_manifest_of_another_photo_is_not_believed(authority: Authority, signed: bytes) -> None:
    placed = jpeg.find_store(signed)
    other = signed[: placed.offset] + signed[placed.offset + placed.size :]
    swapped = other[:-30] + bytes([other[-30] ^ 4]) + other[-29:]
    swapped = swapped[: placed.offset] + signed[placed.offset : placed.offset + placed.size] + swapped[placed.offset :]
    assert verdict(swapped, authority) is Verdict.ALTERED


def test_photo_without_a_manifest_is_untrusted(authority: Authority) -> None:
    assert verdict(picture(), authority) is Verdict.UNTRUSTED
    for junk in (b"", b"\xff\xd8", b"\xff\xd8\xff\xeb\x00\x00", b"\xff\xd8" + b"\xff\xeb\x00\x02" * 100, b"text" * 99):
        assert verdict(junk, authority) is Verdict.UNTRUSTED


def test_photo_of_a_device_that_claims_another_name_is_untrusted(authority: Authority) -> None:
    assert verdict(photo(authority.signer("REC-0002")), authority) is Verdict.UNTRUSTED


def test_photo_under_another_root_is_untrusted(signed: bytes) -> None:
    assert verdict(signed, make_authority("beidou")) is Verdict.UNTRUSTED


def test_only_a_jpeg_is_signed(authority: Authority) -> None:
    with pytest.raises(ValueError, match="not a JPEG"):
        sign_photo(b"GIF89a", statement(), authority.signer())
    with pytest.raises(AlteredPhoto):
        open_photo(flipped(photo(authority.signer()), 400))
    with pytest.raises(SenderFault):
        open_photo(b"GIF89a")


@pytest.mark.parametrize(("days", "told"), [(-30, Verdict.UNTRUSTED), (30, Verdict.COMPLETE)])
def test_photo_by_a_key_revoked_before_it_was_taken_is_untrusted(
    authority: Authority, signed: bytes, days: int, told: Verdict
) -> None:
    trust = Centre(authority, revoked_at=NOW + timedelta(days=days)).trust
    report = verify_photo("x.jpg", signed, [authority.root], NOW, Grounds(trust))
    assert report.verdict is told
    assert any("吊销" in line for line in report.trust.lines)
    beside = {"x.jpg": Source.of_bytes(signed)}
    film = SegmentFile("segment-0001.mp4", Source.of_bytes(Bench(authority.signer()).sealed()))
    segments = examine_files([film])
    found = list(recording_photo_findings(beside, segments, [authority.root], NOW, Grounds(trust)))
    assert [finding.verdict for finding in found] == [told]


def test_photo_by_another_device_that_claims_this_recording_is_no_part_of_it(authority: Authority) -> None:
    """Two good keys: whoever has the second recorder makes a picture for the film of the first."""
    film = SegmentFile("segment-0001.mp4", Source.of_bytes(Bench(authority.signer()).sealed()))
    other = device_id("REC-0002")
    photos = {
        "own.jpg": photo(authority.signer()),
        "other.jpg": sign_photo(picture(), replace(statement(), device=other), authority.signer(other)),
    }
    beside = {name: Source.of_bytes(data) for name, data in photos.items()}
    found = list(recording_photo_findings(beside, examine_files([film]), [authority.root], NOW))
    assert [(it.verdict, it.text.partition("：")[0]) for it in found] == [(Verdict.ALTERED, "other.jpg")]


def test_photo_by_a_revoked_key_whose_clock_was_not_set_is_untrusted(authority: Authority) -> None:
    unset = replace(statement(), signed=replace(statement().signed, state=TimeState.UNSET))
    trust = Centre(authority, revoked_at=NOW + timedelta(days=30)).trust
    data = sign_photo(picture(), unset, authority.signer())
    assert verify_photo("x.jpg", data, [authority.root], NOW, Grounds(trust)).verdict is Verdict.UNTRUSTED
