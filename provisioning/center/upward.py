"""Released disclosures to an upper-level platform (与上级政府执法信息公示平台互联互通; the plan's section 二（一）9).

    PUT {url}/{audience}/{kind}/{id}/{version}      the sealed document, as it stands in `released/`
    PUT {url}/content/{sha256}                      a file of one, before the document that names it
    Idempotency-Key: SHA-256 of the body

Every push says the same again under the same name and key, so that whoever hears it twice hears nothing new. What the
platform has confirmed stands in `pushed.json`; what fails is tried again, longer and longer apart, and after a restart.
Another platform's own protocol is another `UpperPlatform`; signed events go up by the broker's bridge.
"""

import hashlib
import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from agent import durable
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.wire.disclosures import POLICY_KINDS, PUBLIC_POLICIES
from agent.wire.envelope import MAX_ENVELOPE_BYTES
from agent.wire.identifiers import District
from agent.wire.topics import CONTENT, parse_publication_topic
from agent.wire.trust import TrustList
from provisioning.center.publications import Publication, open_publication
from provisioning.center.watched import RELEASED_PATTERN, ReleasedFolder

PUSHED = "pushed.json"
TIMEOUT_S = 20.0  # ours
FIRST_RETRY_S, LAST_RETRY_S = 5.0, 900.0  # ours
AGAIN_CODES = frozenset({408, 425, 429})  # RFC 9110, 8470, 6585: the same request may succeed later


class Answer(StrEnum):
    """What became of one push."""

    TAKEN = "taken"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True)
class Parcel:
    """One thing to push: its place below the platform's address, its bytes and media type."""

    place: str
    body: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """SHA-256 of the body: the idempotency key."""
        return hashlib.sha256(self.body).hexdigest()


class UpperPlatform(Protocol):
    """The seam to a platform above."""

    def push(self, parcel: Parcel) -> tuple[Answer, str]:
        """Bring one parcel; the answer, and one line about it."""


class HttpPlatform:
    """A platform that takes `PUT` under `url`; `token` is sent as a bearer's, empty for none."""

    def __init__(self, url: str, token: str = "", ca: Path | None = None) -> None:
        if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise OperatorFault(f"上级平台地址 {url[:80]} 应以 https:// 开头。请改正 --to。")
        self._url, self._token, self._ca = url.rstrip("/"), token, ca

    def push(self, parcel: Parcel) -> tuple[Answer, str]:
        """A 2xx is taken; a 4xx is refused for good, but for those that ask to come again; all else is for later."""
        headers = {"Content-Type": parcel.media_type, "Idempotency-Key": parcel.digest}
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        request = urllib.request.Request(  # noqa: S310 - https, or loopback: checked above
            f"{self._url}/{parcel.place}", parcel.body, headers, method="PUT"
        )
        try:
            with self._opener().open(request, timeout=TIMEOUT_S) as answer:
                answer.read(1024)
                return Answer.TAKEN, f"HTTP {answer.status}"
        except urllib.error.HTTPError as error:
            error.close()
            final = 400 <= error.code < 500 and error.code not in AGAIN_CODES
            return (Answer.REFUSED if final else Answer.LATER), f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            return Answer.LATER, str(error) or type(error).__name__

    def _opener(self) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context(cafile=None if self._ca is None else str(self._ca))
        handler = urllib.request.HTTPSHandler(context=context)
        return urllib.request.build_opener(handler, _NoRedirect())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to nobody else: a redirection is an answer, not an order."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none."""


@dataclass
class Ledger:
    """What the platform has, by place: the digest it took, or `refused:` and the digest it will never take."""

    path: Path
    told: dict[str, str] = field(default_factory=dict)

    def load(self) -> "Ledger":
        """Read the file; raises `OperatorFault` when it is damaged."""
        try:
            self.told = dict(json.loads(self.path.read_bytes()))
        except FileNotFoundError:
            self.told = {}
        except (OSError, ValueError, TypeError) as error:
            raise OperatorFault(f"{self.path} 已损坏（{error}）。请移走该文件，将全部重新推送一次。") from error
        return self

    def settled(self, parcel: Parcel) -> bool:
        """Whether there is nothing more to say about it."""
        return self.told.get(parcel.place) in (parcel.digest, f"refused:{parcel.digest}")

    def note(self, parcel: Parcel, answer: Answer) -> None:
        """Keep what the platform said; raises `EnvironmentFault`."""
        self.told[parcel.place] = parcel.digest if answer is Answer.TAKEN else f"refused:{parcel.digest}"
        durable.write_bytes(self.path, json.dumps(self.told, indent=1, sort_keys=True).encode())


@dataclass(frozen=True)
class Pushed:
    """One pass: places by answer, with a line about each that was not taken."""

    taken: tuple[str, ...]
    later: Mapping[str, str]
    refused: Mapping[str, str]


def parcels(released: ReleasedFolder, trust: TrustList, place: District, now: datetime) -> Iterator[Parcel]:
    """Every released public document of this district that two people signed, each behind its files."""
    for path in sorted(released.folder.glob(RELEASED_PATTERN)):
        data = _content(path)
        try:
            publication = open_publication(data, trust, place, now)
            named = parse_publication_topic(publication.topic)
        except SenderFault:
            continue  # the receiver tells of it; nothing unsigned goes up
        if named.kind in POLICY_KINDS - PUBLIC_POLICIES:
            continue
        yield from _files(released, publication)
        where = f"{named.audience}/{named.kind}/{named.disclosure}/{publication.version}"
        yield Parcel(where, data, "application/vnd.dsse.envelope.v1+json")


def push_all(found: Iterator[Parcel], platform: UpperPlatform, ledger: Ledger) -> Pushed:
    """Bring what the platform does not have yet; the first that must wait does not keep the others."""
    taken: list[str] = []
    aside: dict[Answer, dict[str, str]] = {Answer.LATER: {}, Answer.REFUSED: {}}
    for parcel in found:
        if ledger.settled(parcel):
            continue
        answer, detail = platform.push(parcel)
        if answer is not Answer.LATER:
            ledger.note(parcel, answer)
        if answer is Answer.TAKEN:
            taken.append(parcel.place)
        else:
            aside[answer][parcel.place] = detail
    return Pushed(tuple(taken), aside[Answer.LATER], aside[Answer.REFUSED])


def retry_after(failures: int, random: Callable[[], float]) -> float:
    """Seconds until the next pass after `failures` in a row that left something: full jitter, at most a quarter of an
    hour."""
    return float(random() * min(LAST_RETRY_S, FIRST_RETRY_S * 2 ** min(failures, 16)))


def _files(released: ReleasedFolder, publication: Publication) -> Iterator[Parcel]:
    for one in publication.attachments:
        yield Parcel(f"{CONTENT}/{one.sha256}", one.check(released.content(one)), one.media_type)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_ENVELOPE_BYTES + 1)
    except OSError as error:
        raise EnvironmentFault(f"{path} 读不出（{error.strerror}）。请检查权限。") from error
