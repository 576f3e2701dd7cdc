"""Configuration text for Mosquitto 2.0 and 2.1 (pure): mutual TLS, identity from the certificate, access by pattern;
and for its bridge to an upper-level platform.

Measured reasons (reference: provisioning, sections 0 and 2; mqtt, section 3):
`use_username_as_clientid`: without it a device connected under another's client id and took its queue.
`crlfile`: broken, it lets the revoked in; over, it shuts everybody out. Only `shut_out.py` replaces it while it runs.
`set_tcp_nodelay`: without it small windows fall from 22,000 to 318 messages a second.
Persistence is a convenience: rows leave a device only on the receiver's signed receipt.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from agent.wire.envelope import MAX_ENVELOPE_BYTES
from agent.wire.topics import EVENTS, STATE
from provisioning.center.access import DEVICE_READS, DEVICE_WRITES, AccessRules

MAX_PACKET_BYTES = MAX_ENVELOPE_BYTES  # reference: mqtt, section 4
MAX_KEEPALIVE_S = 120  # reference: mqtt, section 4
MAX_INFLIGHT = 100  # reference: mqtt, section 3a: best window of paho
MAX_QUEUED_MESSAGES = 200_000  # a day without receiver: 2,000 devices, one batch each quarter of an hour
MAX_QUEUED_BYTES = 2**31 - 1  # ours: what a small server can hold of them, and the most that Mosquitto 2.1 takes
AUTOSAVE_S = 30  # reference: mqtt, section 4
SESSION_EXPIRY = "14d"  # ours: longer than a device may be switched off and still be in service

BRIDGE_RESTART_S = (1, 60)  # ours: base and cap of the jittered back-off
BRIDGE_CHANNELS = (EVENTS, STATE)  # what a platform above may see: signed events, and who is there

CONFIG_FILE, ACCESS_FILE, PERSISTENCE = "mosquitto.conf", "access.acl", "persistence"
CRL_FILE, PID_FILE = "crl.pem", "mosquitto.pid"
BRIDGE_CA, BRIDGE_CERTIFICATE, BRIDGE_KEY = "bridge-root.pem", "bridge.pem", "bridge.key"
VERSIONS = ("2.0", "2.1")


@dataclass(frozen=True)
class Listener:
    """Where the broker listens: `bind` is an address, `0.0.0.0` for all, `127.0.0.1` for a rehearsal. `user` is whom
    Mosquitto becomes when root starts it; the folder must be that user's."""

    bind: str
    port: int
    user: str = "mosquitto"


@dataclass(frozen=True)
class Bridge:
    """The broker of an upper-level platform, which knows this one by the certificate `bridge.pem`."""

    host: str
    port: int


def mosquitto_conf(
    listener: Listener, folder: PurePosixPath, version: str = "2.0", bridge: Bridge | None = None, base: str = ""
) -> str:
    """`mosquitto.conf` of a version out of `VERSIONS` for a broker whose files are in the absolute `folder`; with
    `bridge`, what stands below `base` (`gov/{district}/v1`) goes up to it.

    2.1 calls `per_listener_settings` and `acl_file` obsolete and takes both until 3.0; where distributions put the
    plugin that follows `acl_file` is not the same everywhere, so it is not named.
    """
    listeners = "per_listener_settings false\n" if version == "2.0" else ""
    return f"""\
# Mosquitto {version}, written by liuhen-provision broker-config; changes are lost when it is written again.
user {listener.user}
{listeners}listener {listener.port} {listener.bind}
cafile {folder}/root.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
crlfile {folder}/{CRL_FILE}
pid_file {folder}/{PID_FILE}
require_certificate true
tls_version tlsv1.2
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/{ACCESS_FILE}
set_tcp_nodelay true
max_packet_size {MAX_PACKET_BYTES}
max_keepalive {MAX_KEEPALIVE_S}
max_inflight_messages {MAX_INFLIGHT}
max_queued_messages {MAX_QUEUED_MESSAGES}
max_queued_bytes {MAX_QUEUED_BYTES}
persistent_client_expiration {SESSION_EXPIRY}
persistence true
persistence_location {folder}/{PERSISTENCE}/
autosave_interval {AUTOSAVE_S}
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true
""" + ("" if bridge is None else _bridge_conf(bridge, folder, base))


def mosquitto_acl(rules: AccessRules) -> str:
    """`access.acl`: patterns for devices (%u: the certificate's common name), then receivers, pairs, those shut out."""
    lines = ["# Written by liuhen-provision broker-config; order: patterns, receivers, pairs, revoked."]
    lines += [f"pattern write {rules.base}/+/%u/{channel}" for channel in DEVICE_WRITES]
    lines += [f"pattern read {rules.base}/+/%u/{channel}" for channel in DEVICE_READS]
    lines += [f"pattern read {shared}" for shared in rules.common_reads]
    for receiver in rules.receivers:
        lines += ["", f"user {receiver}"]
        lines += [f"topic write {topic}" for topic in rules.writable(receiver)]
        lines += [f"topic read {topic}" for topic in rules.readable(receiver)]
    for paired in sorted({each for pair in rules.pairs for each in pair} - set(rules.revoked)):
        lines += ["", f"user {paired}"]
        lines += [f"topic read {topic}" for topic in rules.paired_reads(paired)]
    for subject in rules.revoked:
        lines += ["", f"user {subject}", "topic deny #"]
    return "\n".join(lines) + "\n"


def _bridge_conf(bridge: Bridge, folder: PurePosixPath, base: str) -> str:
    """Outwards only: nothing that a platform above says reaches a device, least of all a receipt."""
    topics = "".join(f"topic {base}/+/+/{channel} out 1\n" for channel in BRIDGE_CHANNELS)
    return f"""
connection upper
address {bridge.host}:{bridge.port}
bridge_cafile {folder}/{BRIDGE_CA}
bridge_certfile {folder}/{BRIDGE_CERTIFICATE}
bridge_keyfile {folder}/{BRIDGE_KEY}
bridge_protocol_version mqttv311
cleansession false
bridge_attempt_unsubscribe false
notifications_local_only true
restart_timeout {BRIDGE_RESTART_S[0]} {BRIDGE_RESTART_S[1]}
{topics}"""
