"""A second memory of the counters that must never go back, outside the database: the numbers up to which they may
have been used. Event and session numbers are written ahead in blocks, one small file for every `BLOCK` of them."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from agent import durable
from agent.errors import EnvironmentFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields

BLOCK = 1000  # ours: what a lost database skips at most, against one fsync in so many events
MOST = 2**40  # ours: a thousand events a second for thirty years; the centre refuses numbers beyond it


@dataclass(frozen=True)
class Ceilings:
    """Event, session, recording and command number that may have been used; 0 for none."""

    devseq: int = 0
    session: int = 0
    recording: int = 0
    command: int = 0


class CounterMirror:
    """The file `path`; call `read` once, then the `cover_` methods before a number is used, behind it where they say so
    (`EnvironmentFault`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = Ceilings()

    def read(self) -> Ceilings | None:
        """What the file says, None where there is none. Raises `SenderFault` when it is damaged and `EnvironmentFault`
        when the disk or a permission is in the way."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EnvironmentFault(
                f"无法读取计数镜像 {self.path}（{error.strerror or error}）。请检查权限与存储卡。"
            ) from error
        fields = Fields("计数镜像", canonical.decode(content))
        numbers = [fields.integer(name) for name in ("devseq", "session", "recording")]
        if fields.has("command"):  # files of earlier versions have none
            numbers.append(fields.integer("command"))
        if max(numbers) > MOST:
            raise SenderFault(f"计数镜像中的 {max(numbers)} 大于上限 {MOST}，已损坏。")
        self.written = Ceilings(*numbers)
        return self.written

    def cover_event(self, devseq: int, last: int = 0) -> None:
        """Event number `devseq`, and those behind it up to `last`, may be used when this returns. How far it is ahead
        counts from the first: a power cut may take all of them, and a store that is farther behind is an older one."""
        last = max(devseq, last)
        if last > self.written.devseq:
            self._write(replace(self.written, devseq=max(last, devseq + BLOCK)))

    def cover_session(self, session: int) -> None:
        """Session number `session` may be used when this returns."""
        if session > self.written.session:
            self._write(replace(self.written, session=session + BLOCK))

    def cover_recording(self, number: int) -> None:
        """Recording number `number` may be used when this returns; exact, because people read these numbers."""
        if number > self.written.recording:
            self._write(replace(self.written, recording=number))

    def cover_command(self, counter: int) -> None:
        """Command number `counter` was used; exact, because the centre counts them too."""
        if counter > self.written.command:
            self._write(replace(self.written, command=counter))

    def _write(self, ceilings: Ceilings) -> None:
        durable.write_bytes(self.path, canonical.encode(asdict(ceilings)), durable.PRIVATE)
        self.written = ceilings
