"""What a decoder makes of a recording, where no ffprobe is at hand."""

from pathlib import Path

import av


def decoded_pictures(file: Path) -> int:
    """How many pictures of `file` decode."""
    with av.open(str(file)) as container:
        return sum(1 for _ in container.decode(video=0))
