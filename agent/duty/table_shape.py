"""How one kind of table is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

NUMBER = "序号"


@dataclass(frozen=True)
class Shape:
    """Canonical columns of one kind with their other names; `defaults` stand where a table has no such
    column; `lists` are split into items; `carried` are filled from the row above where a cell is empty;
    `times` are looked through for impossible times, `span` names begin and end."""

    columns: Mapping[str, tuple[str, ...]]
    defaults: Mapping[str, str] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    carried: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()

    @property
    def names(self) -> Mapping[str, str]:
        """Canonical column by every name that is known for it."""
        return {name: column for column, others in self.columns.items() for name in (column, *others)}
