"""Documents with photos, as the office would have made them: plain colours, nobody's face."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path

from PIL import Image

from agent import durable
from agent.wire.content import attach
from agent.wire.disclosures import Disclosure
from kiosk.publishing.photo import face_strip

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")


def photo(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (480, 640), colour).save(out, "JPEG")
    return out.getvalue()


def pictured(document: Disclosure, content: Path, *numbers: int) -> Disclosure:
    """`document` with photos of the entries `numbers`, all for none, and their strip; the files lie in `content`."""
    chosen = numbers or tuple(range(1, len(document.entries) + 1))
    photos = {number: photo(COLOURS[number % len(COLOURS)]) for number in chosen}
    strip = face_strip({number - 1: each for number, each in photos.items()}, len(document.entries))
    files = {**{f"photo-{number}.jpg": each for number, each in photos.items()}, "faces-1.jpg": strip}
    durable.make_directory(content)
    for data in files.values():
        (content / hashlib.sha256(data).hexdigest()).write_bytes(data)
    return replace(document, attachments=tuple(attach(name, data) for name, data in files.items()))
