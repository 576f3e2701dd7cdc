"""Numbers that lead to a person: identity and mobile numbers, bank cards, passports, private telephones.

What is told apart is told by the number itself (region, date of birth, check digit), by the name of its field, or by
the words before it, so that document numbers, credit codes and the telephones an office publishes pass. Every pattern
takes time of the length of the text: at each place a fixed number of digits, and few separators between two.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BREAK = r"[\W_]{0,6}+"  # between two digits of a number somebody pulled apart
_OPEN, _SHUT = r"(?<!\d)", r"(?!\d)"
WINDOW = 24  # characters before a number that say whose it is, ours
OFFICE_ERA = 2015  # an identity number with a later date of birth is a child's; a document number has such a date


def spread(shape: str) -> str:
    """`shape`, a row of digits and classes of digits, with room between each two."""
    return BREAK.join(re.findall(r"\[[^\]]*\]|\\d|.", shape))


@dataclass(frozen=True)
class Spot:
    """What a pattern found: the text, where in it, the name of its field."""

    plain: str
    start: int
    end: int
    field: str

    @property
    def found(self) -> str:
        """The characters found."""
        return self.plain[self.start : self.end]

    @property
    def digits(self) -> str:
        """The digits found, and an X."""
        return re.sub(r"[^0-9Xx]", "", self.found).upper()

    @property
    def before(self) -> str:
        """What stands before it in the same sentence."""
        return re.split(r"[。；;\n]", self.plain[max(0, self.start - WINDOW) : self.start])[-1]


_PROVINCES = ("1[1-5]", "2[1-3]", "3[1-7]", "4[1-6]", "5[0-4]", "6[1-5]", "71", "8[1-3]", "91")  # GB/T 2260
_PROVINCE = re.compile("|".join(_PROVINCES))
_REGION = f"(?:{'|'.join(map(spread, _PROVINCES))})" + BREAK + spread("[0-9][0-9][0-9][0-9]")
_MONTH = f"(?:{spread('0[1-9]')}|{spread('1[0-2]')})"
_DAY = f"(?:{spread('0[1-9]')}|{spread('[12][0-9]')}|{spread('3[01]')})"
_YEAR = f"(?:{spread('19')}|{spread('20')}){BREAK}{spread('[0-9][0-9]')}"
_BORN = rf"{_REGION}{BREAK}{_YEAR}{BREAK}{_MONTH}{BREAK}{_DAY}{BREAK}{spread('[0-9][0-9][0-9]')}(?:{BREAK}[0-9Xx]|\*)"
IDENTITY = re.compile(rf"{_OPEN}(?:{_BORN}|[0-9]{{17}}[0-9Xx]|[0-9]{{6}}[ -][0-9]{{8}}[ -][0-9]{{3}}[0-9Xx]){_SHUT}")
OLD_IDENTITY = re.compile(
    rf"{_OPEN}[1-9]\d{{5}}{BREAK}\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){BREAK}\d{{3}}{_SHUT}"
    rf"|{_OPEN}[1-9](?:[\W_]{{1,6}}+\d){{14}}{_SHUT}"
)
_LINK = r"(?:[^\w、:。;《》〔〕%￥]|_)"  # what does not say by itself that another number begins
_COUNTRY = rf"(?:\+?(?:00)?86{_LINK}{{0,6}}+|0)?"
_GROUPED = rf"1[3-9]\d{_LINK}{{0,6}}+\d{{4}}{_LINK}{{0,6}}+\d{{4}}"
_SINGLE = rf"1{_LINK}{{1,6}}+[3-9](?:{_LINK}{{1,6}}+\d){{9}}"
MOBILE = re.compile(rf"{_OPEN}{_COUNTRY}(?:{_GROUPED}|{_SINGLE}){_SHUT}")
RUN = re.compile(rf"\d(?:{_LINK}{{0,6}}+\d){{10,}}+")  # digits that somebody may have pulled apart, as far as they go
ACCOUNT = re.compile(
    rf"{_OPEN}(?:\d{{16,19}}|\d{{4}}(?:[ .*_-]{{1,3}}\d{{4}}){{3}}(?:[ .*_-]{{1,3}}\d{{1,3}})?){_SHUT}"
)
NAMED_ACCOUNT = re.compile(rf"(?:账号|账户|卡号|开户)[^\d\n]{{0,12}}(?P<it>\d(?:[ .*_-]{{0,3}}\d){{8,22}}){_SHUT}")
PASSPORT = re.compile(
    r"(?:护照|通行证|台胞证|居留证|居留许可|passport)[^A-Za-z0-9\n]{0,12}(?P<it>[A-Za-z]{0,2}\d{7,10})(?![0-9])",
    re.IGNORECASE,
)
_DATE = r"20[1-3]\d[01]\d[0-3]\d"
LANDLINE = re.compile(
    rf"{_OPEN}(?:\+?(?:00)?86{BREAK}0?|0)(?:10|2\d|[3-9]\d\d){BREAK}"
    rf"(?!{_DATE}{_SHUT})[1-9]\d{{2,3}}[ .-]?\d{{4}}{_SHUT}"
)
LOCAL = re.compile(
    rf"(?:电话|联系方式|座机|宅电)(?:号码?)?{BREAK}(?:[是为]{BREAK})?(?P<it>[2-8]\d{{2,3}}[ -]?\d{{4}}){_SHUT}"
)

NUMBERED = re.compile(r"(?:文号|编号|编码|代码|案号|序号|流水号|注册号|许可证号|受理号|协议)$")
_NOT_NUMBERED = re.compile(r"身份|电话|手机|账|卡号|联系")
_NUMBERED_BEFORE = re.compile(r"(?:文号|编号|编码|代码|案号|流水号|注册号|许可证号|受理号)(?:为|是)?\W{0,3}$")
CERTIFICATE = re.compile(r"证件编号|执法证")
CREDIT = re.compile(r"信用代码|税号|纳税人识别号")
_CREDIT_CLASS = re.compile(r"(?:1[1239]|[25]1|5[239]|9[123])\d{16}")  # GB 32100 table 1, of all-digit codes
OFFICE = re.compile(
    r"(?:咨询|投诉|举报|监督|值班|服务|热线|受理|查询|预约|应急|复议|办公|传真|政务|公示|报警|总机)[^，。；\n]{0,8}$"
)
PAID_TO = re.compile(r"(?:缴款|缴费|财政|非税|国库|专户|对公|罚没)[^。；\n]*$")
PERSONAL = re.compile(
    r"(?:当事人|相对人|被处罚人|本人|个人|私人|家庭|家属|住宅电话|宅电|家中|父亲|母亲|家长|监护人|经营者|某)"
    r"[^。；\n]{0,12}$"
)


@dataclass(frozen=True)
class Rule:
    """What `pattern` finds is `name`, unless `excused` says otherwise; `strict` ones are for documents about people
    alone, and excused elsewhere unless the words before say that it is somebody's own."""

    name: str
    pattern: re.Pattern[str]
    excused: Callable[[Spot], bool]
    strict: bool = False

    def spots(self, plain: str, field: str) -> Iterator[Spot]:
        """What stands, from left to right."""
        group = "it" if "it" in self.pattern.groupindex else 0
        for found in self.pattern.finditer(plain):
            spot = Spot(plain, *found.span(group), field)
            if not self.excused(spot):
                yield spot


