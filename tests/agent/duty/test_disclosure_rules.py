import datetime as dt
from dataclasses import replace

import pytest

from agent.duty.disclosure_rules import accept
from agent.errors import SenderFault
from agent.wire.disclosures import DISCLOSURE_TYPE, Disclosure, DisclosureKind
from agent.wire.envelope import MAX_ENVELOPE_BYTES, seal
from agent.wire.identifiers import District
from agent.wire.trust import Role, TrustList
from tests.kiosk.bench import HALL, NOW, XINGHE, Bench, person, sample


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def take(
    bench: Bench, envelope: bytes, current: Disclosure | None = None, trust: TrustList | None = None
) -> Disclosure:
    trust = trust or bench.trust()
    return accept(envelope, trust=trust, now=NOW, district=XINGHE, audience=HALL, current=current)


def test_a_document_of_two_people_is_accepted(bench: Bench) -> None:
    document = sample("window-board")
    assert take(bench, bench.sealed(document)) == document


def test_a_forged_payload_is_refused(bench: Bench) -> None:
    genuine, forged = bench.sealed(sample("window-board")), bench.sealed(sample("window-board-correction"))
    cut = genuine.index(b'"payloadType"')
    mixed = forged[: forged.index(b'"payloadType"')] + genuine[cut:]
    with pytest.raises(SenderFault, match="签名与内容不符"):
        take(bench, mixed)


def test_an_editor_alone_is_refused(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="两个签名"):
        take(bench, bench.sealed(sample("window-board"), bench.editor))


def test_two_editors_are_no_review(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="reviewer"):
        take(bench, bench.sealed(sample("window-board"), bench.editor, bench.editor_too))


def test_one_person_with_two_keys_is_refused(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="同一人"):
        take(bench, bench.sealed(sample("window-board"), bench.editor_too, bench.reviewer))


def test_a_third_signature_is_refused(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="实有 3 个"):
        take(bench, bench.sealed(sample("window-board"), bench.editor, bench.reviewer, bench.editor_too))


def test_a_kiosks_own_key_publishes_nothing(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="reviewer"):
        take(bench, bench.sealed(sample("window-board"), bench.editor, bench.kiosk))


def test_a_stranger_with_the_right_role_is_refused(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="不在信任清单"):
        take(bench, bench.sealed(sample("window-board"), bench.editor, person("示例-000102", Role.REVIEWER)))


def test_a_revoked_reviewer_is_refused(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="吊销"):
        take(bench, bench.sealed(sample("window-board")), trust=bench.trust(2, revoked=bench.reviewer))


def test_an_older_version_never_comes_back(bench: Bench) -> None:
    current = sample("window-board-correction", 2)
    with pytest.raises(SenderFault, match="旧于"):
        take(bench, bench.sealed(sample("window-board", 1)), current)


def test_the_same_version_with_other_content_is_refused(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="内容不同"):
        take(bench, bench.sealed(sample("window-board-correction", 1)), sample("window-board", 1))


def test_the_same_document_again_changes_nothing(bench: Bench) -> None:
    current = sample("window-board")
    assert take(bench, bench.sealed(sample("window-board")), current) is current


def test_a_document_of_another_name_replaces_nothing(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="不是"):
        take(bench, bench.sealed(sample("item-list", 2)), sample("window-board"))


def test_an_expired_document_is_refused_at_its_very_end(bench: Bench) -> None:
    document = sample("window-board")
    with pytest.raises(SenderFault, match="过期"):
        take(bench, bench.sealed(replace(document, effective_until=NOW)))
    later = replace(document, effective_until=NOW + dt.timedelta(milliseconds=1))
    assert take(bench, bench.sealed(later)) == later


def test_another_district_and_another_hall_are_refused(bench: Bench) -> None:
    document = sample("window-board")
    with pytest.raises(SenderFault, match="区域"):
        take(bench, bench.sealed(replace(document, district=District("yinhe"))))
    with pytest.raises(SenderFault, match="范围"):
        take(bench, bench.sealed(replace(document, audience="hall-2")))


def test_a_truncated_and_an_oversized_envelope_are_refused(bench: Bench) -> None:
    envelope = bench.sealed(sample("window-board"))
    with pytest.raises(SenderFault, match="不是签名信封"):
        take(bench, envelope[:-20])
    with pytest.raises(SenderFault, match="KiB"):
        take(bench, envelope + b" " * MAX_ENVELOPE_BYTES)


def test_another_signed_document_type_is_refused(bench: Bench) -> None:
    wrong = seal("application/vnd.liuhen.command+json", b"{}", [bench.editor.signer, bench.reviewer.signer])
    with pytest.raises(SenderFault, match=DISCLOSURE_TYPE.replace("+", r"\+")):
        take(bench, wrong)


def test_withdrawn_stays_withdrawn(bench: Bench) -> None:
    tombstone = replace(sample("results", 2), withdrawn="决定已被撤销", entries=())
    assert take(bench, bench.sealed(tombstone), sample("results", 1)) == tombstone
    with pytest.raises(SenderFault, match="撤回"):
        take(bench, bench.sealed(sample("results", 3)), tombstone)


def test_a_tombstone_carries_a_reason_and_nothing_else(bench: Bench) -> None:
    document = sample("results", 2)
    with pytest.raises(SenderFault, match="撤回原因"):
        take(bench, bench.sealed(replace(document, withdrawn=" ", entries=())))
    with pytest.raises(SenderFault, match="条目"):
        take(bench, bench.sealed(replace(document, withdrawn="原因")))


@pytest.mark.parametrize("gone", ["姓名", "服务事项", "窗口职责"])
def test_a_missing_or_blank_field_is_named(bench: Bench, gone: str) -> None:
    document = sample("window-board")
    first = {name: value for name, value in document.entries[0].items() if name != gone}
    with pytest.raises(SenderFault, match=gone):
        take(bench, bench.sealed(replace(document, entries=(first,))))
    with pytest.raises(SenderFault, match=f"第 1 条的“{gone}”"):
        take(bench, bench.sealed(replace(document, entries=({**document.entries[0], gone: " "},))))


def test_an_unknown_window_state_is_refused(bench: Bench) -> None:
    document = sample("window-board")
    with pytest.raises(SenderFault, match="状态"):
        take(bench, bench.sealed(replace(document, entries=({**document.entries[0], "状态": "在家"},))))


def test_a_document_without_entries_is_refused(bench: Bench) -> None:
    with pytest.raises(SenderFault, match="实有 0 条"):
        take(bench, bench.sealed(replace(sample("results"), entries=())))


def test_the_masking_gate_stands_at_the_device_too(bench: Bench) -> None:
    notice = Disclosure(
        XINGHE, "all", DisclosureKind.NOTICE, "n", 1, "公告", "示例局", NOW, NOW, None, None,
        ({"标题": "公告", "正文": "当事人证号110101199001011234"},),
    )  # fmt: skip
    with pytest.raises(SenderFault, match=r"第 1 条的“正文”.*身份证号") as refused:
        take(bench, bench.sealed(notice))
    assert "1101" not in str(refused.value)
