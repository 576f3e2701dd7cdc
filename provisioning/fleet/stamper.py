"""A time-stamping authority of the district's own (RFC 3161): its key and certificate, and the configuration with which
openssl answers requests. What it says is the district's word about the district's recordings: one of somebody else is a
stronger witness, and this one is for where there is none.
"""

from datetime import datetime
from pathlib import Path

from agent import durable
from agent.wire.trust import Role
from provisioning.authority.authority import Authority, read_file
from provisioning.authority.certificates import Profile
from provisioning.authority.register import TSA_ROLE
from provisioning.authority.session import ISSUING
from provisioning.authority.subjects import checked_subject
from provisioning.fleet.folders import FolderOutcome
from provisioning.fleet.identity_files import nearly_over_at, refuse_second_home, write_identity, write_missing

NAME = "tsa"
POLICY = "2.25.182061310243417913170193212365438091121"  # ours: a UUID (X.667), nobody else's
CONFIGURATION = """\
[tsa]
default_tsa = district
[district]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
certs = {folder}/issuing.pem
signer_digest = sha256
default_policy = {policy}
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def write_stamper_folder(authority: Authority, subject: str, folder: Path, now: datetime) -> FolderOutcome:
    """Make or complete `tsa.key`, `tsa.pem`, `issuing.pem`, `root.pem`, `tsa.cnf` and `serial` (openssl's own); the
    configuration names `folder` where it is. Raises `OperatorFault` for a bad name or one that another folder holds."""
    checked_subject(subject, Role.RECEIVER)
    refuse_second_home(authority, folder, subject, NAME)
    durable.make_directory(folder, 0o700)
    changed = write_identity(
        folder, NAME, subject, lambda request: _certified(authority, request, subject, now), nearly_over_at(now)
    )
    text = CONFIGURATION.format(folder=folder.resolve(), policy=POLICY)
    issuing = read_file(authority.folder / ISSUING)
    files = {"root.pem": authority.root_pem, "issuing.pem": issuing, "tsa.cnf": text.encode()}
    changed = write_missing(folder, files) or changed
    if not (folder / "serial").exists():
        durable.write_bytes(folder / "serial", b"01\n")
    return FolderOutcome(folder, changed)


def _certified(authority: Authority, request: bytes, subject: str, now: datetime) -> bytes:
    with authority.sit() as desk:
        return desk.certify(request, subject, TSA_ROLE, Profile.TIME_STAMPING, now)
