"""The arrows of the house and the purity of its pure rooms, read from the source itself with nothing but `ast`."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agent", "kiosk", "firmware_hooks", "provisioning")

STANDALONE = (
    "agent.evidence.standalone"  # travels beside recordings: knows nothing of ours, and nothing of ours knows it
)
GROUND_FLOOR = {  # what every role may use
    "agent.errors", "agent.durable", "agent.clock", "agent.key_files", "agent.log", "agent.command", "agent.settings",
    "agent.systemd_notify",
    "agent.cli_frame",
    "agent.nagle", "agent.tls", "agent.object_store", "agent.bundle", "agent.web", "agent.cable", "agent.stick",
    "agent.chinese_pdf",
}  # fmt: skip

# room: what of ours it may import besides itself. The longest matching room of a module counts.
ARROWS = {
    "agent.errors": set(),
    "agent.durable": {"agent.errors"},
    "agent.key_files": {"agent.errors", "agent.wire"},
    "agent.clock": {"agent.wire"},
    "agent.log": set(),
    "agent.command": {"agent.errors", "agent.log"},
    "agent.cli_frame": {"agent.command", "agent.errors"},
    "agent.settings": {"agent.errors"},
    "agent.tls": {"agent.errors", "agent.key_files"},
    "agent.object_store": {"agent.errors", "agent.settings"},
    "agent.cable": {"agent.errors", "agent.wire"},
    "agent.chinese_pdf": {"agent.errors"},
    "agent.stick": {"agent.durable", "agent.errors"},
    "agent.bundle": {"agent.errors", "agent.wire"},
    "agent.web": {"agent.errors", "agent.durable"},
    "agent.wire": {"agent.errors"},
    "agent.evidence": {"agent.wire", "agent.errors"},
    STANDALONE: set(),
    "agent.duty": {"agent.wire", "agent.errors"},
    "agent.control": {"agent.wire", "agent.evidence", "agent.duty", "agent.errors"},
    "agent.adapters": {"agent"},
    "agent.page": {
        "agent.adapters.paper_folder",
        "agent.adapters.paper_pdf",
        "agent.adapters.qr_text",
        "agent.adapters.thumbnails",
        "agent.asking",
        "agent.duty.asks",
        "agent.config",
        "agent.evidence",
        "agent.markup",
        "agent.verify_files",
        "agent.wire",
        *GROUND_FLOOR,
    },
    "agent": {"agent"},
    "kiosk": {"agent.wire", "agent.duty", *GROUND_FLOOR},
    "firmware_hooks": set(),
    "provisioning": {
        "agent.wire",
        "agent.evidence",
        "agent.duty",
        "agent.config",
        "agent.key_places",
        "agent.markup",
        *GROUND_FLOOR,
    },
    "provisioning.center.grounds": {
        "agent.adapters.time_stamp_tokens",  # tokens are read at the centre as liuhen-verify reads them
        "agent.errors",
        "agent.evidence",
        "agent.wire",
        "provisioning",
    },
}
FIRMWARE_DOORS = {  # the files of the agent that may import firmware_hooks: one for each courier
    "agent.adapters.hook_courier", "agent.adapters.hook_gnss", "agent.adapters.hook_card", "agent.adapters.hook_panel",
    "agent.adapters.health_courier", "agent.adapters.hook_printer",
}  # fmt: skip

PURE = (
    "agent.wire", "agent.evidence", "agent.duty", "agent.control",
    "agent.page.lockout", "agent.page.view", "agent.web.gate", "agent.web.sessions", "agent.web.forms",
    "kiosk.board", "kiosk.gate", "kiosk.page", "kiosk.lists", "kiosk.proof", "kiosk.shelf", "kiosk.identity",
    "kiosk.asked", "kiosk.away_page", "kiosk.complaining", "kiosk.display_record", "kiosk.display_spans",
    "kiosk.guide", "kiosk.hours", "kiosk.people",
    "kiosk.states", "kiosk.switches",
    "kiosk.publishing.drafting", "kiosk.publishing.countersign", "kiosk.publishing.importing",
    "provisioning.center.access", "provisioning.center.broker_config", "provisioning.center.emqx_config",
    "provisioning.center.intake",
    "provisioning.center.publications", "provisioning.center.receipt_desk", "provisioning.center.summary",
    "provisioning.center.page.door", "provisioning.center.page.view", "provisioning.center.page.plots",
    "provisioning.center.page.ranges", "provisioning.center.page.film_view", "provisioning.center.page.act_forms",
    "provisioning.center.review_papers",
    "provisioning.center.schema", "provisioning.center.shard",
    "provisioning.center.review_page", "provisioning.center.report_plots", "provisioning.center.ledger_page",
    "provisioning.contract.schemas", "provisioning.contract.asyncapi", "provisioning.fleet.orders",
    "provisioning.fleet.states", "provisioning.authority.audit_chain", "provisioning.fleet.card_files",
    "provisioning.fleet.partitions",
)  # fmt: skip
PURE_STDLIB = {
    "__future__", "abc", "base64", "binascii", "bisect", "calendar", "collections", "dataclasses",
    "datetime", "enum", "functools", "html",
    "hashlib", "heapq", "hmac", "io", "itertools", "json", "math", "operator", "re", "string", "struct", "types",
    "typing", "unicodedata", "uuid", "difflib", "zlib",
}  # fmt: skip
PURE_NAMES = {
    "pathlib.PurePosixPath",
    "urllib.parse.parse_qs",
}  # what else a pure file may take from a module that is not pure
PURE_LIBRARIES = {
    "agent.wire": {"cryptography", "cbor2", "orjson"},
    "agent.evidence": {"cryptography", "cbor2"},
    "kiosk.page": {"jinja2", "markupsafe"},
    "kiosk.display_record": {"cryptography"},
}
IMPURE_CALLS = {"open", "input", "print", "exec", "eval"}
IMPURE_ATTRIBUTES = {"now", "utcnow", "today", "uuid1", "uuid4", "getrandom", "urandom"}

# A library outside this table may be imported by one file of a package only.
SHARED_LIBRARIES = {"cryptography", "cbor2", "typer", "rich"}
COMMAND_LIBRARIES = {"typer", "rich"}
LOADS_A_CERTIFICATE = ("load_der_x509_certificate", "load_pem_x509_certificate")


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from agent import durable` means agent.durable, `from agent.clock import Clock` means agent.clock.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inside(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def room_of(module: str) -> str:
    return max((room for room in ARROWS if inside(module, room)), key=len)


def wrong_arrows(module: str, source: str) -> list[str]:
    room = room_of(module)
    allowed = {*ARROWS[room], room} | ({"firmware_hooks"} if module in FIRMWARE_DOORS else set())
    return [
        f"{module} imports {name}"
        for name in imports(ast.parse(source))
        if name.split(".")[0] in (*PACKAGES, "tests") and not any(inside(name, place) for place in allowed)
    ]


def impurities(module: str, source: str) -> list[str]:
    room = next((room for room in PURE if inside(module, room)), None)
    if room is None or inside(module, STANDALONE):
        return []
    found = []
    tree = ast.parse(source)
    for name in imports(tree):
        top = name.split(".")[0]
        if top not in PACKAGES and name not in PURE_NAMES and top not in PURE_STDLIB | PURE_LIBRARIES.get(room, set()):
            found.append(f"{module} imports {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in IMPURE_CALLS:
                found.append(f"{module}:{node.lineno} calls {called.id}()")
            if isinstance(called, ast.Attribute) and called.attr in IMPURE_ATTRIBUTES:
                found.append(f"{module}:{node.lineno} calls .{called.attr}()")
    return found


def library_files() -> dict[tuple[str, str], set[str]]:
    files: dict[tuple[str, str], set[str]] = {}
    for module, path in modules():
        for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            top = name.split(".")[0]
            if top not in PACKAGES and top not in sys.stdlib_module_names:
                files.setdefault((module.split(".")[0], top), set()).add(module)
    return files


def test_every_arrow_is_one_the_design_draws() -> None:
    assert [line for module, path in modules() for line in wrong_arrows(module, path.read_text(encoding="utf-8"))] == []


def test_pure_rooms_do_no_io() -> None:
    assert [line for module, path in modules() for line in impurities(module, path.read_text(encoding="utf-8"))] == []


def test_the_standalone_verifier_needs_two_libraries_and_is_imported_by_nobody() -> None:
    own = {name.split(".")[0] for module, path in modules() if inside(module, STANDALONE)
           for name in imports(ast.parse(path.read_text(encoding="utf-8")))}  # fmt: skip
    assert own - sys.stdlib_module_names == {"cryptography", "cbor2"}
    users = [module for module, path in modules() for name in imports(ast.parse(path.read_text(encoding="utf-8")))
             if inside(name, STANDALONE)]  # fmt: skip
    assert users == []


def test_a_third_party_library_has_one_door_in_each_package() -> None:
    doors = {key: sorted(files) for key, files in library_files().items() if key[1] not in SHARED_LIBRARIES}
    assert {key: files for key, files in doors.items() if len(files) > 1} == {}


def certificate_doors() -> set[str]:
    """The modules that hand bytes to the library's certificate parser, whose exceptions have no common root."""
    return {
        module
        for module, path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.alias)
        and (node.attr if isinstance(node, ast.Attribute) else node.name).startswith(LOADS_A_CERTIFICATE)
    }


