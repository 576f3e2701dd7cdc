"""What the loop's thread works with: the parts of a running device that effects are carried out with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agent.adapters.asked_folder import AskedFolder
from agent.adapters.bundle_folder import BundleFolder
from agent.adapters.content_folder import ContentFolder
from agent.adapters.database import Database
from agent.adapters.disclosed_folder import DisclosedFolder
from agent.adapters.hall_folder import HallFolder
from agent.adapters.key_requests import KeyRequests
from agent.adapters.mqtt_link import MqttLink
from agent.adapters.recording_removal import RecordingRemoval
from agent.adapters.worker import Worker
from agent.clock import Clock
from agent.control import effects as asked
from agent.control.command_messages import OpenCommand
from agent.control.controller import Identity
from agent.control.messages import Event
from agent.control.offload_messages import DirectOffload, TellReceipted
from agent.paper_desk import PaperDesk
from agent.wire.signing import CertifiedSigner


class RecorderPort(Protocol):
    """What the performer needs of a recorder; it answers with the recording events."""

    def start(self, order: asked.StartRecording) -> None:
        """Begin a recording; returns at once."""

    def stop(self, reason: str) -> None:
        """End it; returns at once."""

    def mark(self, order: asked.MarkRecording) -> None:
        """Carry out an officer's act in it; returns at once."""

    def photograph(self, order: asked.TakePhoto) -> None:
        """Keep the next picture as a photo; returns at once."""

    def obey(self, order: asked.NoteHealth | asked.NoteDuty | asked.SetBitrate | asked.Indicate) -> None:
        """Sign a reading into the recording, code pictures at another rate, or show something; returns at once."""


class OffloadPort(Protocol):
    """What the performer needs of whoever uploads."""

    def follow(self, order: DirectOffload | TellReceipted) -> None:
        """Take an order; returns at once."""


@dataclass(frozen=True)
class Room:
    """What effects are carried out with. `recorder`, `disclosed`, `asked` and `papers` are None on devices that have no
    use for them; `content` and `bundles` are a kiosk
    host's; `keys` and `diagnose` carry out commands; `read_trust` reads the trust list file again and answers
    with `TrustListRead` or `WorkFailed`."""

    identity: Identity
    clock: Clock
    signer: CertifiedSigner
    database: Database
    link: MqttLink
    worker: Worker
    recorder: RecorderPort | None
    disclosed: DisclosedFolder | None
    read_trust: Callable[[], Event]
    asked: AskedFolder | None = None
    papers: PaperDesk | None = None
    offload: OffloadPort | None = None
    removal: RecordingRemoval | None = None
    keys: KeyRequests | None = None
    diagnose: Callable[[OpenCommand], Event] | None = None
    content: ContentFolder | None = None
    bundles: BundleFolder | None = None
    hall: HallFolder | None = None
