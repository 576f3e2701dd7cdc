"""What holds for every test: none depends on how fast the machine is, and one that fails shows what was logged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

LOG_END = 4_000  # characters of each log
LONGEST_NAME = 100  # characters; what is longer is a key or an envelope, another one in each worker

# Started first, because they take longest: at the end one of them would keep one worker busy and the others waiting.
LONGEST = (
    "tests/scenarios/test_rehearsal.py",
    "tests/scenarios/",
    "tests/agent/adapters/test_spool.py",
    "tests/agent/page/",
    "tests/provisioning/test_end_to_end.py",
    "tests/agent/test_",
)

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_NAME else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((rank for rank, head in enumerate(LONGEST) if item.nodeid.startswith(head)), 99))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        for folder in {it for it in getattr(item, "funcargs", {}).values() if isinstance(it, Path) and it.is_dir()}:
            for log in sorted(folder.rglob("*.log")):
                report.sections.append((str(log.relative_to(folder)), log.read_text(errors="replace")[-LOG_END:]))
    return report
