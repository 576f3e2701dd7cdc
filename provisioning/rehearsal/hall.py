"""The service hall's scenes: the kiosk opens with signed disclosures; a correction changes the open page by itself."""

import http.client
import json
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from agent.errors import EnvironmentFault
from provisioning.rehearsal.district import KIOSK, SAMPLE
from provisioning.rehearsal.processes import command, wait_until
from provisioning.rehearsal.stage import SIGNERS, START_SECONDS, Stage

BOARD, CORRECTION = "window-board.json", "window-board-correction.json"
SCREEN, SUSPENDED = "kiosk", "暂停服务"
CHANGE_SECONDS = 15.0
POLICIES, ANYWHERE = SAMPLE / "policies", ("recording-list.json", "personnel-list.json")


def open_hall(stage: Stage) -> None:
    """Start the kiosk's two processes, publish the sample documents and wait until the board shows them."""
    tell, folder = stage.tell, stage.district.device(KIOSK)
    tell.chapter("星河区政务服务大厅开门", "the hall opens: an office publishes, the kiosk shows")
    stage.start_agent(KIOSK)
    ready = folder / "kiosk.url"
    screen = stage.start(
        SCREEN, command("liuhen-kiosk"), "serve", "--config", folder / "kiosk.toml", "--ready-file", ready
    )
    stage.findings.kiosk_url = wait_until("公示屏就绪", lambda: _text(ready), START_SECONDS, [screen])
    documents = [path for path in sorted(SAMPLE.glob("*.json")) if path.name != CORRECTION]
    documents += sorted(POLICIES.glob("*.json"))
    stage.found_office()
    with tell.progress("编辑、审核、发布 publishing", len(documents)) as bar:
        stage.publish(*documents)
        bar.at(len(documents))
    tell.say(f"{len(documents)} 份公示和执法规则由 {SIGNERS} 两人签名发布", "two signatures each, by two people")
    staff = _staff(BOARD)
    roles = [stage.roles[KIOSK], screen]
    wait_until("公示屏显示窗口", lambda: shows(stage, "/board", set(staff.values())), START_SECONDS, roles)
    tell.say(f"公示屏 {stage.findings.kiosk_url} 显示 {len(staff)} 个窗口的人员", "open it in a browser")


def wait_for_policies(stage: Stage, device: str) -> None:
    """Until a recorder has what it must follow; what has come by then is frozen into its next recording."""
    names = [_name(path) for path in [*POLICIES.glob("*.json"), *(SAMPLE / name for name in ANYWHERE)]]
    folder = stage.district.device(device) / "state" / "disclosed"
    wait_until(
        f"{device} 收到执法规则",
        lambda: all((folder / f"{name}.dsse").exists() for name in names),
        START_SECONDS,
        [stage.roles[device]],
    )


def correct(stage: Stage) -> None:
    """Publish a correction while a page is open; the page is told and shows it."""
    stage.tell.chapter("发布更正，打开的页面自行更新", "a signed correction changes the open page by itself")
    window, name = next(iter(_staff(CORRECTION).items() - _staff(BOARD).items()))
    with closing(_connect(stage, CHANGE_SECONDS)) as page:
        page.request("GET", "/events")
        events = page.getresponse()
        shown = _next_generation(events)
        stage.publish(SAMPLE / CORRECTION)
        told = _next_generation(events)
    stage.findings.expect(told not in ("", shown), "更正发布后，打开的页面没有收到通知")
    wait_until("更正上屏", lambda: shows(stage, f"/w/{window}", {name}), CHANGE_SECONDS, [stage.roles[SCREEN]])
    stage.tell.say(f"{window} 号窗口已换为 {name}", "the page shows who serves now")


def _next_generation(events: http.client.HTTPResponse) -> str:
    """The name of the shown content that the stream tells next; empty when it tells none within the time-out."""
    try:
        while line := events.readline():
            if line.startswith(b"data:"):
                return line.decode("ascii")
    except TimeoutError:
        pass
    return ""


def shows(stage: Stage, path: str, words: set[str]) -> bool:
    """Whether the page at `path` contains every word."""
    with closing(_connect(stage, CHANGE_SECONDS)) as connection:
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            page = response.read().decode("utf-8")
        except OSError as error:
            raise EnvironmentFault(f"公示屏没有应答（{error}）。请查看日志 kiosk.log。") from error
    return response.status == http.HTTPStatus.OK and all(word in page for word in words)


def _connect(stage: Stage, seconds: float) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(stage.findings.kiosk_url).netloc, timeout=seconds)


def _staff(document: str) -> dict[str, str]:
    """Who sits at which open window."""
    entries = json.loads((SAMPLE / document).read_text(encoding="utf-8"))["entries"]
    return {entry["窗口"]: entry["姓名"] for entry in entries if entry["状态"] != SUSPENDED}


def _name(path: Path) -> str:
    document = json.loads(path.read_text(encoding="utf-8"))
    return f"{document['kind']}.{document['id']}"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.exists() else None
