"""Attackers who hold a key, a certificate or a signature of somebody, but not the right to what they claim."""

import copy
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from agent.errors import SenderFault
from agent.evidence import cbor, cose, manifest, session, statements, vsi
from agent.evidence.bmff import Source, walk
from agent.evidence.certificates import trust_chain
from agent.evidence.journal import FragmentMoment, JournalEntry, Reason, parse_entry
from agent.evidence.recovery import examine
from agent.evidence.report import Report, Verdict
from agent.evidence.segment import Closing, SegmentEmitter, SessionKey, sealing_patch
from agent.evidence.session import encode_session_keys, parse_session_keys
from agent.evidence.statements import Seal
from agent.evidence.verify import SegmentFile, Sidecars, verify_recording
from agent.wire.identifiers import Digest
from agent.wire.signing import KeySigner
from tests.agent.evidence.bench import NOW, Authority, Bench, make_authority, patched, private_key

P_256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _report(authority: Authority, data: bytes) -> Report:
    files = [SegmentFile("segment-0001.mp4", Source.of_bytes(data))]
    return verify_recording(files, [authority.root], NOW, Sidecars())


def test_fragment_signature_rewritten_without_the_key_is_altered(authority: Authority, bench: Bench) -> None:
    """For (r, s) anyone can compute (r, -s), which verifies too: only the seal over the whole file notices."""
    data, hit = bench.sealed(), bench.records[2]
    emsg = next(box for box in walk(Source.of_bytes(data), hit.offset) if box.kind == b"emsg")
    s_at = emsg.end - 32
    mirrored = P_256_ORDER - int.from_bytes(data[s_at : emsg.end])
    report = _report(authority, patched(data, s_at, mirrored.to_bytes(32)))
    assert (report.verdict, report.fragments) == (Verdict.ALTERED, 6)


def test_fragment_of_another_branch_of_the_same_segment_breaks_the_chain(authority: Authority, bench: Bench) -> None:
    """A device made to go on twice from one opening: both branches verify fragment by fragment, not mixed."""
    emitter = SegmentEmitter(bench.origin(), bench.signer, bench.session)
    data = emitter.opening(bench.media.init)
    branch = copy.copy(emitter)
    moments = [FragmentMoment(bench.now, 500, bench.now)] * 4
    honest = [emitter.fragment(media, moment) for media, moment in zip(bench.media.fragments, moments, strict=False)]
    other = [branch.fragment(media, moment) for media, moment in zip(bench.media.fragments[1:], moments, strict=False)]
    mixed = data + honest[0].data + honest[1].data + other[2].data + honest[3].data
    report = _report(authority, mixed)
    assert report.verdict is Verdict.ALTERED
    assert {place.sequence for place in report.places if place.kind == "journal"} == {3, 4}


def test_seal_over_another_head_is_altered(authority: Authority, bench: Bench) -> None:
    _, data = bench.live()
    found = examine(Source.of_bytes(data))
    assert found.manifest is not None
    closing = Closing(bench.now, Reason.STOPPED)
    seal = Seal(closing, found.manifest.label, 6, Digest("ab" * 32), len(data), None, None)
    labels = (manifest.ACTIONS_LABEL, statements.RECORDING_LABEL, session.SESSION_KEYS_LABEL)
    kept = tuple(manifest.Assertion(label, found.manifest.assertions[label]) for label in labels)
    origin = found.manifest.opening.origin
    patch = sealing_patch(origin, kept, seal, found.flat_hash, bench.signer, found.manifest_at)
    assert _report(authority, patched(data, patch.offset, patch.data)).verdict is Verdict.ALTERED


def test_device_certificate_cannot_issue_certificates(authority: Authority, bench: Bench) -> None:
    device = x509.load_der_x509_certificate(bench.signer.chain[0])
    key = private_key("an invented accomplice")
    builder = x509.CertificateBuilder(extensions=list(device.extensions)).subject_name(device.subject)
    builder = builder.issuer_name(device.subject).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9))
    forged = builder.serial_number(7).public_key(key.public_key()).sign(private_key("leaf REC-0001"), hashes.SHA256())
    chain = (forged.public_bytes(Encoding.DER), *bench.signer.chain)
    with pytest.raises(SenderFault, match="无权签发"):
        trust_chain(chain, [authority.root])
    forger = Bench(KeySigner(key, chain))
    assert _report(authority, forger.sealed()).verdict is Verdict.UNTRUSTED


def test_root_of_the_same_name_is_another_root(bench: Bench) -> None:
    other = make_authority("beidou")
    chain = bench.signer.chain
    lookalike = x509.CertificateBuilder(extensions=list(other.root.extensions))
    named = x509.load_der_x509_certificate(chain[1]).issuer
    lookalike = lookalike.subject_name(named).issuer_name(named).serial_number(1)
    lookalike = lookalike.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9))
    key = private_key("an invented forger")
    root = lookalike.public_key(key.public_key()).sign(key, hashes.SHA256())
    with pytest.raises(SenderFault, match="不连贯"):
        trust_chain(chain, [root])


def test_session_key_that_does_not_acknowledge_the_certificate_is_refused(bench: Bench) -> None:
    leaf = bench.signer.chain[0]
    mine = cbor.decode_map(encode_session_keys(bench.session, leaf, NOW, 1))
    other = cbor.decode_map(encode_session_keys(SessionKey(private_key("other")), leaf, NOW, 1))
    assert parse_session_keys(cbor.encode(mine), leaf).minimum_sequence == 1
    mine["keys"][0]["signerBinding"] = other["keys"][0]["signerBinding"]
    with pytest.raises(SenderFault, match="签名与内容不符"):
        parse_session_keys(cbor.encode(mine), leaf)


def test_number_below_the_certified_minimum_is_refused(bench: Bench) -> None:
    leaf = bench.signer.chain[0]
    certified = parse_session_keys(encode_session_keys(bench.session, leaf, NOW, 5), leaf)
    emsg = vsi.sign_fragment(bench.session, "urn:c2pa:x", 4, 500, 0, [])
    with pytest.raises(SenderFault, match="不合规定"):
        vsi.open_fragment(emsg, certified)


def test_algorithm_cannot_be_chosen_by_the_file(bench: Bench) -> None:
    protected = cbor.encode({cose.ALGORITHM: -8})
    signature = bench.signer.sign(cose.to_be_signed(protected, b"x"))
    signed = cose.parse(cose.encode(protected, {}, None, signature))
    with pytest.raises(SenderFault, match="ES256"):
        signed.verify(bench.session.public_key, b"x")


def _entry(bench: Bench) -> JournalEntry:
    bench.live()
    return bench.records[0].entry


def test_journal_entry_with_anything_more_is_refused(bench: Bench) -> None:
    fields = cbor.decode_map(_entry(bench).encode())
    assert parse_entry(cbor.encode(fields)).sequence == 1
    for changes in ({"more": 1}, {"seq": -1}, {"seq": True}, {"moof": "text"}, {"media": b"short"}, {"ms": 10**9},
                    {"cap": [0, 0, "ntp"]}, {"cap": [10**15, 0, "ntp", 1]}, {"evt": [["new"]]},
                    {"boot": 5}, {"rec": "REC-1"}, {"prev": None}):  # fmt: skip
        with pytest.raises(SenderFault, match="录制"):
            parse_entry(cbor.encode({**fields, **changes}))
