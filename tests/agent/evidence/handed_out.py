"""What somebody does with what was handed to him: checks an excerpt, follows a page by hand."""

from collections.abc import Iterator, Sequence

from cryptography import x509

from agent.errors import SenderFault
from agent.evidence.bmff import Source
from agent.evidence.certificates import trust_chain
from agent.evidence.clip import Excerpt, excerpt_of
from agent.evidence.how_to import ANSWER, COMMAND, MORE, NOTHING
from agent.evidence.recovery import examine


def verify_excerpt(source: Source, roots: Sequence[x509.Certificate]) -> Excerpt:
    """What an excerpt holds, once every byte of it is verified: the opening and its certificates, each fragment, and
    that they follow each other without a hole. Raises `SenderFault` otherwise."""
    found = examine(source)
    opened = found.manifest
    if opened is None or opened.seal is not None or found.damage or found.tail or not found.fragments:
        raise SenderFault("该文件不是完整的原签名片段：开头凭证或某个片段未通过验证。")
    for before, after in zip(found.fragments, found.fragments[1:], strict=False):
        if (after.entry.previous, after.entry.sequence) != (before.head, before.entry.sequence + 1):
            raise SenderFault(f"第 {before.entry.sequence} 片段之后不连续，不是一段完整的截取。")
    chain, origin = trust_chain(opened.chain, roots), opened.opening.origin
    if chain.subject != origin.device or not chain.covers(origin.opened.wall):
        raise SenderFault("片段的签名证书不属于该设备，或录制时不在有效期内，不予信任。")
    return excerpt_of(opened, found.fragments)


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """Every command of a page, with what it must print, or begin to print; empty where it must print nothing."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(COMMAND):
            after = lines[number + 1] if number + 1 < len(lines) else ""
            yield line.removeprefix(COMMAND), _told(after)


def _told(line: str) -> str:
    answer = line.removeprefix(ANSWER)
    return "" if answer == NOTHING else answer.removesuffix(MORE)
