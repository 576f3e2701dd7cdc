"""Minors: one beside a name, an age told of somebody.

What laws say of all of them is published every day (向未成年人出售烟酒, 年满十六周岁). Names are told by frequent
surnames, and by the forms in which names are masked (范某, 范*, 范××).
"""

import re

from agent.duty.personal_numbers import Rule, Spot

NUMERAL = "0-9一二三四五六七八九十"
_SURNAME = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭林罗郑梁谢宋唐许韩邓冯曹彭肖田董潘袁蔡蒋杜叶程魏吕丁卢姚沈钟姜崔谭陆范汪廖贾"
    "夏邹熊孟秦邱侯尹薛闫雷陶贺顾郝龚邵钱覃戴莫汤"
)
_NO_NAME = (
    r"许可|程序|黄金|黄疸|田径|夏令|夏季|马上|周末|周边|周岁|张贴|陈述|罗列|钟点|孟州|郑州|徐州|江苏|林业|林区|唐山|汤药"
    r"|雷电|程度"
)
_HAN = r"[\u4e00-\u9fff]"
MASKED = rf"{_HAN}(?:某[某甲乙丙丁]?|[*Xx]{{1,2}}|{_HAN}[*Xx])(?![A-Za-z*])"
_REAL = rf"(?!{_NO_NAME})[{_SURNAME}]{_HAN}{{1,2}}"
_IS = r"[,(\s]{0,2}(?:男|女)?[,\s]{0,2}(?:系|是|为|属|尚)?(?:1名|一名|名)?"
_LINK = r"(?:[,(\s]{1,2}(?:男|女)?[,\s]{0,2}(?:系|是|为|属|尚)?|系|是|为|属|尚)(?:1名|一名|名)?"
_BEFORE = re.compile(rf"{MASKED}{_IS}$|(?:[^\u4e00-\u9fff]|当事人|学生|姓名|相对人){_REAL}{_LINK}$")
_GENERIC = (
    r"(?!人?(?:保护|救助|关爱|教育|活动|服务|托管|之家|乐园|中心|医院|用品|摄影|培训|发展|福利|口腔|公园|书店|服装|食品|玩具"
    r"|读物|文学))"
)
_AFTER = re.compile(
    rf"{_GENERIC}的?[:,(\s]{{0,2}}(?:姓名[:\s]{{0,2}})?(?:{MASKED}|{_REAL}(?=$|[\W_\d]|[的在因于系被将与等]))"
)
_CLOSE = 16  # characters on each side in which a name stands, ours

_YEARS = rf"(?<![{NUMERAL}])(?:1[0-7]|[1-9]|十[一二三四五六七]?|[一二三四五六七八九]) ?周?岁"
_WORD = (
    r"(?:未成年人?|(?:未满|不满|未到)(?:1[2468]|十[二四六八])周?岁|(?:1[2468]|十[二四六八])周?岁以下|(?:小学|初中|中学|高中|在校)生"
    rf"|[小中]学[{NUMERAL}]年级(?:学生)?|初[一二三123](?:学生)|幼儿|婴儿|儿童|[男女][童孩]|童工|少年)"
)
_MINOR = re.compile(f"{_WORD}|{_YEARS}")
_AGE = re.compile(_YEARS)
_LAW_BEFORE = re.compile(r"[满过于至到~-] ?$")
_LAW_AFTER = re.compile(r"以|\(含|及|至|到|[-~]|周岁|的?(?:儿童|婴|幼|公民|学生|人员|未成年)")
_AGED = re.compile(r"(?:年仅|现年|时年|今年|年龄为?[:\s]{0,2}|年方)$")
_OF_CASE = re.compile(
    rf"年龄为?[:\s]{{0,2}}(?:1[0-7]|[1-9])(?![\d%周岁])|(?:某|该)(?:名)?{_WORD}{_GENERIC}"
    rf"|当事人(?:系|是|为|属){_WORD}|(?:系|是|为|属)未成年人?$"
    rf"|20(?:09|[1-9]\d)年[^。;\n]{{0,8}}出生|(?:生于|出生(?:日期|年月|于)?)[:\s]{{0,2}}20(?:09|[1-9]\d)"
)
_OF_PARTY = re.compile(f"{_WORD}{_GENERIC}")
_PARTY = re.compile(r"当事人|相对人|姓名|抽查对象|检查对象|身份$|职业")


def _sides(spot: Spot) -> tuple[str, str]:
    before = spot.plain[max(0, spot.start - _CLOSE) : spot.start]
    return before if spot.start > _CLOSE else f"\n{before}", spot.plain[spot.end : spot.end + _CLOSE]


def _of_law(spot: Spot) -> bool:
    """Whether an age is one that a rule names (年满 16 周岁, 12 岁以下)."""
    before, after = _sides(spot)
    return _LAW_BEFORE.search(before) is not None or _LAW_AFTER.match(after) is not None


def _nobody(spot: Spot) -> bool:
    """Whether a word or an age stands beside no name, and is told of nobody."""
    before, after = _sides(spot)
    if _AFTER.match(after):
        return False
    age = _AGE.fullmatch(spot.found) is not None
    if age and _of_law(spot):
        return True
    return _BEFORE.search(before) is None and not (age and _AGED.search(before))


def _of_all(spot: Spot) -> bool:
    """A law and nobody's case: its title, or what it is about."""
    return re.match(r"》|保护法|权益", spot.plain[spot.end :][:_CLOSE]) is not None


def _no_party(spot: Spot) -> bool:
    return _PARTY.search(spot.field) is None


MINORS = (
    Rule("未成年人信息", _MINOR, _nobody),
    Rule("未成年人信息", _AGE, _of_law, strict=True),
    Rule("未成年人信息", _OF_CASE, _of_all, strict=True),
    Rule("未成年人信息", _OF_PARTY, _no_party, strict=True),
)
