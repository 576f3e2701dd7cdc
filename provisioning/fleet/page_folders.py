"""Certificates for the centre's page: one for the server, and one for each person who comes in with it.

A person's certificate for logging in (TLS, client authentication) is another than the one that signs acts: a browser
holds the first, and a key that a browser can use must sign nothing.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from agent import durable
from agent.key_files import read_private_key
from agent.wire.signing import load_pem_certificates
from provisioning.authority.authority import Authority, read_file
from provisioning.fleet.folders import FolderOutcome
from provisioning.fleet.identity_files import nearly_over_at, refuse_second_home, write_identity, write_missing

PAGE, LOGIN, BUNDLE = "page", "login", "login.p12"
SERVER = "center-page"


def write_page_folder(authority: Authority, hosts: Sequence[str], folder: Path, now: datetime) -> FolderOutcome:
    """Make or complete `page.key` and `page.pem` of a centre's page that is reached as `hosts`."""
    refuse_second_home(authority, folder, SERVER, PAGE)
    durable.make_directory(folder, 0o700)
    changed = write_identity(
        folder, PAGE, SERVER, lambda r: authority.certify_broker(r, SERVER, hosts, now), nearly_over_at(now)
    )
    return FolderOutcome(folder, changed)


def write_login_folder(authority: Authority, subject: str, folder: Path, now: datetime) -> tuple[FolderOutcome, str]:
    """Make or complete `login.key`, `login.pem`, `root.pem` and, for a browser, `login.p12`; returns the password of
    the last, empty where it was there already."""
    durable.make_directory(folder, 0o700)
    spent = nearly_over_at(now)
    renewed = write_identity(folder, LOGIN, subject, lambda r: authority.certify_login(r, subject, now), spent)
    changed = write_missing(folder, {"root.pem": authority.root_pem}) or renewed
    if (folder / BUNDLE).exists() and not renewed:
        return FolderOutcome(folder, changed), ""
    password = secrets.token_urlsafe(9)
    durable.write_bytes(folder / BUNDLE, _bundle(folder, subject, password), durable.PRIVATE)
    return FolderOutcome(folder, True), password


def _bundle(folder: Path, subject: str, password: str) -> bytes:
    leaf, *rest = load_pem_certificates(read_file(folder / f"{LOGIN}.pem"))
    key = read_private_key(folder / f"{LOGIN}.key")
    return serialize_key_and_certificates(subject.encode(), key, leaf, rest, BestAvailableEncryption(password.encode()))
