"""Personal data on the way to a screen, written so that a search for digits passes them by: every one is stopped, with
a pointer to the place that does not repeat it; what an office has to publish is not."""

import itertools
import re
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.duty.disclosure_rules import check_content, check_entries
from agent.duty.folding import fold
from agent.duty.masking import check_impersonal, find_personal
from agent.errors import SenderFault
from agent.wire.disclosures import Disclosure, DisclosureKind, Filing
from tests.kiosk.bench import sample, sample_names

ID, OLD, MOBILE, CARD = "37050219900101123X", "370502900101123", "13812345678", "6222020200112233446"
NUMBERS = {
    ID: "身份证号", "１８位３７０５０２１９９００１０１１２３Ｘ": "身份证号", "370502199001011231": "身份证号",
    "证件37050219900101123x号": "身份证号", "3705 0219 9001 0112 3X": "身份证号", "370502-1990-0101-123X": "身份证号",
    "3 7 0 5 0 2 1 9 9 0 0 1 0 1 1 2 3 X": "身份证号", "3705021990\n0101123X": "身份证号",
    "370502.19900101.123X": "身份证号", "370502·1990·0101·123X": "身份证号",
    "370502\u200b19900101\u200b123X": "身份证号",
    "3705\u00ad0219\u00ad9001\u00ad0112\u00ad3X": "身份证号", "370502\u206019900101\ufeff123X": "身份证号",
    "三七〇五〇二一九九〇〇一〇一一二三X": "身份证号", "叁柒零伍零贰壹玖玖零零壹零壹壹贰叁X": "身份证号",
    "٣٧٠٥٠٢١٩٩٠٠١٠١١٢٣X": "身份证号", "𝟑𝟕𝟎𝟓𝟎𝟐𝟏𝟗𝟗𝟎𝟎𝟏𝟎𝟏𝟏𝟐𝟑X": "身份证号", "37O5O21990O1O1123X": "身份证号",
    "3705021990010112３×": "身份证号", "37050219900101123Х（西里尔）": "身份证号", "37050219900101123*": "身份证号",
    "甲37050219900101123X乙": "身份证号", "abc37050219900101123Xdef": "身份证号",
    "370502、19900101、123X": "身份证号",
    OLD: "身份证号", "370502 900101 123": "身份证号", "370502-900101-123": "身份证号",
    "3７0502９00101１23": "身份证号",
    "三七〇五〇二九〇〇一〇一一二三": "身份证号", "3 7 0 5 0 2 9 0 0 1 0 1 1 2 3": "身份证号",
    MOBILE: "手机号", "+86 138 1234 5678": "手机号", "0086-138-1234-5678": "手机号", "013812345678": "手机号",
    "8613812345678": "手机号", "(+86)13812345678": "手机号", "138.1234.5678": "手机号", "138 12 34 56 78": "手机号",
    "138-12345-678": "手机号", "1381-2345-678": "手机号", "1 3 8 1 2 3 4 5 6 7 8": "手机号",
    "138\n1234\n5678": "手机号",
    "138·1234·5678": "手机号", "138\u200d1234\u200d5678": "手机号", "1\ufe0f\u20e33\ufe0f\u20e3812345678": "手机号",
    "①③⑧①②③④⑤⑥⑦⑧": "手机号", "①13812345678": "手机号", "联系一13812345678": "手机号", "l38l2345678": "手机号",
    "一三八一二三四五六七八": "手机号", "幺三八幺二三四五六七八": "手机号", "壹叁捌壹贰叁肆伍陆柒捌": "手机号",
    "一三八 1234 伍六七八": "手机号", "١٣٨١٢٣٤٥٦٧٨": "手机号", "१३८१२३४५६७८": "手机号",
    "加微13812345678（同号）": "手机号", "（138）1234-5678": "手机号", "138_1234_5678": "手机号",
    "138—1234—5678": "手机号",
    "138*1234*5678": "手机号", "138/1234/5678": "手机号", "138\u30001234\u30005678": "手机号",
    "13812345678转": "手机号",
    CARD: "银行", "6222 0202 0011 2233 446": "银行", "护照 E12345678": "护照", "持护照（号码 EB1234567）": "护照",
    "港澳通行证：H1234567800": "通行证",
}  # fmt: skip
WORDS = {
    "小学生王小明": "未成年", "王小明（小学生）": "未成年", "王小明，年仅12岁": "未成年", "年仅十二岁": "未成年",
    "范某系未成年人": "未成年", "未成年人李某某": "未成年", "未\u200b成年人李某某": "未成年",
    "范*（十六周岁以下）": "未成年",
    "范××，男，15岁": "未成年", "未满十四周岁的范某": "未成年", "陆某某（初中生）": "未成年",
    "现年１５周岁": "未成年",
    "范某，十五歲": "未成年", "家庭住址：星河路1号3单元502室": "住址", "家住示例村12号": "住址",
    "户籍所在地：星河区示例小区5号楼": "住址", "范某住星河路十二号": "住址", "租住于示例小区5栋": "住址",
    "当事人电话 0546-1234567": "固定电话", "本人住宅电话（0546）1234567": "固定电话",
    "当事人邮箱 fan@example.com": "邮箱",
    "当事人微信号 fan_12345": "微信", "当事人QQ：123456789": "QQ", "范某账号 37050161550100000123": "账号",
}  # fmt: skip
"""Stopped in every document."""
OF_CASES = {
    "电话0546-1234567": "固定电话", "(0546)1234567": "固定电话", "+86-546-1234567": "固定电话",
    "05461234567": "固定电话",
    "电话：8234567": "固定电话", "fan@example.com": "邮箱", "ｆａｎ＠example.com": "邮箱",
    "微信：fan_12345": "微信", "3单元502室": "住址", "三单元": "住址", "住星河路1号": "住址",
    "5号楼502": "住址", "15岁": "未成年", "该未成年人": "未成年", "当事人为未成年人": "未成年",
    "2012年3月5日出生": "未成年",
    "范某患有精神分裂症": "健康", "确诊乙肝": "健康", "妊娠12周": "健康", "二级肢体残疾": "健康",
    "账号：37050161550100000123": "账号", "6222 0000 0000 0000 123": "账号",
}  # fmt: skip
"""Stopped in what says what became of somebody."""
HONEST = (
    "2026年11月22日", "二〇二六年十一月二十二日", "2026-11-12、2026-11-13", "2026-11-12 2026-11-13 2026-11-14",
    "9:00—17:00",
    "工作日9:00-12:00，13:30-17:30，周六9:30-16:00", "罚款 200 元", "罚款人民币 13,800,000,000 元",
    "人民币壹万叁仟捌佰元整",
    "罚款 13800 元，没收违法所得 1500.00 元", "星综执罚〔2026〕第 0001 号", "星综执罚字〔2026〕13-2026-00001号",
    "根据《行政处罚法》第三十三条第一款、第三十四条、第五十七条", "第一百三十八条", "国办发〔2018〕118号",
    "GB/T 32100-2015",
    "统一社会信用代码：91370502MA3C000001", "统一社会信用代码 913705007343012345", "监督电话：0546-1234567",
    "咨询电话 0546-1234567",
    "投诉举报热线 12345", "12315、12345", "服务热线 400-123-4567", "政务服务便民热线：0546-12345",
    "值班电话（0546）1234567转8001",
    "传真：0546-1234567", "网址 https://www.example.gov.cn/col/col12345/index.html", "邮编 257000", "1380 元/平方米",
    "3.15万元",
    "110101********1234", "138****5678", "范*", "经营者：示**", "示例餐饮店（经营者：范某）",
    "星河区示例小学托管服务中心",
    "向未成年人出售烟草制品", "招用未满16周岁的未成年人", "未按规定对未成年人进行安全教育",
    "违反《中华人民共和国未成年人保护法》第五十九条",
    "星河区未成年人救助保护中心", "年满18周岁", "12岁以下儿童免费", "6至12岁", "年龄：18周岁以上",
    "小学生安全教育读物",
    "在5号楼前擅自占道经营21天", "在星河路1号擅自设置户外广告", "东经118.123456，北纬37.123456",
    "（一）1380（二）0000", "序号 1 2 3 4 5 6",
    "未取得健康证明从事餐饮服务", "安排患有有碍食品安全疾病的人员", "生产批号20261122001",
    "营业执照注册号370502200012345",
    "许可证号 JY23705020012345", "行政许可决定书编号 370502202611160001", "第13期2026年第1—12号",
    "长16.5米、宽13.8米、高1234.5毫米",
)  # fmt: skip
"""Published in whatever document."""
HONEST_LISTS = (
    "办理地点：星河路1号政务服务中心302室", "单位地址：星河区示例路1号3号楼502室", "住宅5号楼3单元加装电梯公示",
    "住所证明", "户籍所在地派出所出具的证明",
    "未成年人由监护人代为申请", "小学生入学服务指南", "年满十六周岁的公民申领居民身份证",
    "不满十六周岁的由监护人陪同", "儿童福利机构设立许可", "居住证申领",
    "申请人身份证复印件、联系电话", "办公电话 0546-1234567", "电话：0546-1234567", "邮箱 xinghe@example.gov.cn",
    "微信公众号：星河执法",
    "缴款账号 37050161550100000123（财政非税专户）", "6周岁儿童入学", "家庭住址变更登记", "执法证号：示例-000001",
    "三室两厅",
    "提供护照或者通行证复印件", "残疾证复印件", "孕妇优先窗口", "联系人：甲一，电话 0546-1234567",
)  # fmt: skip