def test_certificates_are_parsed_behind_one_door() -> None:
    assert {module for module in certificate_doors() if not inside(module, STANDALONE)} == {"agent.wire.signing"}


def test_every_exception_is_caught_where_one_recording_or_message_must_not_stop_the_rest_only() -> None:
    found = {
        module
        for module, path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name) and node.type.id == "Exception"
    }
    assert found == {"agent.adapters.spool_recovery", "provisioning.center.mqtt"}


def test_terminals_are_written_by_command_files_only() -> None:
    users = {file for (_, library), files in library_files().items() if library in COMMAND_LIBRARIES for file in files}
    assert {file for file in users if not file.endswith(("cli", "cli_frame", "terminal"))} == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("agent.wire.topics", "from agent.control import controller"),
        ("agent.control.controller", "import agent.adapters.database"),
        ("agent.evidence.verify", "from agent.clock import Clock"),
        ("agent.adapters.database", "import firmware_hooks"),
        ("kiosk.feed", "from agent.adapters.database import Database"),
        ("kiosk.server", "import agent.config"),
        ("provisioning.cli", "import kiosk"),
        ("firmware_hooks.frames", "from agent.wire import topics"),
        ("agent.app", "import provisioning"),
        ("agent.page.pages", "from agent.adapters.database import open_database"),
        ("agent.app", "from tests.support import broker"),
    ],
)
def test_an_injected_wrong_arrow_is_caught(module: str, source: str) -> None:
    assert wrong_arrows(module, source) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("agent.control.controller", "import threading"),
        ("agent.wire.envelope", "import os"),
        ("agent.evidence.verify", "def f(path):\n    return open(path)"),
        ("agent.duty.roster", "import datetime\ndef f():\n    return datetime.datetime.now()"),
        ("agent.evidence.manifest", "import uuid\nlabel = uuid.uuid4()"),
        ("agent.wire.topics", "import logging"),
        ("agent.control.outbox", "import sqlite3"),
        ("kiosk.board", "import starlette"),
        ("agent.page.lockout", "import time"),
        ("kiosk.shelf", "from pathlib import Path"),
        ("provisioning.center.broker_config", "from pathlib import Path"),
        ("provisioning.center.intake", "import sqlalchemy"),
    ],
)
def test_an_injected_impurity_is_caught(module: str, source: str) -> None:
    assert impurities(module, source) != []
