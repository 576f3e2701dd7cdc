"""A review packet as one folder that anybody can check: the page, the facts, the signed acts, what the recordings' own
devices signed, the papers, a list of sums and the centre's signature over it.

The films are not in it: their sums are, as their devices signed them, so that whoever looks at a film knows it is this
one. The folder is made hidden and gets its name when it is whole.
"""

import hashlib
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from agent import durable
from agent.duty.case_facts import CaseFacts
from agent.duty.case_json import case_digest, encode_case
from agent.duty.case_papers import CasePaper
from agent.duty.review import Review, replay
from agent.errors import OperatorFault, SenderFault
from agent.evidence import cms, sidecars
from agent.wire import canonical
from agent.wire.acts import act_name, open_acts
from agent.wire.device_events import GENESIS
from agent.wire.envelope import open_trust_list
from agent.wire.identifiers import Digest
from agent.wire.signing import CertifiedSigner, certificate_key, key_id_of, load_certificate, load_pem_certificates
from agent.wire.trust import Role
from provisioning.authority.authority import read_file
from provisioning.center.packet_rules import RULES, check_reviewers, rules_files
from provisioning.center.review_page import Dossier, review_page
from provisioning.center.rulings import Ruling

PAGE, FACTS, MANIFEST, HOW_TO = "review.html", "facts.json", "packet.json", "HOW-TO-CHECK.txt"
SUM_LINE = re.compile(r"([0-9a-f]{64})  ((?:[\w.-]+/)*[^/\\\0-\x1f]+)")
RULES_NAME = re.compile(rf"{RULES}/([0-9]{{3}})\.dsse")
PAPER_NAME = re.compile(r"[^/\\\0-\x1f]+")
TRUST, ROOT = "trust.dsse", "root.pem"
DOCUMENTS = "documents"
FROM_DEVICE = (sidecars.JOURNAL_NAME, sidecars.SUMS_NAME, sidecars.SIGNATURE_NAME)

HOW_TO_TEXT = """法制审核包 {task} 检验办法    HOW TO CHECK this review packet

在本文件夹中依次执行以 $ 开头的命令；= 之后是应当看到的结果。
Run the lines that begin with $ in this folder, in order; after = stands what you must see.
root.pem 请与从本区另行取得的比对：与材料放在一起的不算数。Compare root.pem with one you got from elsewhere.

  $ openssl x509 -in root.pem -noout -fingerprint -sha256
  = {fingerprint}
  $ sha256sum -c --quiet SHA256SUMS
  $ openssl cms -verify -binary -inform DER -in SHA256SUMS.p7s -content SHA256SUMS -CAfile root.pem -out /dev/null
  = CMS Verification successful
  $ sha256sum facts.json
  = {facts}

{texts}
rules/ 中是审核人每项办理当时所依据的法制审核办法，由编辑、审核二人签名。The rules each act was judged by.
acts/ 中每项办理记录由办理人签名，并写明前一项的 SHA-256；全部核对： Every act is signed and names the one before:
liuhen-center review check . --root root.pem
录像不在本包内；recordings/ 中是各录像所在设备签名的清单，可用来核对手中的录像：
The films are not here; recordings/ holds the lists their devices signed, to check a film in hand.
"""


TEXTS = """文书原文的 SHA-256 应与 facts.json、与设备签名的事件所记的相同：
The SHA-256 of a document is the one in facts.json, which its device signed when it was made out:
"""


@dataclass(frozen=True)
class Seal:
    """Who seals a packet: the centre's name and key, the district's root and its sealed trust list."""

    centre: str
    signer: CertifiedSigner
    root_pem: bytes
    trust: bytes


@dataclass(frozen=True)
class Checked:
    """What a packet that holds says: the task, its review, the digest of its facts, who sealed it, the numbers of
    documents whose text is not in it, and of reviewers' acts that came without the rules they were judged by."""

    review: Review
    facts: Digest
    sealed_by: str
    absent: tuple[str, ...] = ()
    unruled: tuple[int, ...] = ()