def numbered(spot: Spot) -> bool:
    """Whether a document, a matter or a register gave the number."""
    own = NUMBERED.search(spot.field) is not None and _NOT_NUMBERED.search(spot.field) is None
    return own or _NUMBERED_BEFORE.search(spot.before) is not None


def personal(spot: Spot) -> bool:
    """Whether the words before, or the field, say that it is somebody's own."""
    return PERSONAL.search(spot.before) is not None or PERSONAL.search(spot.field) is not None


def office(spot: Spot) -> bool:
    """Whether the words before, or the field, say that an office is reached by it."""
    return OFFICE.search(spot.before) is not None or OFFICE.search(spot.field) is not None


def _no_identity(spot: Spot) -> bool:
    digits = spot.digits
    born = digits[6:14]
    plausible = born[:4].isdigit() and 1900 <= int(born[:4]) < 2100 and _is_day(born)
    if plausible and not (numbered(spot) and int(born[:4]) >= OFFICE_ERA):
        return False
    if numbered(spot) or CREDIT.search(spot.field) or CREDIT.search(spot.before):
        return True
    return not plausible and _CREDIT_CLASS.fullmatch(digits) is not None and _credit_check(digits)


def _is_day(text: str) -> bool:
    return 1 <= int(text[4:6]) <= 12 and 1 <= int(text[6:8]) <= 31


