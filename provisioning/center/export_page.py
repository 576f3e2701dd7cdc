"""The export certificate as one self-contained page for paper: A4, no script, nothing from outside (pure)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape

from agent.evidence.report import WHAT_A_SIGNATURE_PROVES, Verdict
from agent.wire.instant import BEIJING
from provisioning.center.export_certificate import ExportCertificate, Kind, Taken

KINDS = {
    Kind.WHOLE: "全部原件 whole recording",
    Kind.EXACT: "原签名片段 exact cut, original signatures",
    Kind.MASKED: "遮挡或静音后重新编码 re-encoded, masked",
}
STYLE = """
@page { size: A4; margin: 12mm 16mm }
body { font: 10pt/1.45 "Noto Sans CJK SC", "Source Han Sans SC", sans-serif; color: #111;
  max-width: 178mm; margin: auto }
h1 { font-size: 20pt; letter-spacing: .3em; text-align: center; margin: 0 }
h1 + p { text-align: center; margin: 0 0 4mm }
h2 { font-size: 11pt; margin: 3mm 0 1mm } table { border-collapse: collapse; width: 100% }
th, td { border: .3mm solid #777; padding: .6mm 2mm; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { width: 46mm; background: #f2f2f2; font-weight: 600 }
.sums td { font: 8.5pt/1.4 monospace } .sums td + td { width: 118mm }
.sign th { width: 26mm } .sign td { height: 14mm }
small, footer { color: #444; font-size: 8.5pt } tr { break-inside: avoid }
"""


def certificate_page(certificate: ExportCertificate, envelope_digest: str, ledger_line: str, key: str) -> str:
    """The page; `envelope_digest` is the SHA-256 of the signed file beside it, `key` the id of the key that signed."""
    told = certificate.responsibility
    verdict = Verdict(certificate.verdict)
    facts = [
        ("录制 recording", certificate.recording),
        ("设备、单位 device, unit", f"{certificate.device}，{certificate.unit}"),
        ("导出内容 content", KINDS[certificate.kind]),
        ("范围 range", "；".join(_range(entry) for entry in certificate.taken)),
        ("改动 changes", "；".join(certificate.changes) or "无 none"),
        ("原件检验结果 verdict", f"{verdict.chinese} {verdict}（导出时 at export）"),
        ("导出时间 exported at", f"{_moment(certificate.exported_at)}（北京时间）"),
        ("导出人 by", told.by),
        ("事由 reason", told.reason),
        ("批准人 approved by", told.approved_by),
        ("中心 centre", certificate.centre),
    ]
    return "".join(_page(certificate, facts, envelope_digest, ledger_line, key))


def _page(
    certificate: ExportCertificate, facts: Sequence[tuple[str, str]], digest: str, line: str, key: str
) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="zh"><meta charset="utf-8">'
    yield f"<title>导出证明 {escape(certificate.recording)}</title>"
    yield f"<style>{STYLE}</style><h1>导出证明</h1><p>Export certificate</p>"
    yield f"<table>{''.join(_row(name, value) for name, value in facts)}</table>"
    yield f"<h2>导出的文件 exported files（SHA-256）</h2>{_sums(certificate.files.items())}"
    yield f"<h2>取自 taken from（SHA-256）</h2>{_sums(certificate.sources.items())}"
    signed = [("export.dsse", digest), ("台账行 ledger line", line), ("签名密钥 signing key", key)]
    yield f"<h2>本证明 this certificate</h2>{_sums(signed)}"
    yield '<table class="sign" style="margin-top:5mm"><tr><th>导出人签字<td><th>批准人签字<td></table>'
    yield "<footer><p>本页是 export.dsse 的打印件，以其数字签名为准。检验办法见 HOW-TO-VERIFY.txt。"
    yield f"{WHAT_A_SIGNATURE_PROVES}<br>This page shows export.dsse; its digital signature counts. "
    yield "A signature proves that nothing changed, not that the scene is true.</p></footer></html>\n"


def _row(name: str, value: str) -> str:
    return f"<tr><th>{escape(name)}<td>{escape(value)}"


def _sums(rows: Iterable[tuple[str, str]]) -> str:
    return '<table class="sums">' + "".join(f"<tr><td>{escape(name)}<td>{escape(it)}" for name, it in rows) + "</table>"


def _range(entry: Taken) -> str:
    excerpt = entry.excerpt
    if excerpt is None:
        return f"{entry.source} 全段"
    begin, end = (_moment(moment, "%Y-%m-%d %H:%M:%S.%f")[:-3] for moment in (excerpt.begin, excerpt.end))
    return f"{entry.source} 第 {excerpt.first} 至 {excerpt.last} 片段（{begin} 至 {end}，设备时间）"


def _moment(moment: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return f"{moment.astimezone(BEIJING):{form}}"
