"""What verifiers that none of us wrote say: c2pa-python, encypher-c2pa, openssl. All offline."""

import io
import json
import subprocess
from pathlib import Path

import c2pa
import encypher_c2pa

EVIDENCE_OIDS = "1.3.6.1.5.5.7.3.36\n1.3.6.1.5.5.7.3.4\n"


def c2pa_state(data: bytes, root_pem: bytes, *, explicit: bool = True) -> str:
    """`validation_state` of c2pa-python with `root_pem` as the only anchor; "Refused" when it cannot even read."""
    trust = {"trust_anchors": root_pem.decode()}
    if explicit:
        trust["trust_config"] = EVIDENCE_OIDS
    settings = {"trust": trust, "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}}
    with c2pa.Context.from_dict(settings) as context:
        try:
            with c2pa.Reader("video/mp4", io.BytesIO(data), context=context) as reader:
                return str(json.loads(reader.json())["validation_state"])
        except c2pa.C2paError:
            return "Refused"


def c2pa_manifest(data: bytes) -> dict[str, object]:
    """The active manifest as c2pa-python reads it."""
    with c2pa.Reader("video/mp4", io.BytesIO(data)) as reader:
        report = json.loads(reader.json())
    return report["manifests"][report["active_manifest"]]


def encypher_accepts(data: bytes, root_pem: bytes, tsa_pem: bytes | None = None) -> bool:
    """Whether encypher-c2pa finds content, signature and trust in order; `tsa_pem` anchors time-stamps."""
    try:
        report = encypher_c2pa.verify(
            data,
            "video/mp4",
            trust_pem=root_pem.decode(),
            tsa_trust_pem=None if tsa_pem is None else tsa_pem.decode(),
            no_default_trust=True,
            telemetry=False,
            online=False,
        )
    except ValueError:  # a file that it cannot even take apart
        return False
    return (report.get("integrity"), report.get("validation_state")) == ("valid", "Trusted")


def encypher_stream(init: bytes, fragments: list[bytes], root_pem: bytes, *, begins_late: bool = False) -> str:
    """`integrity` of encypher-c2pa's live verification of an unsealed segment; `begins_late`: not with fragment 1."""
    report = encypher_c2pa.verify_stream(
        init,
        fragments,
        "video/mp4",
        expected_seek_positions=[0] if begins_late else None,
        trust_pem=root_pem.decode(),
        no_default_trust=True,
        telemetry=False,
        online=False,
    )
    return str(report["integrity"])


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A command line, finished; output as text."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
