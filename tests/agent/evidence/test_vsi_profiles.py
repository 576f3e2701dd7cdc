"""The dialects of live signatures: each is read as what the signed opening says it is, and as nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import SenderFault
from agent.evidence import cbor, vsi
from agent.evidence.bmff import Source
from agent.evidence.recovery import examine, seal_recovered
from agent.evidence.report import Report, Verdict
from agent.evidence.session import CertifiedSession, SessionKey, encode_session_keys, parse_session_keys
from agent.evidence.verify import SegmentFile, verify_recording
from agent.evidence.vsi_profiles import CONTEXT_VSI, DEFAULT_VSI, VSI_PROFILES, VsiProfile
from agent.evidence.vsi_reading import SegmentInfoReader
from tests.agent.evidence.bench import NOW, Authority, Bench, patched, private_key
from tests.agent.evidence.foreign import c2pa_state, encypher_accepts, encypher_stream
from tests.support.commands import run_here

EACH = pytest.mark.parametrize("profile", VSI_PROFILES.values(), ids=VSI_PROFILES)
PAIRS = [(stated, written) for stated in VSI_PROFILES.values() for written in VSI_PROFILES.values()]
SAME_FRAGMENT = {frozenset({"c2pa-2.4", "cml-c2pa"})}  # they differ in the binding only
SAME_BINDING = {frozenset({"c2pa-rs-2562", "c2pa-rs-2631"})}  # and these in the fragments only


def _bench(authority: Authority, profile: VsiProfile) -> Bench:
    return Bench(authority.signer(), session=_key(profile))


def _key(profile: VsiProfile) -> SessionKey:
    return SessionKey(private_key("session"), profile)


def _certified(profile: VsiProfile) -> CertifiedSession:
    key = _key(profile)
    return CertifiedSession(key.public_key, key.key_id, 1, profile)


def _report(data: bytes, authority: Authority) -> Report:
    return verify_recording([SegmentFile("segment-0001.mp4", Source.of_bytes(data))], [authority.root], NOW)


@EACH
def test_recording_in_each_dialect_is_complete_and_names_what_is_not_the_default(
    authority: Authority, profile: VsiProfile
) -> None:
    data = _bench(authority, profile).sealed()
    assert _report(data, authority).verdict is Verdict.COMPLETE
    origin = examine(Source.of_bytes(data)).origin
    assert origin is not None
    assert origin.context.get(CONTEXT_VSI) == (None if profile is DEFAULT_VSI else profile.name)


@EACH
def test_recording_cut_in_each_dialect_keeps_every_whole_fragment(authority: Authority, profile: VsiProfile) -> None:
    bench = _bench(authority, profile)
    live = bench.live()[1]
    cut = live[: bench.records[-1].offset + 100]
    found = examine(Source.of_bytes(cut))
    assert len(found.fragments) == len(bench.records) - 1
    patch = seal_recovered(found, bench.signer, bench.now)
    sealed = patched(cut[: found.intact_bytes], patch.offset, patch.data)
    assert _report(sealed, authority).verdict is Verdict.EXPLAINED_GAP
    assert c2pa_state(sealed, authority.root_pem) == "Trusted"


@EACH
def test_flipped_bit_in_a_fragment_s_signature_is_found_in_each_dialect(
    authority: Authority, profile: VsiProfile
) -> None:
    emsg = vsi.sign_fragment(_key(profile), "urn:c2pa:x", 301, 500, 1_700_000_000, [b"box"])
    before, refused = vsi.sign_fragment(_key(profile), "urn:c2pa:x", 300, 500, 1_700_000_000, [b"bo2"]), 0
    for at in range(len(emsg)):
        reader = SegmentInfoReader(_certified(profile))
        reader.open(before)
        try:
            reader.open(emsg[:at] + bytes([emsg[at] ^ 1]) + emsg[at + 1 :])
        except SenderFault:
            refused += 1
    assert refused == len(emsg) - 4  # all but the duration, which is not signed and compared with the journal's


@pytest.mark.parametrize(("stated", "written"), PAIRS, ids=lambda profile: profile.name)
def test_fragment_in_another_dialect_than_stated_is_refused_though_its_key_is_right(
    stated: VsiProfile, written: VsiProfile
) -> None:
    emsg = vsi.sign_fragment(_key(written), "urn:c2pa:x", 301, 500, 1_700_000_000, [b"box"])
    if stated == written or {stated.name, written.name} in SAME_FRAGMENT:
        assert vsi.open_fragment(emsg, _certified(stated)).sequence == 301
        return
    with pytest.raises(SenderFault, match="的写法"):
        vsi.open_fragment(emsg, _certified(stated))


@pytest.mark.parametrize(("stated", "written"), PAIRS, ids=lambda profile: profile.name)
def test_key_bound_to_its_certificate_in_another_dialect_than_stated_is_refused(
    authority: Authority, stated: VsiProfile, written: VsiProfile
) -> None:
    leaf = authority.signer().chain[0]
    keys = encode_session_keys(_key(written), leaf, NOW, 1)
    if stated == written or {stated.name, written.name} in SAME_BINDING:
        assert parse_session_keys(keys, leaf, stated).profile == stated
        return
    with pytest.raises(SenderFault):
        parse_session_keys(keys, leaf, stated)


def test_certificate_attached_to_the_binding_that_is_not_the_signed_one_is_refused(authority: Authority) -> None:
    leaf, other = authority.signer().chain[0], authority.signer("REC-0002").chain[0]
    keys = cbor.decode_map(encode_session_keys(_key(DEFAULT_VSI), leaf, NOW, 1))
    protected, unprotected, _, signature = keys["keys"][0]["signerBinding"].value
    forged = cbor.tagged(cbor.COSE_SIGN1, [protected, unprotected, other, signature])
    keys["keys"][0]["signerBinding"] = forged
    with pytest.raises(SenderFault, match="的写法"):
        parse_session_keys(cbor.encode(keys), leaf)


def test_dialect_that_this_version_does_not_know_is_refused_and_says_so(authority: Authority) -> None:
    report = _report(_from_a_later_version(authority), authority)
    assert report.verdict is Verdict.UNTRUSTED
    assert any("不认识实时签名的写法" in line for line in report.integrity.lines)


def test_dialect_that_this_version_does_not_know_is_2_and_not_altered(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "segment-0001.mp4").write_bytes(_from_a_later_version(authority))
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    done = run_here("agent.verify_cli", tmp_path / "segment-0001.mp4", "--roots", tmp_path / "root.pem")
    assert (done.returncode, done.stderr.count("\n"), "请换用较新版本" in done.stderr) == (2, 1, True)


def _from_a_later_version(authority: Authority) -> bytes:
    VSI_PROFILES["c2pa-9.9"] = replace(DEFAULT_VSI, name="c2pa-9.9")
    try:
        return _bench(authority, VSI_PROFILES["c2pa-9.9"]).sealed()
    finally:
        del VSI_PROFILES["c2pa-9.9"]


@EACH
def test_foreign_verifiers_trust_the_sealed_file_of_each_dialect(authority: Authority, profile: VsiProfile) -> None:
    data = _bench(authority, profile).sealed()
    assert c2pa_state(data, authority.root_pem) == "Trusted"
    assert encypher_accepts(data, authority.root_pem)


@EACH
def test_encypher_verifies_the_live_signatures_of_the_default_alone(authority: Authority, profile: VsiProfile) -> None:
    bench = _bench(authority, profile)
    live = bench.live()[1]
    fragments = [live[record.offset : record.offset + record.size] for record in bench.records]
    said = encypher_stream(live[: bench.records[0].offset], fragments, authority.root_pem)
    assert said == ("valid" if profile is DEFAULT_VSI else "invalid")
