"""Papers on the officer's page: shown with their code, as PDF, and what the agent is asked to do with them and with the
time limits they meet. The page decides nothing: it asks as the command does and shows the answer."""

import asyncio
import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.adapters.qr_text import qr_picture
from agent.asking import ANSWER_S, ask
from agent.config import AgentConfig
from agent.duty.asks import STATE, What
from agent.errors import EnvironmentFault, OperatorFault
from agent.page.found import read_json
from agent.page.found_duty import MAX_DUTY_BYTES

FOLDER, SUFFIX = "papers", ".json"  # as in agent.duty.papers, which loads much more
NAME = re.compile(r"(document|receipt|confirmation|key-content)-[0-9]{6,9}")
MAX_PAPER_BYTES = 1024 * 1024
RECEIPT = "receipt"
WORDS = {"document": "文书", RECEIPT: "回执", "confirmation": "当事人确认", "key-content": "关键内容说明"}
PDF_S, PRINT_S = 60.0, 60.0  # ours: a Pi reads a font in seconds; a printer may just be switched on


@dataclass(frozen=True)
class PaperRow:
    """A paper in the list: where it is shown, what it is, what became of it."""

    name: str
    title: str
    number: str
    state: str
    task: str = ""


@dataclass(frozen=True)
class ShownPaper:
    """A paper on its own page; `picture` is the QR code as a `data:` address, empty without one."""

    name: str
    kind: str
    title: str
    number: str
    lines: tuple[str, ...]
    digest: str
    picture: str
    prints: int = 0
    served: str = ""


@dataclass(frozen=True)
class ShownCode:
    """An officer's code as a picture, and until when it is good (Beijing)."""

    certificate: str
    picture: str
    until: str


class PaperDrawer:
    """The papers of one device."""

    def __init__(self, config_path: Path, config: AgentConfig) -> None:
        self._config_path, self._state = config_path, config.state_dir

    def rows(self, task: str = "", *, everything: bool = True) -> list[PaperRow]:
        """Those of `task`, or of all the last tasks where there is none in hand or `everything` is wanted; the newest
        first."""
        rows = [_row(it) for it in self._notes()]
        own = [row for row in rows if everything or not task or row.task == task]
        return [row for row in reversed(own) if NAME.fullmatch(row.name)]

    def _notes(self) -> list[dict[str, Any]]:
        told = read_json(self._state / STATE, MAX_DUTY_BYTES)
        found = told.get("papers") if isinstance(told, dict) else None
        return [it for it in found if isinstance(it, dict)] if isinstance(found, list) else []

    def paper(self, name: str) -> ShownPaper | None:
        """The paper in file `name`, None where there is none that can be read."""
        told = read_json(self._state / FOLDER / f"{name}{SUFFIX}", MAX_PAPER_BYTES) if NAME.fullmatch(name) else None
        if not isinstance(told, dict):
            return None
        names = ("kind", "title", "number", "text", "code")
        kind, title, number, text, code = (str(told.get(key, "")) for key in names)
        digest = hashlib.sha256(text.encode()).hexdigest()
        picture = qr_picture(code) if code else ""
        note = next((it for it in self._notes() if it.get("name") == name), {})
        prints, served = note.get("prints"), str(note.get("served", ""))
        lines, words = tuple(text.split("\n")), WORDS.get(kind, "")
        return ShownPaper(
            name, words, title, number, lines, digest, picture, prints if isinstance(prints, int) else 0, served
        )

    async def pdf(self, name: str) -> bytes:
        """The paper as PDF, written by a child: a Chinese font is larger than this process. Raises `OperatorFault` or
        `EnvironmentFault` with its words."""
        pipe = asyncio.subprocess.PIPE
        words = (sys.executable, "-m", "agent.page.paper_child", str(self._config_path), name)
        child = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe)
        try:
            answer, complaint = await asyncio.wait_for(child.communicate(), PDF_S)
        except TimeoutError:
            raise EnvironmentFault("PDF 一直没有写完。请改用打印，或请技术员检查。") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode in (OperatorFault.exit_code, EnvironmentFault.exit_code):
            raise EnvironmentFault(complaint.decode("utf-8", "replace").strip()[:200])
        if child.returncode:
            raise EnvironmentFault("PDF 没有写成。请改用打印，或请技术员检查。")
        return answer

    async def asked(self, what: What, wait_s: float = ANSWER_S, **values: str) -> str:
        """Ask the agent; its answer in words. Raises `OperatorFault` for a refusal, with its reason, `EnvironmentFault`
        when nobody answers."""
        return str((await self.answered(what, wait_s, **values)).get("text", ""))

    async def answered(self, what: What, wait_s: float = ANSWER_S, **values: str) -> dict[str, Any]:
        """As `asked`, with all that the agent says."""
        return await asyncio.to_thread(ask, self._state, what, values, wait_s)

    async def code(self, certificate: str) -> ShownCode:
        """Have an officer's code signed, good for some minutes. Raises as `asked`."""
        told = await self.answered(What.SHOW_IDENTITY, certificate=certificate)
        return ShownCode(str(told.get("certificate", "")), qr_picture(str(told["code"])), str(told.get("until", "")))


def _row(told: dict[str, Any]) -> PaperRow:
    prints = told.get("prints")
    printed = f"已打印 {prints} 次" if isinstance(prints, int) and prints else "未打印"
    newer = f"已由 {told['replaced_by']} 更正" if told.get("replaced_by") else ""
    state = " · ".join(filter(None, (newer, str(told.get("served", "")), printed)))
    name, title, number, task = (str(told.get(key, "")) for key in ("name", "title", "number", "task"))
    return PaperRow(name, title, number, state, task)
