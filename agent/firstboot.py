"""A device's first start: from a card to a device that the district knows. Every step leaves a file that the next start
finds, so that it can be interrupted anywhere; the whole is done once `agent.toml` stands in the device's folder and the
card's token is gone.

    card -> this computer? -> clock floor -> two keys -> request (kept, sent again as it is) -> reply -> files -> burn

Files of the folder meanwhile: `enrolment/card.dsse, root.pem, issuing.pem, request.json, reply.json`, all 0600.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from agent import durable
from agent.clock import Clock
from agent.config import parse_config
from agent.device_keys import checked_chain, own_key, signing_request
from agent.enrol_ways import Way, may_come_good
from agent.errors import EnvironmentFault, OperatorFault, SenderFault
from agent.stick import read_plain
from agent.wire import canonical
from agent.wire.card_bundle import CardBundle, for_hardware, open_card
from agent.wire.enrolment import (
    MAX_REPLY_BYTES,
    EnrolmentAnswer,
    EnrolmentRequest,
    for_request,
    open_answer,
    parse_reply,
)
from agent.wire.envelope import MAX_ENVELOPE_BYTES, open_trust_list
from agent.wire.signing import load_pem_certificates
from agent.wire.trust import TrustList

CARD, ROOT, ISSUING = "card.dsse", "root.pem", "issuing.pem"
STAGED, REQUEST, REPLY, BURNING = "enrolment", "request.json", "reply.json", "burning"
AGENT_TOML, FLOOR = "agent.toml", "clock.floor"
TLS_KEY, EVIDENCE_KEY = "tls.key", "evidence.key"
TLS_CHAIN, EVIDENCE_CHAIN, TRUST = "tls.pem", "evidence.pem", "trust.dsse"
SERIAL_FILES = (Path("/sys/firmware/devicetree/base/serial-number"), Path("/sys/class/dmi/id/product_serial"))

SetClock = Callable[[datetime], None]


@dataclass(frozen=True)
class Here:
    """This computer: its serial number, what else it says of itself, its clock and how that is set."""

    hardware: str
    facts: Mapping[str, str]
    clock: Clock
    set_clock: SetClock


@dataclass(frozen=True)
class Enrolled:
    """A device that is one now; `again` when it was so before."""

    device: str
    folder: Path
    again: bool


def first_boot(card: Path, folder: Path, here: Here, way_of: Callable[[CardBundle, Path], Way]) -> Enrolled:
    """Become the device that the files in `card` name, in `folder`. The same call again goes on where it stopped.

    Raises `SenderFault` for a card that is forged, expired, for another computer, or was refused; `OperatorFault` when
    there is no card; `EnvironmentFault` when the authority could not be asked yet: then call again."""
    if (folder / AGENT_TOML).exists():
        device = str(parse_config((folder / AGENT_TOML).read_text(encoding="utf-8"), folder).device)
        _burn_own(card, folder)
        return Enrolled(device, folder, again=True)
    staged = folder / STAGED
    bundle, issuing, root = _card(card, staged, here)
    for_hardware(bundle, here.hardware)
    _raise_clock(bundle.clock_floor, folder, here)
    _stage(card, staged)
    request = _request(bundle, folder, here)
    way = way_of(bundle, staged / ROOT)
    _install(_reply(way, request, staged, folder, (bundle, issuing, root), here), folder, staged)
    way.done()
    _burn(card, folder)
    return Enrolled(bundle.device, folder, again=False)


def hardware_serial(files: tuple[Path, ...] = SERIAL_FILES) -> str:
    """This computer's serial number; raises `EnvironmentFault` when it tells none."""
    for path in files:
        try:
            found = path.read_text(encoding="ascii").strip("\0 \n")
        except (OSError, UnicodeDecodeError):
            continue
        if found:
            return found
    raise EnvironmentFault("读不到本机的硬件序列号。请用 --serial-file 指出它在哪里。")


def system_clock_set(moment: datetime) -> None:
    """Set the computer's clock; raises `EnvironmentFault` without the right to."""
    try:
        time.clock_settime(time.CLOCK_REALTIME, moment.timestamp())
    except OSError as error:
        raise EnvironmentFault(
            f"本机时钟落后，又不能设置（{error.strerror}）。请以 root 运行，或先把时钟拨到 {moment:%Y-%m-%d}。"
        ) from error


def _card(card: Path, staged: Path, here: Here) -> tuple[CardBundle, x509.Certificate, x509.Certificate]:
    place = card if read_plain(card, CARD, MAX_ENVELOPE_BYTES) is not None else staged
    files = [read_plain(place, name, MAX_ENVELOPE_BYTES) for name in (CARD, ISSUING, ROOT)]
    if None in files:
        raise OperatorFault(f"{card} 中没有完整的写卡文件。请用 liuhen-provision write-card 重新写卡。")
    sealed, issuing, root = (content or b"" for content in files)
    try:
        certificates = load_pem_certificates(issuing)[0], load_pem_certificates(root)[0]
        return open_card(sealed, *certificates, here.clock.read().wall), *certificates
    except SenderFault as fault:
        raise SenderFault(_with_step(str(fault)), fault.code) from fault


