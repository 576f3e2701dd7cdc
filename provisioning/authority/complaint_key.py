"""The centre's key pair for complaints: kiosks close what citizens tell for it, only the centre's desk reads them.

complaint.key   0600: to be moved to whoever handles complaints (`liuhen-center complaints --key`)
complaint.pub   copied into every kiosk host's folder; a kiosk without it takes no complaints
"""

from pathlib import Path

from provisioning.authority.archive_key import make_key_pair, read_public_half

COMPLAINT_KEY, COMPLAINT_PUBLIC = "complaint.key", "complaint.pub"


def make_complaint_key(folder: Path) -> bool:
    """Write the key pair into `folder`; returns False, and changes nothing, when its public half is there already (the
    private one may have been moved to the complaints' desk)."""
    return make_key_pair(folder / COMPLAINT_KEY, folder / COMPLAINT_PUBLIC)


def read_complaint_public(folder: Path) -> bytes | None:
    """The public half in the authority's `folder` (PEM), None where the pair was never made; raises `OperatorFault`
    for another kind of key."""
    place = folder / COMPLAINT_PUBLIC
    if not place.exists():
        return None
    return read_public_half(place, "投诉公钥", "请重新运行 liuhen-provision complaint-key。")