def stopped(text: str, *, about_people: bool, field: str = "备注") -> SenderFault | None:
    try:
        check_impersonal("第 1 条", {field: text}, about_people=about_people)
    except SenderFault as fault:
        return fault
    return None


@pytest.mark.parametrize(("text", "named"), [*NUMBERS.items(), *WORDS.items()])
@pytest.mark.parametrize("about_people", [True, False])
def test_what_is_written_past_a_search_for_digits_is_stopped(text: str, named: str, about_people: bool) -> None:
    fault = stopped(text, about_people=about_people)
    assert fault is not None
    assert re.match(rf"第 1 条的“备注”含有未遮盖的.*{named}.*（第 \d+ 至 \d+ 字，共 {len(text)} 字：“", str(fault))


@pytest.mark.parametrize(("text", "named"), OF_CASES.items())
def test_what_leads_to_the_party_of_a_case_is_stopped(text: str, named: str) -> None:
    fault = stopped(text, about_people=True)
    assert fault is not None
    assert named in str(fault)


@pytest.mark.parametrize("text", HONEST)
def test_what_a_result_has_to_say_passes(text: str) -> None:
    assert [str(stopped(text, about_people=about)) for about in (True, False)] == ["None", "None"]


@pytest.mark.parametrize("text", HONEST_LISTS)
def test_what_a_list_or_a_guide_has_to_say_passes(text: str) -> None:
    assert str(stopped(text, about_people=False)) == "None"


