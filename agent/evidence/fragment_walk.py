"""The walk over the fragments of a segment that may be damaged: what verifies, what does not, and where.

What only its hashes can show of a fragment is compared some fragments later, so that they may be made on other
processors meanwhile. When one does not agree, where the next fragment begins was a guess: then everything is read
again, and each fragment is compared before the next is looked for.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.evidence import bmff
from agent.evidence.bmff import BrokenBox, Source
from agent.evidence.flat_hash import FlatHash, NewHash, is_excluded
from agent.evidence.fragments import JOURNAL, STRUCTURE, Fragment, find_fragment, read_fragment, settled
from agent.evidence.journal import JournalRecord
from agent.evidence.manifest_reading import Manifest
from agent.evidence.vsi_reading import SegmentInfoReader

MAX_DAMAGE = 1000  # ours; a file with more damaged stretches is one damaged stretch from there on
LOOKAHEAD = 16  # ours; so many fragments may be read before the hash of the first is compared
MAX_WASTE = 4  # ours; how often a hostile file may have its own length read in vain
APPENDED = "appended"
Progress = Callable[[int], None] | None


@dataclass(frozen=True)
class Damage:
    """A stretch that does not verify. `kind` is `ftyp`, `manifest`, `moov`, `appended` (a foreign box) or one of
    `agent.evidence.fragments`; `fragment` is what could be read of the fragment there."""

    offset: int
    size: int
    kind: str
    fragment: Fragment | None = None


class FragmentWalk:
    """What the walk over the fragments gathers; `flat` is the hash of all that is behind it. `misled`: a fragment was
    taken for verified whose hash, compared later, does not agree, or which could not be read to its end."""

    def __init__(self, flat: FlatHash, end: int) -> None:
        self.flat, self.intact_end = flat.copy(), end
        self._intact_flat: FlatHash | None = None  # None: nothing stands behind the last verified one
        self.records: list[JournalRecord] = []
        self.misled = False
        self._unsettled: deque[Fragment] = deque()
        self._lies: list[Fragment] = []
        self.damage: list[Damage] = []
        self.pending: list[Damage] = []

    @property
    def intact_flat(self) -> FlatHash:
        """The hash up to the last fragment that verifies."""
        return self._intact_flat or self.flat

    def damaged(self, damage: Damage) -> None:
        """A stretch behind everything so far, which `flat` has not seen yet."""
        self._intact_flat = self._intact_flat or self.flat.copy()
        self.pending.append(damage)

    def verified(self, fragment: Fragment) -> None:
        """Damage before a fragment that verifies lies inside the file."""
        self.damage += self.pending
        self.pending = []
        self.records.append(fragment.record())
        self._unsettled.append(fragment)
        self._intact_flat, self.intact_end = None, fragment.end

    def settle(self, ahead: int) -> None:
        """Compare the hashes of all but the last `ahead` fragments."""
        while len(self._unsettled) > ahead and not self.misled:
            fragment = self._unsettled.popleft()
            self.misled = settled(fragment).fault is not None
            entry, media = fragment.entry, fragment.media
            if entry is None or media is None or media.digest().hex() != entry.media:
                self._lies.append(fragment)

    def finish(self) -> None:
        """Fragments whose entry tells another hash of their media than they have, although both are signed, go from
        the records to the damage: checking by hand would call them changed."""
        self.settle(0)
        lies = {fragment.offset for fragment in self._lies}
        self.records = [record for record in self.records if record.offset not in lies]
        self.damage += [Damage(it.offset, it.end - it.offset, JOURNAL, it) for it in self._lies]


def walk_fragments(
    source: Source, found: Manifest, begin: int, flat: FlatHash, progress: Progress, new_hash: NewHash
) -> FragmentWalk:
    """Every fragment of `source` from `begin`, under its manifest `found`; `flat` is the hash over what stands before.
    `progress` is told the bytes behind us now and then. Never raises for damaged content."""
    walk = _walked(source, found, FragmentWalk(flat, begin), progress, new_hash, LOOKAHEAD)
    return _walked(source, found, FragmentWalk(flat, begin), progress, new_hash, 0) if walk.misled else walk


def _walked(
    source: Source, found: Manifest, walk: FragmentWalk, progress: Progress, new_hash: NewHash, ahead: int
) -> FragmentWalk:
    for fragment in _fragments(source, found, walk, new_hash, ahead):
        walk.settle(ahead)
        if walk.misled:
            return walk
        if progress is not None:
            progress(fragment.end)
    walk.finish()
    return walk


def _fragments(
    source: Source, found: Manifest, walk: FragmentWalk, new_hash: NewHash, ahead: int
) -> Iterator[Fragment]:
    live = found.label if found.seal is None else found.seal.live_manifest
    signatures = SegmentInfoReader(found.session)
    offset, wasted = walk.intact_end, 0
    while offset < source.size:
        before = None if ahead else walk.flat.copy()
        fragment = read_fragment(source, offset, signatures, live, walk.flat, new_hash)
        fragment = fragment if ahead else settled(fragment)
        if before is None and fragment.added and fragment.fault is not None:
            walk.misled = True
        elif fragment.fault is None:
            walk.verified(fragment)
            offset = fragment.end
        else:
            wasted += fragment.end - offset
            hopeless = wasted > MAX_WASTE * source.size or len(walk.damage) + len(walk.pending) >= MAX_DAMAGE
            end = source.size if hopeless else find_fragment(source, offset + 1)
            walk.flat = before or walk.flat
            walk.damaged(Damage(offset, end - offset, _kind(source, fragment), fragment))
            _add_stretch(source, offset, end, walk.flat)
            offset = end
        yield fragment


def _kind(source: Source, fragment: Fragment) -> str:
    if fragment.fault != STRUCTURE or fragment.info is not None:
        return fragment.fault or STRUCTURE
    try:
        bmff.box_at(source, fragment.offset)
    except BrokenBox:
        return STRUCTURE
    return APPENDED


def _add_stretch(source: Source, offset: int, end: int, flat: FlatHash) -> None:
    """Hash a stretch that holds no verified fragment: box by box as a foreign reader would, the rest in one piece."""
    bounded = Source(end, source.read_at)
    try:
        for box in bmff.walk(bounded, offset):
            if not is_excluded(box):
                flat.add(box.offset)
                for chunk in box.chunks():
                    flat.update(chunk)
            offset = box.end
    except BrokenBox:
        flat.add(offset)
        for chunk in source.chunks(offset, end - offset):
            flat.update(chunk)
