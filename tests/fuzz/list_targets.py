"""Signed lists with rows of any shape, as somebody may draft them: every sample by the office's own check,
every policy by the reader that a device has for it, and the archive in which they come on a stick."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.bundle import open_bundle, pack
from agent.duty.policies import parse_policy
from agent.wire import canonical
from agent.wire.disclosures import Disclosure, DisclosureKind, parse_disclosure
from kiosk.publishing.drafting import checked
from tests.fuzz.coverage import Target
from tests.kiosk.bench import SAMPLE, sample, sample_names

LISTS = ("/agent/duty/", "/agent/wire/", "/kiosk/")


def _policies() -> list[Path]:
    return sorted((SAMPLE / "policies").glob("*.json"))


def _with(document: Disclosure, judge: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """`document` with other rows, as its payload."""
    whole = canonical.decode(document.encode())

    def take(data: bytes) -> object:
        return judge(canonical.encode(whole | {"entries": canonical.decode(data)}))

    return take


def _rows(document: Disclosure) -> Callable[[], list[bytes]]:
    """Each row alone, of the longer ones the first."""
    return lambda: [canonical.encode([row]) for row in document.entries[:3]]


def _policy(path: Path) -> Disclosure:
    table = json.loads(path.read_text(encoding="utf-8"))
    kind = DisclosureKind(table["kind"])
    return replace(sample("notice"), kind=kind, audience=table["audience"], entries=tuple(table["entries"]))


def _bundle(data: bytes) -> object:
    found = open_bundle(io.BytesIO(data), len(data))
    return [found.document(name) for name in found.documents], found.content("a" * 64, 100)


def _read_policy(payload: bytes) -> object:
    return parse_policy(parse_disclosure(payload))


LIST_TARGETS = (
    Target("bundle", ("/agent/bundle.py",), _bundle,
           lambda: [pack({"notice.main": b"{}"}, {"a" * 64: b"x"})]),
    *(Target(f"list-{name}", LISTS, _with(sample(name), checked), _rows(sample(name)))
      for name in sample_names()),
    *(Target(f"policy-{path.stem}", LISTS, _with(_policy(path), _read_policy), _rows(_policy(path)))
      for path in _policies()),
)  # fmt: skip
"""As `targets.TARGETS`."""
