"""Files of disclosures: what is asked for, and what became of it."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from agent.wire.content import Attachment
from agent.wire.identifiers import Digest


@dataclass(frozen=True)
class ContentKept:
    """These files stand in the store, held against their hashes."""

    files: tuple[Digest, ...]


@dataclass(frozen=True)
class ContentBroken:
    """What came as the file `sha256` is not that file, and was thrown away."""

    sha256: Digest
    detail: str


@dataclass(frozen=True)
class BundleSettled:
    """A bundle lies in the folder where technicians put them."""


@dataclass(frozen=True)
class BundleRead:
    """The sealed documents of the bundle at `place`, not verified; `fault` when it is none."""

    place: PurePosixPath
    documents: tuple[bytes, ...]
    fault: str = ""


@dataclass(frozen=True)
class KeepPiece:
    """Keep piece `number` (from 0) of `attachment`; with the last one the file is complete."""

    attachment: Attachment
    number: int
    piece: bytes


@dataclass(frozen=True)
class DropContent:
    """Remove every file that is not one of `keep`."""

    keep: frozenset[Digest]


@dataclass(frozen=True)
class ReadBundle:
    """Look for a bundle; answered by `BundleRead` when there is one."""


@dataclass(frozen=True)
class UnpackBundle:
    """Take the files of `wanted` out of the bundle at `place`, then the bundle away; answered by `ContentKept`."""

    place: PurePosixPath
    wanted: tuple[Attachment, ...]


ContentEvent = ContentKept | ContentBroken | BundleSettled | BundleRead
ContentEffect = KeepPiece | DropContent | ReadBundle | UnpackBundle
