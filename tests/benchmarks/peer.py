"""The peer of most figures: c2pa-python, with a certificate of our own bench authority."""

import io
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import c2pa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_der_x509_certificate

from tests.agent.evidence.bench import private_key
from tests.agent.evidence.foreign import EVIDENCE_OIDS
from tests.benchmarks.workload import AUTHORITY


def peer_signer() -> c2pa.Signer:
    """ES256 with the bench device's key, no time-stamp authority."""
    chain = AUTHORITY.signer().chain
    pem = b"".join(load_der_x509_certificate(entry).public_bytes(Encoding.PEM) for entry in chain)
    key = private_key("leaf REC-0001").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", pem, key, None))


def trust_settings(root_pem: str) -> dict[str, object]:
    """Offline, trusting `root_pem` alone."""
    return {
        "trust": {"trust_anchors": root_pem, "trust_config": EVIDENCE_OIDS},
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
    }


def remux(source: Path | BinaryIO, target: Path | BinaryIO) -> None:
    """The same coded pictures and sound in an ordinary MP4."""
    with av.open(source) as film, av.open(target, "w", format="mp4") as plain:
        streams = {stream.index: plain.add_stream_from_template(stream) for stream in film.streams}
        for packet in film.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                plain.mux(packet)


def decodable_frames(data: bytes) -> int:
    """How many pictures a player gets out of `data`."""
    try:
        with av.open(io.BytesIO(data)) as film:
            return sum(1 for _ in film.decode(video=0))
    except (av.error.FFmpegError, IndexError):
        return 0