def write_packet(
    target: Path,
    facts: CaseFacts,
    review: Review,
    ruling: Ruling,
    *,
    acts: Sequence[bytes],
    grounds: Mapping[int, bytes],
    documents: Sequence[CasePaper],
    papers: Sequence[Path],
    recordings: Path,
    seal: Seal,
    now: datetime,
) -> Path:
    """Write the packet of a case into the new folder `target`; returns it. `grounds` are the rules that acts
    were judged by, by number of the act, `documents` the case's own, `papers` files that come with it.

    Raises `OperatorFault` when `target` exists, two papers have one name or one cannot be read."""
    if target.exists():
        raise OperatorFault(f"{target} 已存在，请用 --out 指定一个新文件夹。")
    contents = {path.name: read_file(path) for path in papers}
    if len(contents) != len(papers) or not all(PAPER_NAME.fullmatch(name) for name in contents):
        raise OperatorFault("材料的文件名有重复，或含有换行、反斜线等字符，请改名后重试。")
    dossier = Dossier(
        facts, review, ruling.rules, _compared(contents, facts), now, seal.centre, tuple(documents), ruling.told
    )
    files = {
        PAGE: review_page(dossier).encode(),
        FACTS: encode_case(facts),
        MANIFEST: _manifest(dossier),
        HOW_TO: _how_to(facts, documents, seal).encode(),
        TRUST: seal.trust,
        ROOT: seal.root_pem,
        **{f"acts/{act_name(number)}": envelope for number, envelope in enumerate(acts, 1)},
        **rules_files(grounds),
        **{f"materials/{name}": content for name, content in contents.items()},
        **{f"{DOCUMENTS}/{name}": content for it in documents for name, content in it.files.items()},
        **dict(_from_devices(facts, recordings)),
    }
    durable.make_directory(target.absolute().parent)
    with _draft(target) as draft:
        _write(draft, files, seal)
        durable.move(draft, target)
    return target


def check_packet(folder: Path, root: x509.Certificate) -> Checked:
    """Check every file, signature and act of a packet; raises `SenderFault` at the first that does not hold."""
    sums = read_file(folder / sidecars.SUMS_NAME)
    listed = _parse_sums(sums)
    there = {str(path.relative_to(folder)): path for path in _plain(folder)}
    own = {sidecars.SUMS_NAME, sidecars.SIGNATURE_NAME}
    wrong = sorted(there.keys() - own ^ listed.keys())
    if wrong:
        raise SenderFault(f"审核包的文件与清单不符：{'、'.join(wrong[:5])}，已拒绝。请重新取得审核包。", "files")
    for name, digest in listed.items():
        if hashlib.sha256(read_file(there[name])).hexdigest() != digest:
            raise SenderFault(f"审核包中的 {name} 被改动，已拒绝。请重新取得审核包。", "altered")
    trust = open_trust_list(read_file(folder / TRUST), root)
    chain = cms.open_detached(read_file(folder / sidecars.SIGNATURE_NAME), sums)
    manifest = canonical.Fields("审核包", canonical.decode(read_file(folder / MANIFEST)))
    sealer = trust.listed(key_id_of(certificate_key(load_certificate(chain[0]))))
    if sealer.role is not Role.RECEIVER:
        raise SenderFault("审核包不是由本区中心签名，已拒绝。", "signature")
    sealer.valid_at(manifest.moment("made"))
    acts = open_acts([read_file(path) for path in sorted((folder / "acts").glob("*.dsse"))], trust)
    review = replay(manifest.text("task"), acts)
    facts = Digest(hashlib.sha256(read_file(folder / FACTS)).hexdigest())
    if (facts, review.last.digest if review.last else GENESIS) != (manifest.text("facts"), manifest.text("acts")):
        raise SenderFault("审核包的事实或办理记录与封面不符，已拒绝。", "altered")
    unruled = check_reviewers(review, _unit(folder), _grounds(there), trust)
    return Checked(review, facts, sealer.subject, _absent_texts(folder, listed), unruled)


def _unit(folder: Path) -> str:
    return canonical.Fields("案件事实", canonical.decode(read_file(folder / FACTS))).text("unit")


def _grounds(there: Mapping[str, Path]) -> dict[int, bytes]:
    found = {path: RULES_NAME.fullmatch(name) for name, path in there.items()}
    return {int(match[1]): read_file(path) for path, match in found.items() if match}


