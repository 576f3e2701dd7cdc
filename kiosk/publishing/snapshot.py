"""The pages of a kiosk as files: a real kiosk is started on loopback, asked for every page, and ended.

So a preview and a portal cannot differ from what a hall shows: it is the same program that judged the same signed
documents. What only works in a hall (complaints, search, staff) leads to a page that says so.
"""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
START_S, PAGE_S, STOP_S = 30.0, 10.0, 10.0  # ours
MAX_PAGES = 20_000  # ours: pages, pictures and codes of a district
FIRST = "/board"
IN_HALL = "in-hall.html"
ONLY_IN_HALL = re.compile(r"/(?:complain|search|staff|code|receipt|matter|mode|reset|events|painted|looked|healthz)\b")
SCRIPT = re.compile(r"<script\b[^>]*>.*?</script>", re.DOTALL)
LIVE = re.compile(
    r' (?:data-idle|data-generation)="[^"]*"|<p class="lost".*?</p>|<div class="idle".*?</div>', re.DOTALL
)
FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
NO_FORM = '<p class="lead">按姓名或编号查询，请使用大厅的公示屏；全部内容列在下面。</p>'  # a file answers no question
LINK = re.compile(r'(?<=\s)(href|src|action)="(/[^"]*)"')
NOTE = (
    '<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>请到大厅办理</title>'
    '<link rel="stylesheet" href="static/kiosk.css"><main><h1>请到大厅办理</h1>'
    '<p>此项服务在政务服务大厅的公示屏上办理。</p><p><a href="index.html">返回</a></p></main></html>'
)


@dataclass(frozen=True)
class Hall:
    """What the kiosk is told about itself: `district` and `audience` as in topics, `name` and `phone` as shown."""

    district: str
    audience: str
    name: str
    phone: str


@dataclass(frozen=True)
class Shelves:
    """What the kiosk is given: root and trust list, sealed documents by `kind.id`, files by hash."""

    root: bytes
    trust_list: bytes
    documents: Mapping[str, bytes]
    content: Mapping[str, bytes]


def lay_out(folder: Path, hall: Hall, shelves: Shelves) -> Path:
    """A kiosk's folder; returns the path of its `kiosk.toml`."""
    state = durable.make_directory(folder / "state")
    durable.write_bytes(folder / "root.pem", shelves.root)
    durable.write_bytes(folder / "trust.dsse", shelves.trust_list)
    for name, envelope in shelves.documents.items():
        durable.write_bytes(durable.make_directory(state / "disclosed") / f"{name}.dsse", envelope)
    for sha256, content in shelves.content.items():
        durable.write_bytes(durable.make_directory(state / "content") / sha256, content)
    values = {
        "district": hall.district, "device": "KSK-0000", "hall": hall.name, "audience": hall.audience,
        "listen": "127.0.0.1:0", "disclosed": "state/disclosed", "root": "root.pem", "trust_list": "trust.dsse",
        "complaint_phone": hall.phone,
    }  # fmt: skip
    lines = "".join(f'{key} = "{_toml(value)}"\n' for key, value in values.items())
    return durable.write_bytes(folder / "kiosk.toml", lines.encode())


def static_pages(config: Path) -> dict[str, bytes]:
    """Every page of the kiosk of `config` as files by name, linked among themselves; raises `EnvironmentFault`."""
    with _kiosk(config) as base:
        found = _crawl(base)
    known = {_file_name(path) for path in found}
    files = {
        _file_name(path): _rewritten(body, known) if kind == "text/html" else body
        for path, (kind, body) in found.items()
    }
    return {**files, "index.html": files[_file_name(FIRST)], IN_HALL: NOTE.encode()}


@contextmanager
def _kiosk(config: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "kiosk", "serve", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line.startswith("listening "):
            process.terminate()
            _, errors = process.communicate(timeout=STOP_S)
            raise EnvironmentFault(f"预览用的公示屏没有启动：{errors.strip()[-200:]}")
        base = line.split()[1].rstrip("/")
        _check_trusted(base)
        yield base
    finally:
        process.terminate()
        process.communicate(timeout=STOP_S)


def _check_trusted(base: str) -> None:
    """A kiosk that can verify nothing serves a page that says so, and that is no preview."""
    try:
        with OPENER.open(f"{base}/healthz", timeout=PAGE_S) as answer:
            trusted = json.loads(answer.read())["trusted"]
    except (OSError, ValueError, KeyError) as error:
        raise EnvironmentFault(f"预览用的公示屏没有回答（{error}）。请重试。") from error
    if not trusted:
        raise OperatorFault("信任清单或根证书无法采信，不能预览，也不能导出。请换上本区最新的 root.pem 与 trust.dsse。")


def _crawl(base: str) -> dict[str, tuple[str, bytes]]:
    waiting, found = [FIRST], dict[str, tuple[str, bytes]]()
    while waiting and len(found) < MAX_PAGES:
        path = waiting.pop()
        if path in found or ONLY_IN_HALL.match(path):
            continue
        try:
            with OPENER.open(base + path, timeout=PAGE_S) as answer:
                found[path] = answer.headers.get_content_type(), answer.read()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != HTTPStatus.NOT_FOUND:
                raise EnvironmentFault(
                    f"公示屏的页面 {unquote(path)} 没有生成（{error}），没有写出。请重试。"
                ) from error
            continue  # such a page has no file; links to it lead to the note
        except OSError as error:
            raise EnvironmentFault(f"预览用的公示屏没有回答（{error}）。请重试。") from error
        kind, body = found[path]
        if kind == "text/html":
            waiting += [_plain(link) for _, link in LINK.findall(body.decode())]
        elif kind == "text/css":
            waiting += [urljoin(path, link) for link in re.findall(r'url\("?([^":)]+)"?\)', body.decode())]
    if any(path not in found and not ONLY_IN_HALL.match(path) for path in waiting):
        raise OperatorFault(f"页面超过 {MAX_PAGES} 个，没有写出。请按部门分开发布（--audience）。")
    return found


def _rewritten(body: bytes, known: Container[str]) -> bytes:
    text = FORM.sub(NO_FORM, LIVE.sub("", SCRIPT.sub("", body.decode())))
    return LINK.sub(lambda link: f'{link[1]}="{_target(link[2], known)}"', text).encode()


def _target(link: str, known: Container[str]) -> str:
    name = _file_name(_plain(link))
    return quote(name) if name in known else IN_HALL


def _plain(link: str) -> str:
    return urlsplit(link.replace("&amp;", "&")).path


def _file_name(path: str) -> str:
    """`/board` is `board.html`, `/w/03` `w-03.html`; what has a suffix, or is content, keeps its place."""
    plain = unquote(path).lstrip("/") or "board"
    if plain.startswith(("static/", "content/")):
        return plain
    return re.sub(r"[^\w.-]", "-", plain) + ".html"


def _toml(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")
