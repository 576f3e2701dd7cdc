"""A state folder with recordings, and a real officer's page over it."""

import hashlib
import http.client
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

from agent.evidence.journal import Reason
from agent.evidence.sidecars import journal_lines, sha256sums, sign_sums
from agent.page.pin import PinFile
from agent.wire.envelope import seal
from agent.wire.identifiers import Digest, District
from agent.wire.signing import KeySigner
from agent.wire.trust import TRUST_TYPE, trust_list
from tests.agent.evidence.bench import NOW, Authority, Bench, private_key
from tests.support.device import agent_toml

PIN, WRONG = "280417", "280418"
MORE = '[duty]\nsensors = "none"\n[page]\nlisten = "127.0.0.1:0"\n'


def device_folder(folder: Path, authority: Authority, recordings: int = 2) -> Path:
    """A device folder with sealed recordings of today's bench; returns its agent.toml."""
    folder.mkdir()
    (folder / "root.pem").write_bytes(authority.root_pem)
    for name in ("evidence.key", "evidence.pem", "tls.key", "tls.pem"):
        (folder / name).write_bytes(b"not read by the page")
    trust = trust_list(District("xinghe"), 1, NOW, [])
    (folder / "trust.dsse").write_bytes(seal(TRUST_TYPE, trust.encode(), [KeySigner(private_key("root xinghe"))]))
    config = folder / "agent.toml"
    config.write_text(agent_toml("REC-0001", 8883, more=MORE))
    for number in range(1, recordings + 1):
        bench = Bench(authority.signer(), number=number)
        write_recording(folder / "state" / "recordings" / f"REC-0001-R{number:06d}", bench)
    PinFile(folder / "state" / "page").set(PIN)
    return config


def write_recording(folder: Path, bench: Bench) -> None:
    folder.mkdir(parents=True)
    files = {"segment-0001.mp4": bench.sealed(Reason.STOPPED)}
    files["journal.jsonl"] = journal_lines(bench.records)
    files["SHA256SUMS"] = sha256sums({name: Digest(hashlib.sha256(data).hexdigest()) for name, data in files.items()})
    files["SHA256SUMS.p7s"] = sign_sums(files["SHA256SUMS"], bench.signer)
    for name, data in files.items():
        (folder / name).write_bytes(data)


class RunningPage:
    """`with RunningPage(config) as page`: started, announced, ended by SIGTERM."""

    def __init__(self, config: Path) -> None:
        self.config, self.cookie = config, ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "agent", "page", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("listening http://127.0.0.1:"):
            self.process.kill()
            raise AssertionError(self.process.communicate())
        self.url = line.split()[1]
        self.host = self.url.split("/")[2]
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> tuple[int, str]:
        """Exit code and stderr."""
        if self.process.poll() is None:
            self.process.terminate()
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors

    def ask(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """One request, with the session's cookie; `headers` with underscores; `host=` replaces ours."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        given = {"Host": self.host, "Cookie": self.cookie}
        if method == "POST":
            given |= {"Origin": f"http://{self.host}", "Content-Type": "application/x-www-form-urlencoded"}
        given |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, {name: value for name, value in given.items() if value})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def enter(self, pin: str = PIN, **headers: str) -> int:
        """Show the PIN; keeps the cookie. Returns the status."""
        status, answer, _ = self.ask("/login", "POST", urlencode({"pin": pin}), **headers)
        if status == 303:
            self.cookie = str(answer["Set-Cookie"]).partition(";")[0]
        return status

    def text(self, path: str = "/") -> str:
        return self.ask(path)[2].decode()

    def figures(self) -> dict[str, int]:
        """VmRSS and VmHWM in kB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}


def verdicts(config: Path) -> dict[str, str]:
    """What the page has kept, by recording."""
    kept = config.parent.glob("state/page/*.json")
    return {it.stem: json.loads(it.read_bytes())["told"]["chinese"] for it in kept if it.stem.startswith("REC-")}
