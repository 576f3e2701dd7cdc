"""Words that lead to a person: where somebody lives, how to write to him, how ill he is, and that he is a minor.

What is published speaks of homes all the time (户籍所在地派出所); looked for is one with its street and number.
"""

import re

from agent.duty.minors import MASKED, MINORS, NUMERAL
from agent.duty.personal_numbers import Rule, Spot, office, personal

_PLACE = rf"[^。;\n]{{0,24}}?(?:[{NUMERAL}]{{1,4}} ?(?:号|弄|栋|幢|座|楼|单元|室|户|组|队|巷)|[村庄屯])"
_MARKS = (
    r"家庭住址|家庭地址|现住址?|户籍(?:地址?|所在地)|户口(?:所在)?地|居住(?:地址?|于|在)|暂住(?:地址?|于|在)|租住(?:于|在)"
    r"|家住|住址"
)
HOME = re.compile(
    rf"(?:{_MARKS})[:,为是在于\s]{{0,3}}(?!证|变更|登记){_PLACE}|(?:{MASKED})[,(\s]{{0,2}}住[在于]?{_PLACE}"
)
HOME_OF_CASE = re.compile(
    rf"[{NUMERAL}零〇百]{{1,6}} ?(?:单元|室(?![{NUMERAL}两]厅))|号楼[^。;\n]{{0,4}}\d{{3,4}}(?![\d元平米㎡])"
    rf"|(?<![原居])住(?:在|于)?{_PLACE}|(?:家庭住址|现住址|户籍(?:地|所在地)|居住地|住所?地?|住址)[:为是]"
)
MAIL = re.compile(r"(?<![A-Za-z0-9._+-])[A-Za-z0-9._+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,63}")
WECHAT = re.compile(
    r"(?:微信|weixin|wechat|wx)(?:号码?|账号|ID)?[:为是\s]{0,3}(?P<it>[A-Za-z][\w-]{5,19}|1\d{10})", re.IGNORECASE
)
QQ = re.compile(r"QQ(?:号码?|账号)?[:为是\s]{0,3}(?P<it>[1-9]\d{4,10})(?!\d)", re.IGNORECASE)
_ILL = (
    r"艾滋病|HIV|乙肝|肝炎|肺结核|梅毒|精神分裂|抑郁症|躁狂|癫痫|糖尿病|高血压|冠心病|心脏病|尿毒症|白血病|肿瘤|[\u4e00-\u9fff]癌"
    r"|精神(?:病|障碍)"
)
HEALTH = re.compile(
    rf"(?:患(?:有|上)?|身患|确诊为?|诊断为|感染|系|病史[:\s]{{0,2}})[^。,;\n]{{0,6}}(?:{_ILL})|HIV ?阳性"
    rf"|(?:怀孕|妊娠|孕)[{NUMERAL}]{{1,3}} ?个?[周月]|残疾证号码?[:为是\s]{{0,3}}\d"
    r"|[一二三四1-4]级(?:肢体|视力|听力|言语|智力|精神|多重)残疾"
)


def _is_office(spot: Spot) -> bool:
    return office(spot) and not personal(spot)


def _never(_: Spot) -> bool:
    return False


WORDS = (
    *MINORS,
    Rule("家庭住址", HOME, _never),
    Rule("家庭住址", HOME_OF_CASE, _never, strict=True),
    Rule("电子邮箱", MAIL, _is_office, strict=True),
    Rule("微信号", WECHAT, _is_office, strict=True),
    Rule("QQ 号", QQ, _is_office, strict=True),
    Rule("健康状况", HEALTH, _never, strict=True),
)
