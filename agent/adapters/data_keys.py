"""The data keys of recordings that are encrypted at rest, for as long as this device may read them.

    keys/REC-0001-R000012.key   0600: the data key of a recording that is not sealed yet, and its wrap for the archive
    keys/REC-0001-R000012.end   how the sealed recording ended: told again after a restart, and asked by written notes

While a recording runs, and after a power cut until it is made whole, its key must be on the device: recovery reads what
was written. When the sums are signed the key is overwritten and removed; from then on only the archive reads the
recording. What remains as a risk: whoever takes the card of a recorder that died while recording has that one
recording's key with it; and flash memory may keep a copy of an overwritten file where only a laboratory finds it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from agent import durable
from agent.adapters.recording_end import encode_end, parse_end
from agent.adapters.window import opened_file
from agent.control.recording_messages import RecordingSealed
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.evidence import cbor
from agent.evidence.bmff import Source
from agent.evidence.encrypted_photo import encrypt_photo
from agent.evidence.encrypted_reading import EncryptedSegment, open_encrypted
from agent.evidence.encrypted_stream import KEY_BYTES, SALT_BYTES, SUFFIX, Header, StreamKey, WrappedKey, wrap_key
from agent.wire.identifiers import RecordingId

KEY_SUFFIX, END_SUFFIX = ".key", ".end"


class DataKeys:
    """The folder of keys. New recordings are encrypted when there is an `archive` key to wrap theirs for; those that
    are encrypted already are read either way."""

    def __init__(self, folder: Path, archive: ec.EllipticCurvePublicKey | None) -> None:
        self._folder, self._archive = folder, archive

    @property
    def encrypts(self) -> bool:
        """Whether new recordings are encrypted."""
        return self._archive is not None

    def create(self, recording: RecordingId) -> None:
        """Make the data key of a recording, durably before anything is encrypted with it; raises `EnvironmentFault`."""
        if self._archive is None or self._file(recording, KEY_SUFFIX).exists():
            return
        data_key = os.urandom(KEY_BYTES)
        wrapped = wrap_key(data_key, recording, self._archive)
        durable.make_directory(self._folder, 0o700)
        content = cbor.encode({"key": data_key, "to": wrapped.to, "wrap": wrapped.wrap})
        durable.write_bytes(self._file(recording, KEY_SUFFIX), content, durable.PRIVATE)

    def photo_file(self, name: str, photo: bytes) -> tuple[str, bytes]:
        """Name and content of the file to be written for a photo."""
        if self._archive is None:
            return name, photo
        return name + SUFFIX, encrypt_photo(photo, self._archive)

    def fresh_stream(self, recording: RecordingId) -> tuple[StreamKey, Header]:
        """Key and header of a new file of `recording`: never the same twice. Raises `EnvironmentFault`."""
        data_key, wrapped = self._read(recording)
        header = Header(wrapped, os.urandom(SALT_BYTES))
        return StreamKey(data_key, header), header

    @contextmanager
    def opened(self, path: Path) -> Iterator[tuple[EncryptedSegment, StreamKey]]:
        """An encrypted segment in the folder of its recording, and its key; raises `EnvironmentFault` (also when this
        device may not read it any more) and `SenderFault`."""
        data_key, _ = self._read(RecordingId(path.parent.name))
        with opened_file(path, window_bytes=0) as source:  # the reader of the plaintext keeps what it needs
            opened = open_encrypted(source, data_key)
            yield opened, StreamKey(data_key, opened.header)

    @contextmanager
    def plain(self, path: Path) -> Iterator[Source]:
        """The plaintext of an encrypted segment; nothing, where not even its header can be read. Raises
        `EnvironmentFault`."""
        data_key, _ = self._read(RecordingId(path.parent.name))
        with opened_file(path, window_bytes=0) as source:
            yield _plaintext(source, data_key)

    def forget(self, sealed: RecordingSealed) -> None:
        """Remove the data key of a recording that is whole on the disk, if it is encrypted; `sealed` is kept to be told
        again. Raises `EnvironmentFault`."""
        recording = sealed.recording
        if not self._file(recording, KEY_SUFFIX).exists():
            return
        durable.write_bytes(self._file(recording, END_SUFFIX), encode_end(sealed), durable.SHARED)
        _erase(self._file(recording, KEY_SUFFIX))

    def end(self, recording: RecordingId) -> RecordingSealed | None:
        """What `forget` was given, None for a recording that was not forgotten. Raises `EnvironmentFault` when the disk
        does not say, and `SenderFault` when what it says is none."""
        place = self._file(recording, END_SUFFIX)
        with durable.disk_errors(place):
            return parse_end(place.read_bytes()) if place.exists() else None

    def tidy(self, there: set[RecordingId], finished: set[RecordingId], expected: set[RecordingId]) -> None:
        """At a start: erase keys of `finished` recordings that a power cut left, unless they are `expected` to be told
        again, and remove the ends of recordings that are no longer `there`. Raises `EnvironmentFault`."""
        with durable.disk_errors(self._folder):
            places = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        for place in places:
            recording = RecordingId(place.stem)
            forgotten = self._file(recording, END_SUFFIX).exists()
            if place.suffix == KEY_SUFFIX and (forgotten or recording in finished - expected):
                _erase(place)
            elif place.suffix == END_SUFFIX and recording not in there:
                durable.remove(place)

    def _read(self, recording: RecordingId) -> tuple[bytes, WrappedKey]:
        place = self._file(recording, KEY_SUFFIX)
        try:
            fields = cbor.decode_map(place.read_bytes())
            return fields["key"], WrappedKey(recording, fields["to"], fields["wrap"])
        except (OSError, KeyError, SenderFault) as error:
            raise EnvironmentFault(
                f"本机已没有（或读不到）录制 {recording} 的数据密钥，不能再读。请由中心用存档密钥解密。"
            ) from error

    def _file(self, recording: RecordingId, suffix: str) -> Path:
        return self._folder / f"{recording}{suffix}"


def _erase(place: Path) -> None:
    with durable.disk_errors(place):
        size = place.stat().st_size
    durable.overwrite(place, 0, bytes(size))
    durable.remove(place)


def _plaintext(source: Source, data_key: bytes) -> Source:
    try:
        return open_encrypted(source, data_key).plain
    except SenderFault:
        return Source.of_bytes(b"")


def read_archive_key(path: Path | None) -> ec.EllipticCurvePublicKey | None:
    """The archive's public key (PEM, P-256), None without a file; raises `OperatorFault` when it is not one."""
    if path is None:
        return None
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise OperatorFault(f"evidence.archive_key：{path} 不是 PEM 公钥。请重新发放设备文件夹。") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise OperatorFault(f"evidence.archive_key：{path} 不是 P-256 公钥。请重新发放设备文件夹。")
    return key


def is_encrypted(path: Path) -> bool:
    """Whether a segment's file is encrypted: its name says so."""
    return path.suffix == SUFFIX


NO_KEYS = DataKeys(Path(os.devnull), None)  # for a place where nothing is encrypted
