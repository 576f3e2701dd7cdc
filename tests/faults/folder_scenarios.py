"""What a device's own folder promises: a first boot, a renewed certificate and a new release are there whole, or what
was there before is."""

import base64
import contextlib
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from agent import durable
from agent.clock import system_clock
from agent.config import AgentConfig, read_config
from agent.device_keys import finish_swap
from agent.errors import EnvironmentFault, LiuhenFault, SenderFault
from agent.firstboot import FLOOR, ISSUING, ROOT, Here, first_boot
from agent.key_files import read_certificates, read_private_key, read_signer
from agent.tls_renewal import renew
from agent.update import COMPLETE, RELEASES, TRIAL, settle, update
from agent.wire import canonical
from agent.wire.enrolment import request_digest
from agent.wire.envelope import open_trust_list, seal
from agent.wire.identifiers import Digest
from agent.wire.life_documents import UPDATE_TYPE, Update
from agent.wire.signing import key_id_of
from provisioning.authority import certificates
from provisioning.authority.certificates import Bearer, Issuer, Profile
from tests.faults.explorer import Promise, Scenario
from tests.support.enrolment_desk import SERIAL, EnrolmentDesk
from tests.support.keys import Issued, TestAuthority

DEVICE, ROLE = "REC-0001", "recorder"
AUTHORITY, CARD = "authority", "card"
BOUND = "bound"
RENEWALS = 4


def _write_authority(bench: Path) -> TestAuthority:
    made, folder = TestAuthority(), bench / AUTHORITY
    folder.mkdir()
    made.root.write(folder / "root.key", folder / "root.pem")
    made.issuing.write(folder / "issuing.key", folder / "issuing.pem")
    return made


def _authority(bench: Path) -> TestAuthority:
    """The authority that `prepare` wrote down: the process that is cut off and the one that checks have the same."""
    made, folder = TestAuthority(), bench / AUTHORITY
    for name in ("root", "issuing"):
        issued = Issued(read_private_key(folder / f"{name}.key"), read_certificates(folder / f"{name}.pem"))
        setattr(made, name, issued)
    return made


class _Way:
    """Asks a desk that knows what was asked before, and says so."""

    def __init__(self, desk: EnrolmentDesk, promise: Promise) -> None:
        self._desk, self._promise = desk, promise

    def ask(self, request: bytes) -> bytes:
        self._promise(f"asked {request_digest(request)}")
        return self._desk.ask(request)

    def done(self) -> None:
        self._promise("answered")


def _write_card(bench: Path) -> None:
    desk = EnrolmentDesk(_write_authority(bench))
    folder = bench / "state" / CARD
    folder.mkdir()
    for name, content in desk.card().items():
        (folder / name).write_bytes(content)
    (bench / BOUND).write_bytes(desk.tokens[DEVICE][0])


def _boot(bench: Path, promise: Promise, used: str = "") -> AgentConfig:
    desk = EnrolmentDesk(_authority(bench))
    desk.tokens[DEVICE] = ((bench / BOUND).read_bytes(), used)
    here = Here(SERIAL, {"model": "示例机型"}, system_clock(), lambda _: None)
    done = first_boot(
        bench / "state" / CARD, bench / "state" / "device", here, lambda _bundle, _root: _Way(desk, promise)
    )
    return read_config(done.folder / "agent.toml")


def _enrol(bench: Path, promise: Promise, rounds: int) -> None:
    config = _boot(bench, promise)
    promise(f"enrolled {_key_of(config)}")


def _key_of(config: AgentConfig) -> str:
    folder = config.identity.root.parent
    open_trust_list(config.identity.trust_list.read_bytes(), read_certificates(config.identity.root)[0])
    read_signer(folder / "tls.key", folder / "tls.pem")
    return read_signer(folder / "evidence.key", folder / "evidence.pem").key_id


def _check_enrolled(bench: Path, promised: list[str]) -> list[str]:
    """The next start ends as the device that the card names, and the token is spent for one request only."""
    said = dict(line.partition(" ")[::2] for line in promised)
    torn = _not_as_brought(bench) if "enrolled" in said else []
    try:
        found = _key_of(_boot(bench, lambda _: None, said.get("asked", "")))
    except LiuhenFault as fault:
        return [f"not enrolled: {fault}"]
    left = [path.name for path in (bench / "state" / CARD).glob("card.dsse")]
    lost = [] if found == said.get("enrolled", found) else ["another key than the one that was enrolled"]
    return [*torn, *lost, *(f"{name} still holds the token" for name in left)]


def _not_as_brought(bench: Path) -> list[str]:
    """What the card brought and the device keeps: the two, and the time that its clock must have passed."""
    authority, folder = _authority(bench), bench / "state" / "device"
    try:
        canonical.parse_timestamp((folder / FLOOR).read_text())
    except SenderFault:
        return ["the time before which no clock may stand cannot be read"]
    given = {ROOT: authority.root_pem, ISSUING: authority.issuing.chain_pem}
    return [f"{name} is not the card's" for name, pem in given.items() if (folder / name).read_bytes() != pem]


def _write_device(bench: Path) -> None:
    _write_card(bench)
    _boot(bench, lambda _: None)


