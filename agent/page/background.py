"""What the page has done beside serving: recordings verified once, the self-check asked now and then. Each in a child
that ends, one at a time, and never while the device records."""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent import durable
from agent.clock import Clock
from agent.config import RECORDINGS, AgentConfig
from agent.errors import EnvironmentFault, OperatorFault
from agent.page.found import FoundRecording, Standing, find_recordings
from agent.page.view import not_examined, status_lines
from agent.wire import canonical
from agent.wire.identifiers import RecordingId

ROUND_S = 5.0  # ours: how often the folder is looked at
CHECK_S = 60.0  # ours: how old a self-check may be while somebody looks
LONGEST_CHILD_S = 3600.0  # ours; a day of film is read within
MAX_ANSWER_BYTES = 64 * 1024

logger = logging.getLogger(__name__)


class Background:
    """The findings so far, and the task `run` that makes more. `folder` is its cache, which can be lost."""

    def __init__(self, config_path: Path, config: AgentConfig, folder: Path, clock: Clock) -> None:
        self._config_path, self._folder, self._clock = config_path, folder, clock
        self._recordings = config.state_dir / RECORDINGS
        self._told: dict[RecordingId, tuple[str, Mapping[str, Any]]] = {}
        self.check: Any = None
        self.status: list[str] = []
        self._checked_ns: int | None = None
        self._looked = asyncio.Event()

    def recordings(self) -> list[FoundRecording]:
        """What stands on the disk now, the newest first. Somebody looks: the self-check is made anew if it is old."""
        self._looked.set()
        return find_recordings(self._recordings, self._clock.read().wall)

    def told(self, found: Sequence[FoundRecording]) -> dict[RecordingId, Mapping[str, Any]]:
        """The verdicts on those of `found` that were examined as they are now."""
        kept = {it.recording: self._verdict(it) for it in found}
        return {recording: told for recording, told in kept.items() if told is not None}

    def picture(self, recording: RecordingId) -> Path:
        """Where its picture is, if it has one."""
        return self._folder / f"{recording}.jpg"

    async def note(self, recording: str, sequence: int, reason: str, text: str, author: str) -> str:
        """Have a written explanation of the interruption behind fragment `sequence` signed, by the same command that an
        officer has; what was done, in words. Raises `OperatorFault` with what is wrong with it, `EnvironmentFault`."""
        given = {"reason": reason, "text": text, "author": author, "first": str(sequence), "last": str(sequence)}
        words = [f"--{name}={value}" for name, value in given.items()]
        code, _, complaint = await self._child("agent", "note", recording, f"--config={self._config_path}", *words)
        if code == 0:
            self._looked.set()
            return "说明已签名，保存在录制旁边；录制没有改动。稍后重新检验。"
        if code == OperatorFault.exit_code:
            raise OperatorFault(complaint.removeprefix("错误："))
        raise EnvironmentFault("说明没有保存。请检查存储卡，或请技术员检查。")

    async def run(self) -> None:
        """Examine what was not examined, until cancelled."""
        while True:
            await self._check_again()
            found = find_recordings(self._recordings, self._clock.read().wall)
            waiting = [it for it in found if it.standing is Standing.SEALED and self._verdict(it) is None]
            waiting = [it for it in waiting if not it.encrypted]
            if waiting and not any(it.standing is Standing.RUNNING for it in found):
                await self._examine(waiting[0])
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._looked.wait(), ROUND_S)
                await asyncio.sleep(ROUND_S / 10)

    async def _check_again(self) -> None:
        now_ns = self._clock.read().monotonic_ns
        fresh = self._checked_ns is not None and now_ns - self._checked_ns < CHECK_S * 1e9
        if fresh or not self._looked.is_set():
            self._looked.clear()
            return
        self._looked.clear()
        self._checked_ns = now_ns
        self.check = await self._asked("check")
        self.status = status_lines(await self._asked("status"))

    async def _asked(self, command: str) -> Any:
        """What one of our own commands says as JSON, None where it cannot be had."""
        try:
            _, answer, _ = await self._child("agent", command, "--config", str(self._config_path), "--json")
        except EnvironmentFault as fault:
            logger.warning("%s could not be asked: %s", command, fault)
            return None
        return _json(answer)

    async def _examine(self, found: FoundRecording) -> None:
        draft, picture = self._folder / f".{found.recording}.jpg.new", self.picture(found.recording)
        words = (str(self._config_path), found.recording, str(draft))
        try:
            code, answer, complaint = await self._child("agent.page.examiner", *words)
        except EnvironmentFault as fault:
            code, answer, complaint = fault.exit_code, b"", str(fault)
        told = _json(answer)
        if code != 0 or not isinstance(told, dict):
            logger.warning("%s could not be examined: %s", found.recording, complaint[:200])
            self._told[found.recording] = (found.state_mark, not_examined(code, complaint))
            return
        with _kept_if_possible(found.recording):
            if draft.exists():
                durable.move(draft, picture)
        examined = canonical.timestamp(self._clock.read().wall)
        told = {**told, "picture": picture.exists(), "examined": examined}
        self._told[found.recording] = (found.state_mark, told)
        kept = {"mark": found.state_mark, "told": told}
        with _kept_if_possible(found.recording):
            durable.write_bytes(self._folder / f"{found.recording}.json", json.dumps(kept).encode(), durable.PRIVATE)

    def _verdict(self, found: FoundRecording) -> Mapping[str, Any] | None:
        known = self._told.get(found.recording) or self._kept(found.recording)
        return known[1] if known is not None and known[0] == found.state_mark else None

    def _kept(self, recording: RecordingId) -> tuple[str, Mapping[str, Any]] | None:
        try:
            kept = json.loads((self._folder / f"{recording}.json").read_bytes())
            self._told[recording] = (str(kept["mark"]), dict(kept["told"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return self._told[recording]

    async def _child(self, *words: str) -> tuple[int, bytes, str]:
        """Exit code, output and first line of complaint of one of our own commands. Raises `EnvironmentFault` for one
        that cannot be started or does not end."""
        pipe = asyncio.subprocess.PIPE
        try:
            child = await asyncio.create_subprocess_exec(sys.executable, "-m", *words, stdout=pipe, stderr=pipe)
        except OSError as error:
            raise EnvironmentFault(f"检验无法启动（{error.strerror}）。请稍后再试，或重新启动设备。") from error
        try:
            answer, complaint = await asyncio.wait_for(child.communicate(), LONGEST_CHILD_S)
        except TimeoutError:
            raise EnvironmentFault("检验一直没有结束。请检查存储卡后重新启动页面。") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        first = complaint.decode("utf-8", "replace").strip().partition("\n")[0]
        return child.returncode or 0, answer[:MAX_ANSWER_BYTES], first


def _json(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None


@contextlib.contextmanager
def _kept_if_possible(recording: RecordingId) -> Iterator[None]:
    """The disk takes no more: what is lost of the cache is made again at the next start."""
    try:
        yield
    except EnvironmentFault as fault:
        logger.warning("the findings on %s are not kept: %s", recording, fault)
