"""Manifests that nobody could put together."""

import pytest

from agent.errors import SenderFault
from agent.wire.identifiers import Digest, device_id, district, recording_id
from agent.wire.offload_manifest import OffloadManifest, Part, StoredFile, parse_manifest

FIRST = recording_id(device_id("REC-0001"), 1)
DIGEST = Digest("a" * 64)


def manifest(*names: str, parts: tuple[Part, ...] = (Part(0, 1, DIGEST),)) -> bytes:
    return OffloadManifest(district("xinghe"), FIRST, tuple(StoredFile(name, DIGEST, parts) for name in names)).encode()


@pytest.mark.parametrize("names", [("notes", "notes/a"), ("a", "a"), ("../a",), ("notes/b/c",)])
def test_files_that_no_folder_can_hold_together_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(SenderFault):
        parse_manifest(manifest(*names))


@pytest.mark.parametrize("parts", [(Part(1, 1, DIGEST),), (Part(0, 2, DIGEST), Part(1, 1, DIGEST))])
def test_parts_that_do_not_join_are_refused(parts: tuple[Part, ...]) -> None:
    with pytest.raises(SenderFault, match="不相衔接"):
        parse_manifest(manifest("a", parts=parts))
