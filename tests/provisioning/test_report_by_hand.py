"""What the judge's page tells to do by hand, and claims to prove, holds for the very recording that it is about."""

from pathlib import Path

from typer.testing import CliRunner

from agent.verify_cli import app
from provisioning.center.time_stamping import Authority, stamp_recording
from tests.agent.evidence.bench import Bench
from tests.provisioning.test_time_stamping import AUTHORITY, recording
from tests.support.tsa import make_tsa


def _page(folder: Path, *arguments: object) -> str:
    target = folder.with_suffix(".html")
    words = [str(folder), "--report", str(target), *map(str, arguments)]
    assert CliRunner().invoke(app, words).exit_code in (0, 11, 14)
    return target.read_text(encoding="utf-8")


def test_page_tells_no_command_that_fails_on_honest_evidence(tmp_path: Path) -> None:
    """Time-stamped after the seal, the list speaks of other bytes; never sealed, there is none."""
    (tmp_path / "root.pem").write_bytes(AUTHORITY.root_pem)
    tsa = make_tsa(tmp_path / "tsa")
    plain, stamped, dead = recording(tmp_path / "plain"), recording(tmp_path / "stamped"), tmp_path / "dead"
    stamp_recording(stamped, Authority(tsa.answer, [tsa.root]))
    dead.mkdir()
    (dead / "segment-0001.mp4").write_bytes(Bench(AUTHORITY.signer()).live()[1])
    pages = [_page(it, "--roots", tmp_path / "root.pem") for it in (plain, stamped, dead)]
    assert ["sha256sum -c SHA256SUMS" in page for page in pages] == [True, False, False]
    assert ["openssl cms" in page for page in pages] == [True, True, False]
    assert "HOW-TO-VERIFY.txt" in pages[1]


def test_page_without_a_root_does_not_claim_whose_signature_it_is(tmp_path: Path) -> None:
    page = _page(recording(tmp_path / "R"))
    assert "不证明：出自哪一台设备" in page
    assert "签名密钥属于所给根证书下的那台设备" not in page
