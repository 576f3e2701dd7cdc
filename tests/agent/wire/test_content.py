import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agent.bundle import MAX_MEMBERS, Bundle, open_bundle, pack
from agent.errors import SenderFault
from agent.wire.content import CHUNK_BYTES, MAX_ATTACHMENT_BYTES, attach, parse_attachments
from agent.wire.disclosures import parse_disclosure
from agent.wire.identifiers import Digest, District
from agent.wire.topics import content_topic, is_content_topic, parse_content_topic
from tests.support.documents import notice

PHOTO = attach("photo-1.jpg", b"p" * (CHUNK_BYTES + 1))
SHA = "a" * 64


def test_a_document_without_files_has_the_bytes_it_always_had() -> None:
    assert b"attachments" not in notice().encode()


def test_files_are_signed_with_the_document_and_read_back() -> None:
    document = notice(attachments=(PHOTO, attach("flow-1.svg", b"<svg/>")))
    assert parse_disclosure(document.encode()) == document


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../photo-1.jpg"}, {"name": "/etc/x.jpg"}, {"name": "photo-1.jpg\0"}, {"name": ".jpg"},
        {"name": "PHOTO.jpg"}, {"name": "photo-1.exe"}, {"media_type": "text/html"}, {"sha256": "../" + SHA[3:]},
        {"sha256": SHA.upper()}, {"bytes": 0}, {"bytes": -1}, {"bytes": MAX_ATTACHMENT_BYTES + 1}, {"bytes": True},
    ],
)  # fmt: skip
def test_a_file_that_is_a_path_too_large_or_of_another_type_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SenderFault):
        parse_attachments([{**PHOTO.as_json(), **change}])


def test_two_files_of_one_name_or_too_many_bytes_are_refused() -> None:
    one = PHOTO.as_json()
    with pytest.raises(SenderFault, match="同名"):
        parse_attachments([one, {**one, "sha256": SHA}])
    with pytest.raises(SenderFault, match="超过"):
        parse_attachments([{**one, "name": f"photo-{n}.jpg", "bytes": MAX_ATTACHMENT_BYTES} for n in (1, 2, 3)])


def test_the_last_piece_is_shorter_and_there_is_none_behind_it() -> None:
    assert (PHOTO.chunks, PHOTO.chunk_length(0), PHOTO.chunk_length(1)) == (2, CHUNK_BYTES, 1)
    with pytest.raises(SenderFault):
        PHOTO.chunk_length(2)


def test_a_piece_has_a_topic_that_is_no_documents_and_back() -> None:
    topic = content_topic(District("xinghe"), "hall-1", Digest(SHA), 12)
    place = parse_content_topic(topic)
    assert (place.audience, place.sha256, place.number) == ("hall-1", SHA, 12)
    for wrong in ("012", "-1", "+", "1e3", "99999", "٣"):
        with pytest.raises(SenderFault):
            parse_content_topic(topic.replace("/12", f"/{wrong}"))
    assert not is_content_topic("gov/xinghe/v1/pub/hall-1/notice/notice-1")


def opened(data: bytes) -> Bundle:
    return open_bundle(io.BytesIO(data), len(data))


def zipped(*names: str, how: int = zipfile.ZIP_STORED, content: bytes = b"x", comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", how) as archive:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name in names:
            archive.writestr(name, content)
        archive.comment = comment
    return out.getvalue()


def test_a_bundle_gives_back_what_was_packed_and_the_same_bytes_each_time() -> None:
    packed = pack({"notice.n-1": b"sealed"}, {SHA: b"file"})
    bundle = opened(packed)
    assert packed == pack({"notice.n-1": b"sealed"}, {SHA: b"file"})
    assert [bundle.document(name) for name in bundle.documents] == [b"sealed"]
    assert bundle.content(SHA, 4) == b"file"
    assert bundle.content("b" * 64, 4) is None


@pytest.mark.parametrize(
    "data",
    [
        b"", b"PK", b"\0" * 4096, pack({}, {SHA: b"x" * 999})[:-1],
        zipped(f"content/{SHA}", how=zipfile.ZIP_DEFLATED, content=b"\0" * 10_000_000),
        zipped("../../etc/passwd"), zipped("content/../x"), zipped("documents/.dsse"), zipped(f"content/{SHA}/x"),
        zipped(f"content/{SHA}", f"content/{SHA}"), zipped(f"content/{SHA}", comment=b"hello"),
        zipped(*(f"documents/notice.n{n}.dsse" for n in range(MAX_MEMBERS + 1))),
    ],
    ids=["empty", "stub", "zeros", "truncated", "bomb", "traversal", "dots", "no-name", "below", "twice", "comment",
         "too-many"],
)  # fmt: skip
def test_a_bundle_that_is_cut_compressed_or_leads_elsewhere_is_refused(data: bytes) -> None:
    with pytest.raises(SenderFault):
        opened(data)


def test_a_file_larger_than_its_document_says_is_refused_before_it_is_read() -> None:
    with pytest.raises(SenderFault, match="过大"):
        opened(pack({}, {SHA: b"x" * 1000})).content(SHA, 999)


def test_every_byte_that_is_flipped_in_a_bundle_is_refused_or_hashes_to_something_else(tmp_path: Path) -> None:
    photo = attach("photo-1.jpg", b"content of a photo")
    packed = pack({}, {photo.sha256: b"content of a photo"})
    for at in range(len(packed)):
        bent = bytearray(packed)
        bent[at] ^= 0x41
        try:
            found = opened(bytes(bent)).content(photo.sha256, photo.size)
            if found is not None:
                photo.check(found)
        except SenderFault:
            continue