def _credit_check(code: str) -> bool:
    """The check character of an all-digit credit code (GB 32100 section 5.5)."""
    total = sum(int(digit) * pow(3, place, 31) for place, digit in enumerate(code[:17]))
    return (31 - total % 31) % 31 == int(code[17]) if code.isdigit() else False


def _no_old_identity(spot: Spot) -> bool:
    digits = spot.digits
    if len(digits) != len("370502900101123") or _PROVINCE.match(digits) is None:
        return True
    if not (1 <= int(digits[8:10]) <= 12 and 1 <= int(digits[10:12]) <= 31):
        return True
    return numbered(spot) and (15 <= int(digits[6:8]) <= 50 or "注册号" in spot.field + spot.before)


def _no_mobile(spot: Spot) -> bool:
    own = spot.digits[-11:]
    if CERTIFICATE.search(spot.field):  # 11 digits since 2021, the first six a region's: some begin with 13 to 15
        return own[1] in "345" and "01" <= own[2:4] <= "13" and spot.digits == own and spot.found == own
    return False


def _no_run(spot: Spot) -> bool:
    """A run of groups is a telephone only as a whole; a year among them says it is a date or a document."""
    groups = re.findall(r"\d+", spot.found)
    digits = "".join(groups)
    if not re.fullmatch(r"(?:00)?(?:86)?1[3-9]\d{9}", digits) or CERTIFICATE.search(spot.field):
        return True
    thousands = "," in spot.found and all(len(group) == 3 for group in groups[1:])
    return thousands or any(re.fullmatch(r"(?:19|20)\d\d", group) for group in groups)


def luhn(digits: str) -> bool:
    """Whether the check digit of a bank card holds (ISO/IEC 7812-1 annex B)."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def _no_card(spot: Spot) -> bool:
    digits = spot.digits
    card = re.fullmatch(r"62\d{14,17}|4\d{15}|5[1-5]\d{14}", digits) is not None and luhn(digits)
    return not card or PAID_TO.search(spot.before) is not None or (numbered(spot) and _dated(digits))


def _dated(digits: str) -> bool:
    return OFFICE_ERA <= int(digits[6:10]) < 2100


def _no_account(spot: Spot) -> bool:
    years = all(re.fullmatch(r"(?:19|20)\d\d", group) for group in re.findall(r"\d+", spot.found))
    return years or numbered(spot) or CREDIT.search(spot.field + spot.before) is not None


def _never(_: Spot) -> bool:
    return False


CORE = (
    Rule("18 位身份证号", IDENTITY, _no_identity),
    Rule("15 位身份证号", OLD_IDENTITY, _no_old_identity),
    Rule("11 位手机号", MOBILE, _no_mobile),
    Rule("11 位手机号", RUN, _no_run),
)
"""Numbers that stand in no text of ours, published or not."""
NUMBERS = (
    *CORE,
    Rule("银行卡号", ACCOUNT, _no_card),
    Rule("护照或通行证号", PASSPORT, _never),
    Rule("银行账号", ACCOUNT, _no_account, strict=True),
    Rule("银行账号", NAMED_ACCOUNT, lambda spot: PAID_TO.search(spot.before) is not None, strict=True),
    Rule("固定电话", LANDLINE, lambda spot: office(spot) or numbered(spot), strict=True),
    Rule("固定电话", LOCAL, office, strict=True),
)
