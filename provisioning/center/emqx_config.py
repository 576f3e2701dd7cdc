"""Configuration text for EMQX 5 (pure), with the meaning of `broker_config`: the same identity, rules and limits.

Written from EMQX's manual and never run here. EMQX matches a file's rules from the top and stops at the first, so those
who are shut out come first and the last line shuts out everybody else. A cluster has this on every node.
"""

from pathlib import PurePosixPath

from provisioning.center.access import DEVICE_READS, DEVICE_WRITES, AccessRules
from provisioning.center.broker_config import (
    MAX_INFLIGHT,
    MAX_KEEPALIVE_S,
    MAX_PACKET_BYTES,
    MAX_QUEUED_MESSAGES,
    SESSION_EXPIRY,
    Listener,
)

CONFIG_FILE, ACCESS_FILE = "base.hocon", "acl.conf"
MAX_CONNECTIONS = 102_400  # ours, a node; the scaling page says how many are sensible


def emqx_conf(listener: Listener, folder: PurePosixPath) -> str:
    """`base.hocon` for a node whose files are in the absolute `folder`."""
    return f"""\
# EMQX 5, written by liuhen-provision broker-config; changes are lost when it is written again.
listeners {{ tcp.default.enable = false, ws.default.enable = false, wss.default.enable = false }}
listeners.ssl.default {{
  bind = "{listener.bind}:{listener.port}"
  max_connections = {MAX_CONNECTIONS}
  tcp_options {{ nodelay = true }}
  ssl_options {{
    cacertfile = "{folder}/root.pem"
    certfile = "{folder}/broker.pem"
    keyfile = "{folder}/broker.key"
    verify = verify_peer
    fail_if_no_peer_cert = true
    versions = ["tlsv1.3", "tlsv1.2"]
  }}
}}
mqtt {{
  peer_cert_as_username = cn, peer_cert_as_clientid = cn
  max_packet_size = "{MAX_PACKET_BYTES // 1024}KB"
  server_keepalive = {MAX_KEEPALIVE_S}
  max_inflight = {MAX_INFLIGHT}
  max_mqueue_len = {MAX_QUEUED_MESSAGES}
  session_expiry_interval = "{SESSION_EXPIRY}"
}}
durable_sessions.enable = true
authorization {{
  no_match = deny, deny_action = ignore
  sources = [ {{ type = file, enable = true, path = "{folder}/{ACCESS_FILE}" }} ]
}}
"""


def emqx_acl(rules: AccessRules) -> str:
    """`acl.conf`: those shut out, receivers, pairs, then patterns for devices, then nobody."""
    lines = ["%% Written by liuhen-provision broker-config; the first rule that matches decides."]
    lines += [_rule("deny", subject, "all", ["#"]) for subject in rules.revoked]
    for receiver in rules.receivers:
        lines += [_rule("allow", receiver, "publish", rules.writable(receiver))]
        lines += [_rule("allow", receiver, "subscribe", rules.readable(receiver))]
    for paired in sorted({each for pair in rules.pairs for each in pair} - set(rules.revoked)):
        lines += [_rule("allow", paired, "subscribe", rules.paired_reads(paired))]
    own = f"{rules.base}/+/${{username}}"
    lines += [
        _tuple("allow", "all", "publish", [f"{own}/{channel}" for channel in DEVICE_WRITES]),
        _tuple("allow", "all", "subscribe", [*(f"{own}/{it}" for it in DEVICE_READS), *rules.common_reads]),
        "{deny, all}.",
    ]
    return "\n".join(lines) + "\n"


def _rule(verdict: str, subject: str, action: str, topics: tuple[str, ...] | list[str]) -> str:
    return _tuple(verdict, f'{{username, "{subject}"}}', action, topics)


def _tuple(verdict: str, who: str, action: str, topics: tuple[str, ...] | list[str]) -> str:
    return f"{{{verdict}, {who}, {action}, [{', '.join(f'{chr(34)}{topic}{chr(34)}' for topic in topics)}]}}."
