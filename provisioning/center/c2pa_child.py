"""Signing a re-encoded clip as a C2PA child of the original recording. The only file here that knows c2pa-python.

The parent's whole manifest store (the device's own seal) travels inside as an ingredient, with what the foreign engine
found when it verified the original.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from agent.errors import EnvironmentFault, OperatorFault
from agent.wire.signing import CertifiedSigner, load_certificate

GENERATOR = "Liuhen centre"
EXCERPT_LABEL = "cn.liuhen.excerpt"
PARENT = "parent"
# What was done to the picture is an edit; "c2pa.redacted" speaks of removed assertions (C2PA 2.4 section 18.15.4.7).
TRIMMED, EDITED, TRANSCODED = "c2pa.trimmed", "c2pa.edited", "c2pa.transcoded"
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


def sign_child(
    clip: Path, parent: Path, target: Path, signer: CertifiedSigner, changes: Sequence[str], excerpt: Mapping[str, Any]
) -> None:
    """Write `clip` with a manifest into `target`: child of `parent`, made by `changes`, holding `excerpt` of it.

    Raises `OperatorFault` when c2pa-python is not installed, `EnvironmentFault` when it refuses.
    """
    try:
        import c2pa
    except ImportError as error:
        raise OperatorFault("制作遮挡片段需要 c2pa-python，请执行 pip install 'liuhen[depot]'。") from error
    pem = b"".join(load_certificate(it).public_bytes(Encoding.PEM) for it in signer.chain).decode()
    try:
        with contextlib.ExitStack() as stack:
            made = c2pa.Signer.from_callback(signer.sign, c2pa.C2paSigningAlg.ES256, pem, None)
            signs, context = stack.enter_context(made), stack.enter_context(c2pa.Context.from_dict(OFFLINE))
            builder = stack.enter_context(c2pa.Builder(json.dumps(_definition(target, changes, excerpt)), context))
            original, film = (stack.enter_context(path.open("rb")) for path in (parent, clip))
            ingredient = {"title": parent.name, "relationship": "parentOf", "label": PARENT}
            builder.add_ingredient(ingredient, "video/mp4", original)
            builder.sign(signs, "video/mp4", film, stack.enter_context(target.open("w+b")))
    except (c2pa.C2paError, OSError) as error:
        raise EnvironmentFault(f"无法为 {target.name} 签署凭证：{error}。请检查中心的证书与磁盘空间。") from error


def _definition(clip: Path, changes: Sequence[str], excerpt: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "claim_generator_info": [{"name": GENERATOR}],
        "title": clip.name,
        "format": "video/mp4",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": list(_actions(changes))}},
            {"label": EXCERPT_LABEL, "data": dict(excerpt)},
        ],
    }


def _actions(changes: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    yield {"action": "c2pa.opened", "parameters": {"ingredientIds": [PARENT]}}
    yield {"action": TRIMMED}
    for change in changes:
        yield {"action": EDITED, "description": change}
    yield {"action": TRANSCODED}
