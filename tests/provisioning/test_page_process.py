"""The centre's page as a process over mutual TLS: who comes in with a certificate, and who does not."""

import http.client
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from provisioning.cli import app as provision
from provisioning.fleet.page_folders import BUNDLE, write_login_folder, write_page_folder
from tests.provisioning.district import TestDistrict, today
from tests.provisioning.review_office import TASK, ReviewOffice

DEADLINE_S = 60.0
AUDITOR, STRANGER = "示例-000051", "示例-000052"


class ServedPage:
    """`liuhen-center serve` over TLS on a free port."""

    def __init__(self, folder: Path, prepare: Callable[[ReviewOffice], list[str]] = lambda _: []) -> None:
        """`prepare` changes what is served, and gives further words of the command."""
        self.office = ReviewOffice(folder)
        more = prepare(self.office)
        self.folder, authority, now = folder, self.office.district.authority, today()
        write_page_folder(authority, ["localhost", "127.0.0.1"], self.office.center, now)
        for name in (AUDITOR, STRANGER):
            write_login_folder(authority, name, folder / f"login-{name}", now)
        config = self.office.center / "center.toml"
        lists = f'listen = "127.0.0.1:0"\ncertificate = "page.pem"\nkey = "page.key"\nauditors = ["{AUDITOR}"]\n'
        config.write_text(f"{config.read_text(encoding='utf-8')}\n[page]\n{lists}", encoding="utf-8")
        ready = folder / "ready"
        words = ["serve", "--config", config, "--recordings", self.office.recordings, "--ready-file", ready]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "provisioning.center.cli", *map(str, words), *more],
            stderr=subprocess.PIPE,
            text=True,
        )
        ends = time.monotonic() + DEADLINE_S
        while not ready.exists() and self.process.poll() is None and time.monotonic() < ends:
            time.sleep(0.05)
        assert ready.exists(), self.process.communicate()
        self.url = urlsplit(ready.read_text().strip())

    def ask(self, path: str, identity: Path | None = None, key: Path | None = None) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=str(self.office.root))
        if identity is not None:
            context.load_cert_chain(identity, key)
        connection = http.client.HTTPSConnection("127.0.0.1", self.url.port, context=context, timeout=DEADLINE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def login(self, name: str) -> tuple[Path, Path]:
        folder = self.folder / f"login-{name}"
        return folder / "login.pem", folder / "login.key"

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE_S)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    page = ServedPage(tmp_path_factory.mktemp("page"))
    yield page
    page.close()


def test_a_person_on_the_list_comes_in_with_a_certificate_and_has_that_role(served: ServedPage) -> None:
    assert served.url.scheme == "https"
    status, shown = served.ask(f"/review/{TASK}", *served.login(AUDITOR))
    assert (status, f"{AUDITOR}（审计）" in shown, "核对并下载" in shown) == (200, True, False)
    looks = (served.office.center / "looks.jsonl").read_bytes().splitlines()
    assert json.loads(looks[-1])["name"] == AUDITOR


def test_a_certificate_of_the_district_alone_opens_nothing(served: ServedPage) -> None:
    device = served.office.base / "REC-0001"
    assert served.ask("/", *served.login(STRANGER))[0] == 401
    assert served.ask("/", device / "tls.pem", device / "tls.key")[0] == 401
    assert served.ask("/")[0] == 401  # one-time links come in without any
    assert served.ask("/enter?k=x")[0] == 200


def test_a_signing_key_and_another_districts_key_do_not_even_connect(served: ServedPage, tmp_path: Path) -> None:
    key, chain = served.office.key_files("示例-000011")
    other = TestDistrict(tmp_path / "other", 8883)
    write_login_folder(other.authority, AUDITOR, tmp_path / "login", today())
    for identity in ((chain, key), (tmp_path / "login" / "login.pem", tmp_path / "login" / "login.key")):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            served.ask("/", *identity)


def test_the_bench_makes_both_certificates_once_and_the_password_is_shown_once(
    served: ServedPage, tmp_path: Path
) -> None:
    authority = ["--authority", str(served.office.district.authority.folder)]
    words = ["add-login", "示例-000053", *authority, "--out", str(tmp_path / "login"), "--json"]
    first, again = (json.loads(CliRunner().invoke(provision, words).stdout) for _ in range(2))
    assert (bool(first["password"]), again["password"], again["changed"]) == (True, "", False)
    assert (tmp_path / "login" / BUNDLE).stat().st_mode & 0o077 == 0
    assert first["password"] not in "".join(p.read_bytes().decode("latin-1") for p in (tmp_path / "login").iterdir())
