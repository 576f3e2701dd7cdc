"""An officer explains an interruption in writing, on the page: which gap, which reason of the list, what happened."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent.evidence.journal import GAP_CLOSED, GAP_OPENED, JournalEvent, Reason
from agent.wire.disclosures import DisclosureKind
from agent.wire.notes import open_note
from tests.agent.evidence.bench import Bench, make_authority, private_key
from tests.agent.page.running import RunningPage, device_folder, verdicts, write_recording
from tests.support.commands import run_here
from tests.support.duty import FIRST, personnel, recording_list
from tests.support.duty_bench import DutyBench
from tests.support.policies import policy

NAME = "REC-0001-R000001"
SHORT = {"recording": NAME, "gap": "2", "reason": "weather", "text": "突降大雨，暂停收回设备。", "author": FIRST}


class Paused(Bench):
    """A recording that was paused once, nobody said why."""

    def sealed(self, reason: Reason = Reason.STOPPED, **options: object) -> bytes:
        gap = tuple(JournalEvent(kind, self.now, Reason.PAUSED) for kind in (GAP_OPENED, GAP_CLOSED))
        return super().sealed(reason, events={1: gap}, **options)


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    authority = make_authority()
    config = device_folder(tmp_path_factory.mktemp("explain") / "device", authority, 0)
    signer, pem = authority.signer(), Encoding.PEM
    key = private_key("leaf REC-0001").private_bytes(pem, PrivateFormat.PKCS8, NoEncryption())
    (config.parent / "evidence.key").write_bytes(key)
    (config.parent / "evidence.key").chmod(0o600)
    from cryptography import x509

    chain = b"".join(x509.load_der_x509_certificate(der).public_bytes(pem) for der in signer.chain)
    (config.parent / "evidence.pem").write_bytes(chain)
    write_recording(config.parent / "state" / "recordings" / NAME, Paused(signer))
    bench = DutyBench((personnel(), recording_list(), policy(DisclosureKind.REASON_CODES)))
    bench.take_out(FIRST)
    (config.parent / "state" / "duty.json").write_text(json.dumps(bench.state))
    return config


@pytest.fixture(scope="module")
def page(device: Path) -> Iterator[RunningPage]:
    with RunningPage(device) as running:
        running.enter()
        until(running, "无说明中断")
        yield running


def until(page: RunningPage, verdict: str) -> None:
    ends = time.monotonic() + 120
    while verdicts(page.config).get(NAME) != verdict:
        page.text()
        assert time.monotonic() < ends, verdicts(page.config)
        time.sleep(0.2)


def explained(page: RunningPage, **changes: str) -> tuple[int, str]:
    status, _, answer = page.ask("/explain", "POST", urlencode({**SHORT, **changes}))
    return status, answer.decode()


def notes(page: RunningPage) -> list[Path]:
    return sorted((page.config.parent / "state" / "recordings" / NAME / "notes").glob("*.dsse"))


@pytest.mark.xdist_group("explaining")
def test_the_gap_and_the_reasons_of_the_list_stand_on_the_page(page: RunningPage) -> None:
    shown = page.text(f"/r/{NAME}")
    for words in ("请书面说明中断", '<option value="2">', "人为暂停", '<option value="weather">天气恶劣', FIRST):
        assert words in shown, words


@pytest.mark.xdist_group("explaining")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"reason": "sunshine"},
            "没有原因代码“sunshine”。可用的有：device-fault（设备故障、损坏）、weather",
        ),
        ({"gap": "7"}, "没有这处待说明的中断"),
        ({"recording": "REC-0001-R000009"}, "没有这处待说明的中断"),
        ({"text": " "}, "说明文字应有"),
        ({"text": "当事人电话 13800138000"}, "未遮盖"),
        ({"author": ""}, "作者代号"),
        ({"gap": "-1"}, "没有这处待说明的中断"),
    ],
)
def test_a_wrong_form_signs_nothing_and_says_what_is_wrong(
    page: RunningPage, change: dict[str, str], said: str
) -> None:
    status, answer = explained(page, **change)
    assert (status, said in answer, notes(page)) == (409, True, []), answer


@pytest.mark.xdist_group("explaining")
def test_what_was_written_is_signed_and_the_gap_is_explained_by_it(page: RunningPage) -> None:
    status, answer = explained(page)
    assert (status, "说明已签名" in answer) == (200, True), answer
    (place,) = notes(page)
    note = open_note(place.read_bytes()).note
    assert (note.cause, note.text, note.author, note.first, note.last) == (
        "weather｜天气恶劣", "突降大雨，暂停收回设备。", FIRST, 2, 2,
    )  # fmt: skip
    until(page, "有说明中断")
    shown = page.text(f"/r/{NAME}")
    assert "补充说明（天气恶劣）" in shown
    assert "请书面说明中断" not in shown
    assert explained(page)[0] == 409  # it is explained: a second press is told so
    assert len(notes(page)) == 1


@pytest.mark.xdist_group("explaining")
def test_the_command_takes_the_same_codes_and_lists_them(page: RunningPage) -> None:
    words = ("note", NAME, "--config", page.config, "--text", "已更换电池。", "--author", FIRST)
    done = run_here("agent.cli", *words, "--reason", "sunshine")
    assert done.returncode == 2
    assert "device-fault（设备故障、损坏）" in done.stderr
    assert "secrecy（涉密/商业秘密/个人隐私）" in done.stderr
    before = len(notes(page))
    assert run_here("agent.cli", *words, "--reason", "device-fault").returncode == 0
    assert open_note(notes(page)[before].read_bytes()).note.cause == "device-fault｜设备故障、损坏"