@pytest.mark.parametrize("name", sample_names())
def test_every_sample_of_the_district_passes(name: str) -> None:
    assert check_content(sample(name)) == sample(name)


def _with(document: Disclosure, path: str, text: str) -> Disclosure:
    first, *rest = document.entries
    changed = {
        "title": {"title": text},
        "publisher": {"publisher": text},
        "number": {"filing": Filing(text, "星河区司法局", "2026-11-22")},
        "authority": {"filing": Filing("星备〔2026〕1 号", text, "2026-11-22")},
        "withdrawn": {"withdrawn": text, "entries": ()},
        "field": {"entries": ({**first, "备注": text}, *rest)},
        "item": {"entries": ({**first, "备注": ["甲", text]}, *rest)},
        "name": {"entries": ({**first, text: "值"}, *rest)},
    }  # fmt: skip
    return replace(document, **changed[path])


PATHS = {
    "title": "文件头的“标题”", "publisher": "文件头的“发布单位”", "number": "文件头的“备案编号”",
    "authority": "文件头的“备案机关”", "withdrawn": "文件头的“撤回原因”", "field": "第 1 条的“备注”",
    "item": "第 1 条的“备注”第 2 项", "name": "第 1 条的字段名",
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", sample_names())
@pytest.mark.parametrize("text", [ID, MOBILE, "范某，年仅12岁"])
def test_every_text_of_every_kind_is_looked_through(name: str, path: str, text: str) -> None:
    with pytest.raises(SenderFault) as told:
        check_content(_with(sample(name), path, text))
    assert str(told.value).startswith(f"{PATHS[path]}含有")
    assert not any(part in str(told.value) for part in (text[:4], text[4:8], "范某"))


def test_a_number_in_the_id_of_a_document_does_not_get_into_a_topic() -> None:
    with pytest.raises(SenderFault, match="文件头的“id”含有"):
        check_content(replace(sample("notice"), disclosure_id=f"case-{MOBILE}"))


def test_a_number_that_goes_over_the_items_of_a_list_is_stopped() -> None:
    with pytest.raises(SenderFault, match="第 1 条的“服务事项”各项相连含有"):
        check_impersonal("第 1 条", {"服务事项": ["咨询", MOBILE[:7], MOBILE[7:]]}, about_people=False)


@pytest.mark.parametrize(
    "field", ["统一社会信用代码", "受理编号", "决定书文号", "证件编号", "事项编码", "投诉举报电话"]
)
def test_a_field_in_which_numbers_are_lawful_hides_nobody(field: str) -> None:
    for text in (ID, f"{ID[:-1]}1", MOBILE, OLD):
        assert stopped(text, about_people=False, field=field) is not None


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("统一社会信用代码", "913705007343012345"), ("统一社会信用代码", "91370502MA3C000001"),
        ("受理编号", "370502202611160001"),
        ("备案编号", "370502-20261116-0001"), ("事项编码", "370502013100012345"),
        ("决定书文号", "星综执罚〔2026〕3 号"),
        ("证件编号", "13010623005"), ("证件编号", "15050021008"), ("证件编号", "37050021008"),
        ("投诉举报电话", "0546-1234567"),
        ("监督电话", "0546-1234567、0546-7654321"), ("咨询电话", "(0546)1234567"),
        ("单位地址", "星河路1号3号楼502室"),
    ],
)  # fmt: skip
def test_a_lawful_number_in_its_own_field_passes(field: str, text: str) -> None:
    assert str(stopped(text, about_people=False, field=field)) == "None"


