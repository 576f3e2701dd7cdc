"""Where a technician puts a bundle from a USB stick: `bundles/*.liuhen` in the state folder. One is taken at a time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from agent import durable
from agent.adapters.content_folder import ContentFolder
from agent.bundle import SUFFIX, Bundle, open_bundle
from agent.control.content_messages import BundleRead, ContentKept
from agent.control.messages import Event, WorkFailed
from agent.errors import EnvironmentFault, SenderFault
from agent.wire.content import Attachment
from agent.wire.identifiers import Digest

BUNDLES, REFUSED = "bundles", ".refused"

logger = logging.getLogger(__name__)


class BundleFolder:
    """`bundles/` in `state_dir`; files go into `content`."""

    def __init__(self, state_dir: Path, content: ContentFolder) -> None:
        self._folder, self._content = state_dir / BUNDLES, content

    @property
    def pattern(self) -> Path:
        """What to watch for."""
        return self._folder / f"*{SUFFIX}"

    def prepare(self) -> None:
        """Make the folder; raises `EnvironmentFault`."""
        durable.make_directory(self._folder)

    def read(self) -> Event | None:
        """The documents of the first bundle that lies there; one that is none is put aside, and said to be."""
        found = sorted(self._folder.glob(f"[!.]*{SUFFIX}")) if self._folder.is_dir() else []
        for path in found[:1]:
            try:
                with _opened(path) as bundle:
                    return BundleRead(PurePosixPath(path), tuple(bundle.document(name) for name in bundle.documents))
            except (SenderFault, EnvironmentFault) as fault:
                logger.warning("bundle %s refused: %s", path.name, fault)
                durable.move(path, path.with_name(f"{path.name}{REFUSED}"))
                return BundleRead(PurePosixPath(path), (), f"公示包 {path.name[:80]}：{fault}")
        return None

    def unpack(self, place: PurePosixPath, wanted: tuple[Attachment, ...]) -> Event:
        """Keep what `wanted` names and the bundle has; then the bundle is gone."""
        path, kept = Path(place), []
        try:
            with _opened(path) as bundle:
                for one in wanted:
                    kept += self._taken(bundle, one)
            durable.remove(path)
        except (SenderFault, EnvironmentFault) as fault:
            return WorkFailed(str(fault))
        return ContentKept(tuple(kept))

    def _taken(self, bundle: Bundle, one: Attachment) -> list[Digest]:
        try:
            content = bundle.content(one.sha256, one.size)
            return [] if content is None else [self._content.put(one, content)]
        except SenderFault as fault:
            logger.warning("file of a bundle refused: %s", fault)
            return []


@contextmanager
def _opened(path: Path) -> Iterator[Bundle]:
    if path.is_symlink() or not path.is_file():
        raise SenderFault("不是普通文件，已拒绝。")
    with durable.disk_errors(path):
        file = path.open("rb")
    with file:
        yield open_bundle(file, path.stat().st_size)
