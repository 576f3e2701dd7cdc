"""HOW-TO-VERIFY.txt of a masked clip: what anyone can check with openssl and any C2PA software (pure)."""

from collections.abc import Iterator, Mapping, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from agent.evidence.certificates import common_name
from agent.evidence.how_to import ANSWER, COMMAND, ROOT_NAME, Step
from agent.wire.signing import load_certificate
from provisioning.center.export_certificate import Taken

_ABOUT = [
    "这里的片段由中心遮挡或静音后重新编码，不再带设备的签名；由中心签名，C2PA 凭证中带有原件的凭证（parentOf）。",
    "The clip was covered or muted and coded again at the centre. It bears the centre's signature, not the device's;",
    "the original's own manifest travels inside its C2PA manifest as its parent (parentOf).",
]
_FOREIGN = [
    f"画面是否就是所签的画面，由 C2PA 软件（如 c2patool）检验：给出信任锚 {ROOT_NAME}，否则会说签名者未知。应当看到：",
    "Whether the picture is the one that was signed is for C2PA software (as c2patool): give it",
    f"{ROOT_NAME} as trust anchor, or it says that the signer is unknown. It must show:",
]


def how_to_masked(
    taken: Sequence[Taken], sources: Mapping[str, str], sums: Mapping[str, str], root: x509.Certificate, signer: bytes
) -> str:
    """The page for the clips `taken` from the originals `sources`; `sums` are the clips' SHA-256, `signer` is the
    centre's leaf certificate (DER)."""
    steps = [*_steps(taken, sums, root)]
    lines = ["遮挡片段检验办法    HOW TO VERIFY this masked clip", "", *_ABOUT, ""]
    lines += ["在本文件夹中依次执行以 $ 开头的命令；= 之后是应当看到的结果。"]
    lines += ["Run the lines that begin with $ in this folder, in order; after = stands what you must see."]
    for number, step in enumerate(steps, start=1):
        lines += ["", f"{number}. {step.chinese}", f"   {step.english}", COMMAND + step.command, ANSWER + step.answer]
    lines += ["", *_FOREIGN, "", *_shown(taken, sources, signer), "", *_certificate()]
    return "\n".join(lines) + "\n"


def _steps(taken: Sequence[Taken], sums: Mapping[str, str], root: x509.Certificate) -> Iterator[Step]:
    yield Step(
        "根证书：与该区另行公布的指纹核对。随文件送来的根证书本身什么也不证明。",
        "The root: compare with the fingerprint that the district publishes elsewhere; this copy proves nothing.",
        f"openssl x509 -in {ROOT_NAME} -noout -fingerprint -sha256",
        f"sha256 Fingerprint={root.fingerprint(hashes.SHA256()).hex(':').upper()}",
    )
    for entry in taken:
        yield Step(
            "片段与导出证明所列一致。",
            "The clip is the one that the export certificate lists.",
            f"sha256sum {entry.file}",
            f"{sums[entry.file]}  {entry.file}",
        )


def _shown(taken: Sequence[Taken], sources: Mapping[str, str], signer: bytes) -> Iterator[str]:
    leaf = load_certificate(signer)
    for entry in taken:
        yield f"  {entry.file}"
        yield f"    标题 title：{entry.file}    原件 parent：{entry.source}"
        yield f"    原件的 SHA-256 of the original（cn.liuhen.excerpt, source_sha256）：{sources[entry.source]}"
        if entry.excerpt is not None:
            yield f"    取自第 {entry.excerpt.first} 至 {entry.excerpt.last} 片段 fragments（first, last）"
    yield "    动作 actions：c2pa.opened、c2pa.trimmed、c2pa.edited（每处改动一条 one a change）、c2pa.transcoded"
    yield f"    签名证书 signed by：{common_name(leaf)}，SHA-256 {leaf.fingerprint(hashes.SHA256()).hex()}"


def _certificate() -> list[str]:
    return [
        "谁批准、改了什么、原件导出时的检验结论：见 export.dsse，用 liuhen-verify 本文件夹 --roots root.pem --trust",
        "trust.dsse 检验（trust.dsse 向该区索取）。要对照遮挡之前的画面，凭原件的 SHA-256 向中心调阅原件。",
        "Who approved, what was changed, what the original was found to be: export.dsse, checked by",
        "liuhen-verify FOLDER --roots root.pem --trust trust.dsse (the trust list is the district's to give).",
        "签名只证明自中心签名之后内容未被改动；不证明画面内容属实。",
        "A signature proves that nothing changed since the centre signed, not that the scene is true.",
    ]