def _issue(bench: Path, promise: Promise) -> Callable[[bytes], bytes]:
    authority = _authority(bench)
    issuer = Issuer(authority.issuing.key, authority.issuing.chain[0])

    def ask(request: bytes) -> bytes:
        key = certificates.checked_request(request, DEVICE)
        promise(f"asked {key_id_of(key)}")
        bearer = Bearer(DEVICE, ROLE, "星河区")
        leaf = certificates.leaf_certificate(key, bearer, Profile.TLS_CLIENT, issuer, datetime.now(UTC))
        return base64.encodebytes(pkcs7.serialize_certificates([leaf], Encoding.DER))

    return ask


def _device(bench: Path) -> AgentConfig:
    return read_config(bench / "state" / "device" / "agent.toml")


def _renew(bench: Path, promise: Promise, rounds: int) -> None:
    config = _device(bench)
    for _ in range(RENEWALS * rounds):
        renew(config, datetime.now(UTC), _issue(bench, promise), _probe, force=True)
        promise(f"renewed {_tls_key(config)}")


def _probe(chain: Path, key: Path) -> None:
    read_signer(key, chain)


def _tls_key(config: AgentConfig) -> str:
    finish_swap(config.broker.certificate, config.broker.key)
    return read_signer(config.broker.key, config.broker.certificate).key_id


def _check_renewed(bench: Path, promised: list[str]) -> list[str]:
    """A pair that belongs together is in place, never an older one than was in use, and the next renewal goes on with
    the key that was asked for."""
    said = [line.split() for line in promised]
    held = [key for word, key in said if word == "renewed"][-1:]
    asked = said[-1][1] if said and said[-1][0] == "asked" else ""
    try:
        found = _tls_key(_device(bench))
        asked_next = _asked_next(bench)
    except LiuhenFault as fault:
        return [f"no pair that can be used: {fault}"]
    if held and found not in (*held, asked):
        return ["an older pair is in place than the one that was in use"]
    if asked and asked not in (found, asked_next):
        return ["a second key was asked for while the first was being certified"]
    return []


def _asked_next(bench: Path) -> str:
    """The key that the next renewal asks for; nobody answers it."""
    asked: list[bytes] = []

    def ask(request: bytes) -> bytes:
        asked.append(request)
        raise EnvironmentFault("示例：连不上")

    with contextlib.suppress(EnvironmentFault):
        renew(_device(bench), datetime.now(UTC), ask, _probe, force=True)
    return key_id_of(certificates.checked_request(asked[0], DEVICE))


class _Installer:
    """Writes a release as pip does: file by file, into folders, without a sync."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def install(self, _: Path, release: Path) -> None:
        with durable.disk_errors(release):
            (release / "lib").mkdir(parents=True)
            for name in FILES:
                (release / "lib" / name).write_bytes(_module(name, release.name))
            (release / "VERSION").write_text(release.name)

    def works(self, release: Path) -> bool:
        return not _damage(release)

    def restart(self) -> bool:
        return self.works(self._place / "current")


FILES = ("one.py", "two.py")


def _module(name: str, version: str) -> bytes:
    return f"{name} {version}\n".encode() * 500


def _damage(release: Path) -> list[str]:
    try:
        version = (release / "VERSION").read_text()
        return [name for name in FILES if (release / "lib" / name).read_bytes() != _module(name, version)]
    except OSError as error:
        return [str(error)]


def _write_releases(bench: Path) -> None:
    _write_device(bench)
    for serial in range(1, MOST_RELEASES + 1):
        _bundle(bench, serial)
    _take(bench, 1)


MOST_RELEASES = 24


def _bundle(bench: Path, serial: int) -> None:
    folder = bench / f"bundle-{serial}"
    folder.mkdir()
    (folder / "VERSION").write_text(f"{serial}.0")
    files = {"VERSION": Digest(hashlib.sha256((folder / "VERSION").read_bytes()).hexdigest())}
    release = Update(f"{serial}.0", serial, datetime.now(UTC), files)
    (folder / "update.dsse").write_bytes(seal(UPDATE_TYPE, release.encode(), [_authority(bench).issuing.signer]))


def _take(bench: Path, serial: int) -> None:
    place = bench / "state"
    done = update(_device(bench), bench / f"bundle-{serial}", place, system_clock(), _Installer(place))
    if done.version != f"{serial}.0":
        raise EnvironmentFault(done.why)


def _update(bench: Path, promise: Promise, rounds: int) -> None:
    begin = _in_use(bench) + 1
    for serial in range(begin, begin + rounds):
        _take(bench, serial)
        promise(f"taken {serial}")


def _in_use(bench: Path) -> int:
    return int(float((bench / "state" / "current" / "VERSION").read_text()))


def _check_updated(bench: Path, promised: list[str]) -> list[str]:
    """What is in use runs without anybody's help, also while a trial is open, and what was taken stays."""
    place = bench / "state"
    damage = _damage(place / "current")
    if damage:
        return [f"the release in use is damaged: {damage[0]}"]
    trial = place / TRIAL
    if trial.exists() and not (place / RELEASES / trial.read_text().partition("\n")[0] / COMPLETE).is_file():
        return ["a trial is open that does not say where to go back to"]
    settle(place, _Installer(place))
    least = max((int(line.split()[1]) for line in promised), default=1)
    serial = _in_use(bench)
    try:
        _take(bench, serial + 1)
    except LiuhenFault as fault:
        return [f"the next release cannot be taken: {fault}"]
    return [] if serial >= least else [f"release {least} was taken, {serial} is in use"]


SCENARIOS = [
    Scenario("configuration", _write_card, _enrol, _check_enrolled),
    Scenario("renewal", _write_device, _renew, _check_renewed),
    Scenario("update", _write_releases, _update, _check_updated),
]
