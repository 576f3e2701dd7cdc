"""The folder of one collected file, read for its verification: `material.*`, `material.c2pa`, `SHA256SUMS(.p7s)`."""

from pathlib import Path

from agent.adapters.one_open_file import OneOpenFile, open_regular
from agent.evidence.collected import MANIFEST_NAME, MATERIAL
from agent.evidence.collected_report import CollectedFiles
from agent.evidence.sidecars import SIGNATURE_NAME, SUMS_NAME

MAX_SIDECAR_BYTES = 64 * 1024  # ours; the manifest has 16 KiB, the others less


def collected_folder(path: Path) -> Path | None:
    """The folder of the collected file that `path` is, or is part of; None when it is no such thing."""
    folder = path.parent if path.stem == MATERIAL and not path.is_dir() else path
    return folder if (folder / MANIFEST_NAME).is_file() else None


def read_collected(folder: Path, desk: OneOpenFile) -> CollectedFiles:
    """The files in `folder`; the material is read while `desk` is open. Raises `OSError` or `OperatorFault`."""
    found = sorted(it for it in folder.glob(f"{MATERIAL}.*") if it.name != MANIFEST_NAME)
    material = found[0] if found else None
    return CollectedFiles(
        _content(folder / MANIFEST_NAME) or b"",
        MATERIAL if material is None else material.name,
        None if material is None else desk.source(material),
        _content(folder / SUMS_NAME),
        _content(folder / SIGNATURE_NAME),
    )


def _content(path: Path) -> bytes | None:
    if not path.exists():
        return None
    with open_regular(path) as stream:
        return stream.read(MAX_SIDECAR_BYTES)
