"""`python -m agent.page.examiner AGENT.TOML RECORDING PICTURE`: one recording verified, one picture made, in a process
that ends with it: the page's own process loads neither keys nor a decoder. Prints one JSON object."""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from agent.adapters.thumbnails import thumbnails
from agent.config import RECORDINGS, read_config
from agent.errors import LiuhenFault
from agent.evidence.interruptions import judged_interruptions
from agent.evidence.note_findings import NOTES, judge_notes
from agent.evidence.places import clock_text
from agent.evidence.report import COMPLETENESS, Report, Status, Verdict
from agent.page.view import STEPS_MISSING
from agent.verify_files import Basis, Judged, judge_path, read_basis
from agent.wire.identifiers import parse_recording_id
from agent.wire.notes import MAX_NOTES

MOST_GAPS = 40  # ours; more are explained by the command
EXPLAINABLE = frozenset({Verdict.COMPLETE, Verdict.EXPLAINED_GAP, Verdict.UNEXPLAINED_GAP})
MOST_LINES = 5  # ours: a phone's screen
CODE = re.compile(r"[（(][ -~]+[）)]|(?<=标注：)[a-z-]+ ")
TOLD = ("标注：", STEPS_MISSING)  # of the layer on duty
NICENESS = 15  # recording comes first


def examine(config_path: Path, name: str, picture: Path) -> dict[str, object]:
    """The verdict on recording `name` as the page needs it; writes its picture, if it has one that may be shown."""
    config = read_config(config_path)
    trust = [config.identity.trust_list] if config.identity.trust_list.is_file() else []
    basis = read_basis([config.identity.root], trust, [], datetime.now(UTC))
    folder = config.state_dir / RECORDINGS / parse_recording_id(name)

    gaps: list[dict[str, object]] = []

    def look(judged: Judged) -> None:
        gaps.extend(explainable(judged, folder, basis))
        # A decoder is a large target: it is not given pictures that nobody known has signed.
        if judged.report.verdict not in (Verdict.UNTRUSTED, Verdict.ALTERED):
            for found in thumbnails(judged.segments, 1):
                _keep(picture, found.jpeg)

    report = judge_path(folder, basis, lambda _: None, look).report
    return {
        "verdict": report.verdict.value,
        "chinese": report.verdict.chinese,
        "lines": told_lines(report),
        "duration_s": round(report.duration_s),
        "synthetic": report.synthetic,
        "recovered": report.recovered,
        "gaps": gaps[:MOST_GAPS],
    }


def _keep(picture: Path, jpeg: bytes) -> None:
    """Write the picture, or none: a full disk takes no verdict away."""
    try:
        picture.write_bytes(jpeg)
    except OSError as error:
        sys.stderr.write(f"{picture}: {error.strerror}\n")
        with contextlib.suppress(OSError):
            picture.unlink()


def explainable(judged: Judged, folder: Path, basis: Basis) -> Iterator[dict[str, object]]:
    """The interruptions that ask for a person's explanation and have none yet: the fragment before, when, and why as
    far as the device knows. A note about a damaged recording would have to say what it is about: there is none."""
    if judged.report.verdict not in EXPLAINABLE:
        return
    files = {it.name: it.read_bytes() for it in sorted((folder / NOTES).glob("*.dsse"))[: MAX_NOTES + 1]}
    notes = judge_notes(files, judged.segments, basis.roots, basis.grounds.trust, intact=True).notes
    for gap, explained, words in judged_interruptions(judged.segments, notes):
        if gap.reason is not None and not explained:
            at = clock_text(gap.at)
            yield {"sequence": max(1, gap.sequence), "at": at, "words": words}


def told_lines(report: Report) -> list[str]:
    """What an officer should know of `report`: first what was not recorded, explained or not, then what else speaks
    against it; codes left out, each line once. Task, officers and steps have places of their own on the page."""
    found = list(report.completeness.lines) if report.completeness.status in (Status.NOTED, Status.FAILED) else []
    others = [layer for name, layer in report.layers.items() if name != COMPLETENESS and layer.status is Status.FAILED]
    found += [line for layer in others for line in layer.lines if layer is not report.duty or line.startswith(TOLD)]
    return list(dict.fromkeys(CODE.sub("", line) for line in found))[:MOST_LINES]


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
