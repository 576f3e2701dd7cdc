"""Papers beside the recordings they belong to, so that they travel to the centre as everything there does: uploaded
with the recording, or collected with its folder.

recordings/REC-0001-R000012/papers/document-000007-0123456789ab.json.enc     for the archive's key alone
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from agent import durable
from agent.duty.papers import BESIDE, Paper, travelling_name
from agent.evidence.encrypted_paper import encrypt_paper
from agent.evidence.encrypted_stream import SUFFIX
from agent.wire.identifiers import RecordingId


class RecordingPapers:
    """`root` is the folder of recordings. Without the archive's key nothing travels: a paper may name the party."""

    def __init__(self, root: Path, archive: ec.EllipticCurvePublicKey | None) -> None:
        self._root, self._archive = root, archive

    def lay(self, recording: RecordingId, name: str, paper: Paper) -> Path | None:
        """Put `paper`, which is kept as file `name`, beside its recording; None where it cannot travel: no key, or the
        recording has left the card. Raises `EnvironmentFault`."""
        folder = self._root / recording
        if self._archive is None or not folder.is_dir():
            return None
        place = durable.make_directory(folder / BESIDE) / f"{travelling_name(name, paper)}{SUFFIX}"
        return durable.write_bytes(place, encrypt_paper(paper.encode(), self._archive), durable.SHARED)
