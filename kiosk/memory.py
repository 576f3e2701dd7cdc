"""What this screen must not forget at its restart: the versions it has shown and the newest trust list.

Its own small file beside `kiosk.toml`, not in the agent's folder: whoever can write into `disclosed/` could otherwise
bring back an older document that two people really signed.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agent import durable
from agent.duty.floors import Floor
from agent.errors import EnvironmentFault, SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields

FILE = "shown.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remembered:
    """Floors by document name `kind.id`, and the version of the newest trust list."""

    trust_version: int = 0
    floors: Mapping[str, Floor] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Canonical bytes of the file."""
        floors = {name: asdict(floor) for name, floor in self.floors.items()}
        return canonical.encode({"floors": floors, "trust_version": self.trust_version})


class ShownFile:
    """The file in `folder`, written before anything newer is shown."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._written = Remembered()

    def read(self) -> tuple[Remembered, str]:
        """What is remembered, and one Chinese line when the file was damaged and had to be put aside (else empty).

        Raises `EnvironmentFault` when it is there and cannot be read.
        """
        try:
            self._written = parse_remembered(self._path.read_bytes())
        except FileNotFoundError:
            return Remembered(), ""
        except OSError as error:
            raise EnvironmentFault(f"无法读取 {self._path}：{error.strerror or error}。请检查权限与存储卡。") from error
        except SenderFault as fault:
            kept = durable.move(self._path, self._path.with_name(f"{FILE}.damaged"))
            log.warning("%s is damaged, kept as %s: %s", self._path, kept.name, fault)
            return Remembered(), f"本屏的版本记录已损坏（留存为 {kept.name}），从现有文件重新记起。请技术人员核对。"
        return self._written, ""

    def keep(self, remembered: Remembered) -> None:
        """Make `remembered` durable where it is new; raises `EnvironmentFault`."""
        if remembered != self._written:
            durable.make_directory(self._path.parent)
            durable.write_bytes(self._path, remembered.encode(), durable.PRIVATE)
            self._written = remembered


def parse_remembered(content: bytes) -> Remembered:
    """What the file holds; raises `SenderFault` when it is damaged."""
    fields = Fields("版本记录", canonical.decode(content))
    floors = {}
    for name, entry in fields.object("floors").items():
        one = Fields("版本记录", entry)
        floors[name] = Floor(one.integer("version"), one.text("digest"), one.boolean("withdrawn"))
    return Remembered(fields.integer("trust_version"), floors)
