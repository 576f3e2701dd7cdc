"""The search index follows what is released: as soon as it no longer fits, its next version lies there to be signed.

An index is a document like any other: two people sign it. But nobody has to remember that one is due: screens pass over
rows of versions that are no longer in force, so a corrected document is not found until its new index is released.
"""

from collections.abc import Sequence
from datetime import datetime

from agent.wire.disclosures import Disclosure, DisclosureKind
from kiosk.publishing.office import Holding, Office, Stage
from kiosk.publishing.show_out import index_document, shown_to

INDEX = DisclosureKind.SEARCH_INDEX


def renewed_indexes(desk: Office, now: datetime) -> list[Holding]:
    """The drafts of the next indexes, of those released ones that no longer fit what is released for their audience and
    that nobody is about to withdraw. Raises `EnvironmentFault` when the fonts or the dictionary of pinyin are not
    installed."""
    held = [one for one in desk.show() if isinstance(one, Holding)]
    released = [one.document for one in held if one.document.kind is INDEX and one.stage is Stage.RELEASED]
    leaving = {one.document.key for one in held if one.document.withdrawn is not None}
    kept = [index for index in released if index.key not in leaving]
    return [draft for index in kept if (draft := _renewed(desk, held, index, now)) is not None]


def _renewed(desk: Office, held: Sequence[Holding], index: Disclosure, now: datetime) -> Holding | None:
    documents = [one.document for one in shown_to(held, index.audience)]
    found = [one for one in documents if one.withdrawn is None and one.kind is not INDEX]
    fits = {(".".join(one.key), str(one.version)) for one in found}
    if not fits or {(str(entry["公示文件"]), str(entry["版本"])) for entry in index.entries} == fits:
        return None
    version = 1 + max(one.document.version for one in held if one.document.key == index.key)
    head = (version, index.publisher, index.audience, desk.place, now, index.disclosure_id)
    return desk.put(*index_document(documents, *head))


def told(names: Sequence[str], draft: Holding) -> str:
    """One line for whoever has just released `names`."""
    said = f"{'、'.join(names[:3])}{'等' if len(names) > 3 else ''}发布后检索库已不相符，已重新起草"
    return (
        f"{said} {draft.name} 第 {draft.document.version} 版。下一步：由编辑、审核签名后发布；在此之前查不到新的内容。"
    )
