"""The personnel list (行政执法人员资格清单): who may act as an officer on a given day.

Six fields from the district's plan, section 二（一）4; the certificate's validity and the annual check because the same
section asks that the list follow the 年度审验 and section 二（一）5 bars the unqualified from enforcement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from agent.duty.entries import Entry
from agent.errors import SenderFault

CHECK_VALID_YEARS = 1  # a check made in one year holds until the end of the next: checks run through the year


class AnnualCheck(StrEnum):
    """The result of the yearly check of a certificate."""

    PASSED = "合格"
    FAILED = "不合格"
    MISSING = "未审验"


@dataclass(frozen=True)
class Officer:
    """One person of the list; `valid_until` is the last good day, `check_year` None where the list does not say."""

    name: str
    unit: str
    post: str
    certificate: str
    categories: tuple[str, ...]
    areas: tuple[str, ...]
    valid_until: date
    check: AnnualCheck
    check_year: int | None

    def obstacle(self, on: date, categories: Iterable[str] = (), area: str | None = None) -> str | None:
        """Why this person may not enforce on that day in those categories and that area; None when nothing hinders."""
        if on > self.valid_until:
            return "执法证件已过有效期"
        if self.check is not AnnualCheck.PASSED:
            return f"执法证件年度审验{self.check.value}"
        if not self.checked(on):
            return "执法证件未按年度审验"
        if any(category not in self.categories for category in categories):
            return "执法证件不含该执法类别"
        if area is not None and area not in self.areas:
            return "执法证件不含该执法区域"
        return None

    def checked(self, on: date) -> bool:
        """Whether the yearly check was passed in time for that day; a list that names no year is believed."""
        in_time = self.check_year is None or 0 <= on.year - self.check_year <= CHECK_VALID_YEARS
        return self.check is AnnualCheck.PASSED and in_time

    def licensed(self, on: date, category: str, area: str | None = None) -> bool:
        """Whether this person may enforce on that day; `area` None asks about no area in particular."""
        return self.obstacle(on, (category,), area) is None


@dataclass(frozen=True)
class Roster:
    """Officers by certificate number (证件编号)."""

    officers: Mapping[str, Officer]

    def find(self, certificate: str, name: str) -> Officer | None:
        """The officer with this certificate and this name; None when either is not as listed."""
        officer = self.officers.get(certificate)
        return officer if officer is not None and officer.name == name else None


def parse_roster(entries: Iterable[Any]) -> Roster:
    """A roster from the entries of personnel lists; raises `SenderFault` naming entry and field, also when one
    certificate number stands twice."""
    officers: dict[str, Officer] = {}
    for number, entry in enumerate(entries, 1):
        officer = _officer(Entry("人员资格清单", number, entry))
        if officer.certificate in officers:
            raise SenderFault(f"人员资格清单第 {number} 条的证件编号与前面重复，请改正。")
        officers[officer.certificate] = officer
    return Roster(officers)


def merge_rosters(dated: Iterable[tuple[datetime, Roster]]) -> Roster:
    """One roster of several lists, each with the moment of its issue; of a certificate listed twice the list that was
    issued later counts, whatever the lists are called."""
    ordered = sorted(dated, key=lambda entry: entry[0])
    return Roster({number: officer for _, roster in ordered for number, officer in roster.officers.items()})


def _officer(entry: Entry) -> Officer:
    return Officer(
        entry.text("姓名"),
        entry.text("单位"),
        entry.text("职务"),
        entry.text("证件编号"),
        entry.texts("执法类别"),
        entry.texts("执法区域"),
        entry.day("证件有效期至"),
        AnnualCheck(entry.choice("年度审验", tuple(check.value for check in AnnualCheck))),
        entry.year("审验年度") if entry.has("审验年度") else None,
    )
