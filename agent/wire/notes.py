"""Written notes beside a recording, added later: a DSSE envelope `notes/0001.dsse`, signed by an evidence key.

A note explains; it changes nothing. It carries its signer's certificates inside the signed payload, so that whoever
has the district's root can verify it without a trust list; whether they lead to that root is the reader's question.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.errors import SenderFault
from agent.wire import canonical
from agent.wire.canonical import Fields
from agent.wire.envelope import parse_envelope, pre_authentication_encoding, seal
from agent.wire.identifiers import DeviceId, Digest, RecordingId, device_id, digest, parse_recording_id
from agent.wire.signing import MAX_CHAIN, CertifiedSigner, certificate_key, key_id_of, load_certificate, verify_der

NOTE_TYPE = "application/vnd.liuhen.note+json"
MAX_TEXT = 2000  # ours; characters
MAX_AUTHOR = 64  # ours
MAX_NOTES = 999  # ours; four digits in the file's name


@dataclass(frozen=True)
class RecordingNote:
    """`first` to `last` are the fragments it speaks of; `cause` is a code of `agent.evidence.reasons.Cause`; `author` a
    pseudonym, never a name; `head` the head at the end of the recording, which ties the note to exactly those bytes;
    `previous` the SHA-256 of the note's file before, GENESIS for number 1; `device` the holder of the key."""

    recording: RecordingId
    number: int
    first: int
    last: int
    cause: str
    text: str
    author: str
    device: DeviceId
    written: datetime
    head: Digest
    previous: Digest

    def encode(self, chain: Sequence[bytes]) -> bytes:
        """The canonical payload with the signer's certificates (DER, leaf first); raises `ValueError` out of limits."""
        if not (1 <= self.first <= self.last and 1 <= self.number <= MAX_NOTES and 0 < len(self.text) <= MAX_TEXT):
            raise ValueError("a note's numbers or text are out of limits")
        return canonical.encode(
            {
                "author": self.author,
                "cause": self.cause,
                "certificates": [base64.b64encode(der).decode() for der in chain],
                "device": self.device,
                "first": self.first,
                "head": self.head,
                "last": self.last,
                "number": self.number,
                "previous": self.previous,
                "recording": self.recording,
                "text": self.text,
                "written": canonical.timestamp(self.written),
            }
        )


@dataclass(frozen=True)
class OpenedNote:
    """A note whose signature was verified with its own leaf certificate; `chain` (DER) is yet to be trusted."""

    note: RecordingNote
    chain: tuple[bytes, ...]


def note_name(number: int) -> str:
    """The file of a note inside `notes/`: `0001.dsse`."""
    return f"{number:04d}.dsse"


def note_digest(data: bytes) -> Digest:
    """What the note after it carries as `previous`."""
    return Digest(hashlib.sha256(data).hexdigest())


def seal_note(note: RecordingNote, signer: CertifiedSigner) -> bytes:
    """The envelope to be written as `notes/{number}.dsse`."""
    return seal(NOTE_TYPE, note.encode(signer.chain), [signer])


def open_note(data: bytes) -> OpenedNote:
    """The note in an envelope that its own leaf certificate's key signed, alone; raises `SenderFault`."""
    envelope = parse_envelope(data)
    if envelope.payload_type != NOTE_TYPE or len(envelope.signatures) != 1:
        raise SenderFault("这不是补充说明的信封，已拒绝。")
    fields = Fields("补充说明", canonical.decode(envelope.payload))
    chain = _chain(fields.array("certificates"))
    key, signature = certificate_key(load_certificate(chain[0])), envelope.signatures[0]
    if signature.key != key_id_of(key):
        raise SenderFault("补充说明不是由所附证书的密钥签名，已拒绝。")
    verify_der(key, signature.der, pre_authentication_encoding(NOTE_TYPE, envelope.payload))
    note = _note(fields)
    if note.encode(chain) != envelope.payload:
        raise SenderFault("补充说明的内容不合规定格式，已拒绝。")
    return OpenedNote(note, chain)


def _note(fields: Fields) -> RecordingNote:
    note = RecordingNote(
        parse_recording_id(fields.text("recording")),
        fields.integer("number", 1),
        fields.integer("first", 1),
        fields.integer("last", 1),
        fields.text("cause"),
        fields.text("text"),
        fields.text("author"),
        device_id(fields.text("device")),
        fields.moment("written"),
        digest(fields.text("head")),
        digest(fields.text("previous")),
    )
    if note.first > note.last or note.number > MAX_NOTES or not 0 < len(note.text) <= MAX_TEXT:
        raise SenderFault("补充说明的范围或文字超出限制，已拒绝。")
    if not 0 < len(note.author) <= MAX_AUTHOR:
        raise SenderFault("补充说明没有作者代号，已拒绝。")
    return note


def _chain(entries: Sequence[object]) -> tuple[bytes, ...]:
    if not 1 <= len(entries) <= MAX_CHAIN:
        raise SenderFault("补充说明没有附带证书，已拒绝。")
    try:
        return tuple(base64.b64decode(str(entry), validate=True) for entry in entries)
    except (binascii.Error, ValueError) as error:
        raise SenderFault("补充说明所附证书无法读取，已拒绝。") from error