def _with_step(told: str) -> str:
    """What is wrong with a card, and what to do where that does not stand there yet."""
    return f"卡上的写卡文件不可信：{told}{'请用 liuhen-provision write-card 重新写卡。' if '请' not in told else ''}"


def _raise_clock(floor: datetime, folder: Path, here: Here) -> None:
    durable.make_directory(folder)
    if not (folder / FLOOR).exists():
        durable.write_bytes(folder / FLOOR, canonical.timestamp(floor).encode())
    if here.clock.read().wall < floor:
        here.set_clock(floor)


def _stage(card: Path, staged: Path) -> None:
    durable.make_directory(staged, 0o700)
    for name in (ROOT, ISSUING, CARD):
        content = read_plain(card, name, MAX_ENVELOPE_BYTES)
        held = read_plain(staged, name, MAX_ENVELOPE_BYTES)
        if content is None or content == held:
            continue
        if name == CARD:  # a card written anew: what was asked with the old one counts for nothing
            for old in (REQUEST, REPLY):
                durable.remove(staged / old)
        durable.write_bytes(staged / name, content, durable.PRIVATE)


def _request(bundle: CardBundle, folder: Path, here: Here) -> bytes:
    place = folder / STAGED / REQUEST
    if not place.exists():
        tls, evidence = (own_key(folder / name) for name in (TLS_KEY, EVIDENCE_KEY))
        asked = EnrolmentRequest(
            bundle.device,
            bundle.district,
            bundle.hardware,
            signing_request(tls, bundle.device),
            signing_request(evidence, bundle.device),
            here.facts,
            here.clock.read().wall,
        )
        durable.write_bytes(place, asked.prove(bundle.bound_token()).encode(), durable.PRIVATE)
    return place.read_bytes()


Authorities = tuple[CardBundle, x509.Certificate, x509.Certificate]
Granted = tuple[EnrolmentAnswer, TrustList, bytes]


def _reply(way: Way, request: bytes, staged: Path, folder: Path, by: Authorities, here: Here) -> Granted:
    kept = read_plain(staged, REPLY, MAX_REPLY_BYTES)
    if kept is not None:
        return _granted(kept, request, folder, by, here)
    reply = way.ask(request)
    try:
        granted = _granted(reply, request, folder, by, here)
    except SenderFault as fault:
        if may_come_good(fault):
            raise EnvironmentFault(str(fault)) from fault
        raise
    durable.write_bytes(staged / REPLY, reply, durable.PRIVATE)
    return granted


def _granted(reply: bytes, request: bytes, folder: Path, by: Authorities, here: Here) -> Granted:
    bundle, issuing, root = by
    found = parse_reply(reply)
    answer = open_answer(found.answer, issuing, root, here.clock.read().wall)
    for_request(answer, bundle.device, request)
    checked_chain(answer.tls, own_key(folder / TLS_KEY), bundle.device, issuing)
    checked_chain(answer.evidence, own_key(folder / EVIDENCE_KEY), bundle.device, issuing)
    trust = open_trust_list(found.trust, root)
    config = parse_config(answer.files.get(AGENT_TOML, ""), folder)
    if (config.device, config.district) != (bundle.device, bundle.district) or trust.district != bundle.district:
        raise SenderFault("答复中的配置或信任清单不是本机的，已拒绝。请检查机构的登记。", "other-request")
    return answer, trust, found.trust


def _install(granted: Granted, folder: Path, staged: Path) -> None:
    answer, _, trust = granted
    durable.write_bytes(folder / ROOT, (staged / ROOT).read_bytes())
    durable.write_bytes(folder / ISSUING, (staged / ISSUING).read_bytes())
    durable.write_bytes(folder / TRUST, trust)
    durable.write_bytes(folder / TLS_CHAIN, answer.tls.encode())
    durable.write_bytes(folder / EVIDENCE_CHAIN, answer.evidence.encode())
    for name, content in sorted(answer.files.items(), key=lambda item: item[0] == AGENT_TOML):
        durable.write_bytes(folder / name, content.encode())  # agent.toml last: with it the device is one


def _burn_own(card: Path, folder: Path) -> None:
    """A card is burnt by the device that used it; another one that lies here is not ours to burn."""
    staged = read_plain(folder / STAGED, CARD, MAX_ENVELOPE_BYTES)
    there = read_plain(card, CARD, MAX_ENVELOPE_BYTES) if card.is_dir() else None
    if there is not None and staged != there and not (folder / STAGED / BURNING).exists():
        raise OperatorFault(f"{folder} 已是入网的设备，这张卡没有动。若要换卡重新入网，请先在工作台退役，再清空目录。")
    _burn(card, folder)


def _burn(card: Path, folder: Path) -> None:
    """The token is used up at the authority; here it is overwritten and removed, from the card and from the disk."""
    if not (folder / STAGED).is_dir():
        return
    durable.write_bytes(folder / STAGED / BURNING, b"")  # from here on the card may hold half of it
    for place in (card / CARD, folder / STAGED / CARD):
        if place.is_file() and not place.is_symlink():
            durable.overwrite(place, 0, os.urandom(place.stat().st_size))
            durable.remove(place)
    for name in (REQUEST, REPLY, ROOT, ISSUING, BURNING):  # the mark goes last
        durable.remove(folder / STAGED / name)
    with durable.disk_errors(folder / STAGED):
        (folder / STAGED).rmdir()
