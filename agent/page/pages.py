"""The HTML of the officer's page, from what stands on the disk at that moment."""

from pathlib import Path

from agent.clock import Clock
from agent.config import AgentConfig
from agent.markup import templates
from agent.page.background import Background
from agent.page.found import FoundRecording
from agent.page.found_duty import read_duty
from agent.page.paper_pages import PaperDrawer, ShownCode
from agent.page.view import Row, check_lines, of_today, rows
from agent.wire.instant import BEIJING, TimeState

TEMPLATES = Path(__file__).with_name("templates")
DUTY = "duty.json"


class Pages:
    """Reads on every request; a few recordings a day are soon read."""

    def __init__(self, config: AgentConfig, background: Background, clock: Clock, drawer: PaperDrawer) -> None:
        self._config, self._background, self._clock, self._drawer = config, background, clock, drawer
        self._templates = templates(TEMPLATES)

    def board(self, *, everything: bool) -> str:
        """The list of today, or of all days."""
        found = self._background.recordings()
        shown = found if everything else of_today(found, self._clock.read().wall)
        duty = read_duty(self._config.state_dir / DUTY)
        return self._render(
            "board.html",
            "全部录制" if everything else "今日录制",
            rows=self._rows(shown),
            older=len(found) - len(shown),
            everything=everything,
            duty=duty,
            papers=self._drawer.rows(duty.number, everything=everything),
            check=check_lines(self._background.check),
            status=self._background.status,
        )

    def recording(self, recording: str) -> str | None:
        """One recording with its films; None when it is not there."""
        row = self.row(recording)
        duty = read_duty(self._config.state_dir / DUTY)
        return None if row is None else self._render("recording.html", row.number, row=row, duty=duty)

    def paper(self, name: str) -> str | None:
        """One paper with its code; None when it is not there."""
        paper = self._drawer.paper(name)
        return None if paper is None else self._render("paper.html", paper.number, paper=paper)

    def identity(self, code: ShownCode) -> str:
        """An officer's code, large, with the moment of its end."""
        return self._render("identity.html", "亮证", code=code)

    def segments(self, recording: str) -> tuple[str, ...]:
        """The films of a recording that may be played."""
        row = self.row(recording)
        return () if row is None else row.segments

    def has_picture(self, recording: str) -> bool:
        """Whether there is a picture of it."""
        row = self.row(recording)
        return row is not None and row.picture and self._background.picture(row.recording).is_file()

    def login(self, complaint: str, wait_s: int) -> str:
        """The form for the PIN; with `wait_s` there is none."""
        return self._render("login.html", "请输入 PIN", complaint=complaint, wait_s=wait_s)

    def message(self, text: str) -> str:
        """A page that only says something."""
        return self._render("message.html", "提示", text=text)

    def row(self, recording: str) -> Row | None:
        """One recording as it is shown; None when it is not there."""
        found = [it for it in self._background.recordings() if it.recording == recording]
        return self._rows(found)[0] if found else None

    def _rows(self, found: list[FoundRecording]) -> list[Row]:
        return rows(found, self._background.told(found), read_duty(self._config.state_dir / DUTY))

    def _render(self, name: str, title: str, **values: object) -> str:
        now = self._clock.read()
        clock = f"{now.wall.astimezone(BEIJING):%m-%d %H:%M}{'＊' if now.state is TimeState.UNSET else ''}"
        words = {"title": title, "device": self._config.device, "clock": clock, **values}
        return self._templates.get_template(name).render(**words)
