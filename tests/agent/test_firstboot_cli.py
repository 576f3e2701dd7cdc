"""What `liuhen-agent firstboot` says to the person who carries the stick."""

import json
from pathlib import Path

from tests.agent.test_firstboot import written
from tests.support.commands import run_here
from tests.support.enrolment_desk import SERIAL, EnrolmentDesk
from tests.support.keys import TestAuthority


def test_the_way_out_over_a_stick_is_no_fault_and_says_that_the_device_is_not_enrolled_yet(tmp_path: Path) -> None:
    card = written(tmp_path / "card", EnrolmentDesk(TestAuthority()).card())
    (tmp_path / "serial").write_text(SERIAL)
    (tmp_path / "stick").mkdir()
    words = ["firstboot", "--card", card, "--into", tmp_path / "device", "--stick", tmp_path / "stick"]
    words += ["--serial-file", tmp_path / "serial"]
    said = run_here("agent.cli", *words)
    assert (said.returncode, said.stderr) == (4, "")
    assert "还没有入网" in said.stdout.replace("\n", "")
    assert "liuhen-provision usb" in said.stdout.replace("\n", " ")
    told = json.loads(run_here("agent.cli", *words, "--json").stdout)
    assert told["enrolled"] is False
    assert (tmp_path / "stick" / "liuhen" / "requests" / "REC-0001.json").is_file()
    assert (card / "card.dsse").is_file()