def _plain(folder: Path) -> Iterator[Path]:
    """Every file; raises `SenderFault` for a link or what is no file: it would lead out of the packet."""
    for path in folder.rglob("*"):
        kind = path.lstat().st_mode
        if stat.S_ISREG(kind):
            yield path
        elif not stat.S_ISDIR(kind):
            raise SenderFault(f"审核包中的 {path.name} 是链接或不是普通文件，已拒绝。请重新取得审核包。", "files")


def _absent_texts(folder: Path, listed: Mapping[str, str]) -> tuple[str, ...]:
    """The documents in the facts whose text is not in the packet; raises `SenderFault` for one that is another text."""
    told = canonical.Fields("案件事实", canonical.decode(read_file(folder / FACTS))).array("documents")
    absent = []
    for document in (canonical.Fields("文书", entry) for entry in told):
        number = document.text("number")
        there = listed.get(f"{DOCUMENTS}/{number}.txt")
        if there not in (None, document.text("digest")):
            raise SenderFault(f"审核包中 {number} 的原文不是现场出具的文书，已拒绝。", "altered")
        absent += [number] if there is None else []
    return tuple(absent)


def _compared(papers: Mapping[str, bytes], facts: CaseFacts) -> dict[str, bool | None]:
    """For each paper whether it is a document of the case, byte by byte. A file that bears a document's number in its
    name and has other bytes is none."""
    digests = {document.digest for document in facts.documents}
    numbers = [document.number for document in facts.documents]
    found: dict[str, bool | None] = {}
    for name, content in papers.items():
        same = hashlib.sha256(content).hexdigest() in digests
        found[name] = True if same else (False if any(number in name for number in numbers) else None)
    return found


def _manifest(dossier: Dossier) -> bytes:
    last = dossier.review.last
    return canonical.encode(
        {
            "acts": GENESIS if last is None else last.digest,
            "centre": dossier.centre,
            "facts": case_digest(dossier.facts),
            "made": canonical.timestamp(dossier.made),
            "stage": dossier.review.stage.value,
            "task": dossier.facts.task,
        }
    )


def _how_to(facts: CaseFacts, documents: Sequence[CasePaper], seal: Seal) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256

    root = load_pem_certificates(seal.root_pem)[0].fingerprint(SHA256()).hex(":").upper()
    texts = "".join(_text_step(it) for it in documents if it.files)
    shown = f"{TEXTS}\n{texts}" if texts else ""
    return HOW_TO_TEXT.format(task=facts.task, fingerprint=root, facts=case_digest(facts), texts=shown)


def _text_step(paper: CasePaper) -> str:
    name = next(iter(paper.files))
    return f"  $ sha256sum '{DOCUMENTS}/{name}'\n  = {paper.digest}\n"


def _from_devices(facts: CaseFacts, recordings: Path) -> Iterator[tuple[str, bytes]]:
    for fact in facts.recordings:
        for name in FROM_DEVICE:
            path = recordings / fact.recording / name
            if path.is_file():
                yield f"recordings/{fact.recording}/{name}", read_file(path)


def _parse_sums(sums: bytes) -> dict[str, str]:
    try:
        found = [SUM_LINE.fullmatch(line) for line in sums.decode().removesuffix("\n").split("\n")]
    except UnicodeDecodeError as error:
        raise SenderFault("SHA256SUMS 不是文本，已拒绝。", "files") from error
    listed = {match[2]: match[1] for match in found if match}
    if not listed or len(listed) != len(found):
        raise SenderFault("SHA256SUMS 的格式不对，已拒绝。", "files")
    return listed


def _write(draft: Path, files: Mapping[str, bytes], seal: Seal) -> None:
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()
    signature = sidecars.sign_sums(sums, seal.signer)
    for name, data in {**files, sidecars.SUMS_NAME: sums, sidecars.SIGNATURE_NAME: signature}.items():
        durable.make_directory((draft / name).parent)
        durable.write_bytes(draft / name, data, durable.SHARED)


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    with durable.disk_errors(target):
        place = Path(tempfile.mkdtemp(prefix=".packet-", dir=target.absolute().parent))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
