"""`python -m agent.page.examiner AGENT.TOML RECORDING PICTURE`: one recording verified, one picture made, in a process
that ends with it: the page's own process loads neither keys nor a decoder. Prints one JSON object."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from agent.adapters.thumbnails import thumbnails
from agent.config import RECORDINGS, read_config
from agent.errors import LiuhenFault
from agent.evidence.report import Verdict
from agent.verify_files import Judged, judge_path, read_basis
from agent.wire.identifiers import parse_recording_id

NICENESS = 15  # recording comes first


def examine(config_path: Path, name: str, picture: Path) -> dict[str, object]:
    """The verdict on recording `name` as the page needs it; writes its picture, if it has one that may be shown."""
    config = read_config(config_path)
    trust = [config.identity.trust_list] if config.identity.trust_list.is_file() else []
    basis = read_basis([config.identity.root], trust, [], datetime.now(UTC))
    folder = config.state_dir / RECORDINGS / parse_recording_id(name)

    def look(judged: Judged) -> None:
        # A decoder is a large target: it is not given pictures that nobody known has signed.
        if judged.report.verdict not in (Verdict.UNTRUSTED, Verdict.ALTERED):
            for found in thumbnails(judged.segments, 1):
                picture.write_bytes(found.jpeg)

    report = judge_path(folder, basis, lambda _: None, look).report
    lines = [line for layer in report.layers.values() for line in layer.lines if layer.status.ok is False]
    return {
        "verdict": report.verdict.value,
        "chinese": report.verdict.chinese,
        "lines": lines[:5],
        "duration_s": round(report.duration_s),
        "synthetic": report.synthetic,
        "recovered": report.recovered,
    }


def main() -> int:
    """The command of the child."""
    os.nice(NICENESS)
    config, name, picture = sys.argv[1:]
    try:
        told = examine(Path(config), name, Path(picture))
    except LiuhenFault as fault:
        sys.stderr.write(f"{fault}\n")
        return fault.exit_code
    sys.stdout.write(json.dumps(told, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
