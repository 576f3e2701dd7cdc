"""What a device does on the way when it looks after its certificate: a newer trust list, and its acceptance.

Whatever is not there, or cannot be had, fails nothing: the next day is early enough."""

from collections.abc import Callable, Iterator
from datetime import datetime

from agent import durable, tls_renewal
from agent.accepted import is_accepted, keep_acceptance
from agent.app import read_trust_list
from agent.config import AgentConfig
from agent.errors import EnvironmentFault, SenderFault
from agent.key_files import read_certificates
from agent.wire.envelope import open_trust_list


def is_ordered(config: AgentConfig) -> bool:
    """Whether the bench ordered a new key; nobody who could tell is no order."""
    try:
        return bool(config.identity.renewal) and tls_renewal.is_ordered(config)
    except EnvironmentFault:
        return False


def run(config: AgentConfig, now: datetime) -> Iterator[str]:
    """Do them; a line for people for each that brought something, or could not be done."""
    if not config.identity.renewal:
        return
    errands: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("信任清单", lambda: take_trust(config)),
        ("验收通知", lambda: take_acceptance(config, now)),
    )
    for name, errand in errands:
        try:
            if errand():
                yield f"{name}已更新。"
        except (EnvironmentFault, SenderFault) as fault:
            yield f"{name}没有取到（{fault}）"


def take_trust(config: AgentConfig) -> bool:
    """A newer list of this district into the device's folder, where a running agent sees it; whether there was one.

    Raises `SenderFault` for one that our root did not sign or of another district."""
    sealed = tls_renewal.fetch_trust(config)
    if sealed is None:
        return False
    found = open_trust_list(sealed, read_certificates(config.identity.root)[0])
    if found.district != config.district:
        raise SenderFault(f"信任清单属于区域 {found.district}，本机属于 {config.district}，已拒绝。")
    if found.version <= read_trust_list(config).version:
        return False
    durable.write_bytes(config.identity.trust_list, sealed)
    return True


def take_acceptance(config: AgentConfig, now: datetime) -> bool:
    """The authority's word for a device that waits for it; whether it came."""
    if is_accepted(config, now) is not False:
        return False
    word = tls_renewal.fetch_acceptance(config)
    if word is not None:
        keep_acceptance(config, word, now)
    return word is not None