@pytest.mark.parametrize(
    ("field", "text", "named"),
    [
        ("家庭住址", "星河路1号", "住址"),
        ("家庭电话", "0546-1234567", "固定电话"),
        ("微信", "fan_12345", "微信"),
        ("年龄", "15", "未成年"),
        ("身份", "小学生", "未成年"),
    ],
)
def test_the_name_of_a_field_says_what_its_text_does_not(field: str, text: str, named: str) -> None:
    assert named in str(stopped(text, about_people=True, field=field))


def test_the_pointer_counts_in_the_text_as_it_stands() -> None:
    found = find_personal("示例，电话\u200b一三八 1234\u200b５６７８。", "备注")
    assert found is not None
    assert (found.text[found.start], found.text[found.end - 1]) == ("一", "８")
    assert found.told() == "第 7 至 19 字，共 20 字：“＊＊，电话\u200b［11 位手机号］。”"


SPELLED = (
    "0123456789",
    "０１２３４５６７８９",
    "〇一二三四五六七八九",
    "零壹贰叁肆伍陆柒捌玖",
    "٠١٢٣٤٥٦٧٨٩",
    "⓪①②③④⑤⑥⑦⑧⑨",
)
SEPARATORS = ("", " ", "-", ".", "·", "•", "\u200b", "\u00ad", "\u3000", "—", "\n", "_", " - ", "\u2060")


@given(
    st.sampled_from([ID[:-1], MOBILE]), st.lists(st.sampled_from(SPELLED), min_size=17, max_size=17),
    st.sampled_from(SEPARATORS), st.sampled_from(["", "电话", "甲（"]),
)  # fmt: skip
def test_no_spelling_of_the_digits_and_no_separator_gets_past(
    number: str, spelling: list[str], separator: str, before: str
) -> None:
    digits = [digits[int(digit)] for digit, digits in zip(number, spelling, strict=False)]
    text = separator.join([*digits, *("X" if len(number) > len(MOBILE) else "")])
    assert stopped(f"{before}{text}）", about_people=False) is not None


@given(st.sampled_from(SEPARATORS), st.lists(st.integers(1, 10), min_size=1, max_size=4, unique=True))
def test_however_a_mobile_number_is_cut_it_is_stopped(separator: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(MOBILE)]
    pieces = [MOBILE[begin:end] for begin, end in itertools.pairwise(edges)]
    assert stopped(f"联系方式{separator.join(pieces)}。", about_people=False) is not None


@given(st.text())
def test_a_place_in_what_is_read_is_a_place_in_what_stands(text: str) -> None:
    for numerals in (False, True):
        folded = fold(text, numerals=numerals)
        assert folded.plain == "".join(fold(one, numerals=numerals).plain for one in text)
        first, last = folded.place(0, len(folded.plain))
        assert 0 <= first <= last <= len(text)


ENDLESS = (
    "1", "13", "3705021990", "一", "一 ", "\u200b", "1\u200b", "3705 0219 9001 ", "住", "范某", "a@", "a.", "岁",
    "1-", "06", "○",
)  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "size"), [(unit, 2**16) for unit in ENDLESS] + [(unit, 2**20) for unit in ("1 ", "住1", "未成年人", "①")]
)
def test_a_text_made_to_be_searched_without_end_is_searched_once(unit: str, size: int) -> None:
    """No clock: what takes more than the text's length does not end within the limit of a test at all."""
    tracemalloc.start()
    try:
        find_personal(unit * (size // len(unit)), "备注")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100 * 2**20


def test_the_entries_of_a_table_are_looked_through_with_their_line() -> None:
    entry = {**sample("notice").entries[0], "正文": f"请致电{MOBILE}"}
    with pytest.raises(SenderFault, match="第 2 条的“正文”含有未遮盖的11 位手机号（第 4 至 14 字"):
        check_entries(DisclosureKind.NOTICE, (sample("notice").entries[0], entry))
