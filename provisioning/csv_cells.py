"""Cells of a CSV that a table program would run as a formula (OWASP, CSV injection)."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What such a cell begins with; programs set to Chinese take the full-width signs as well."""


def inert(cell: str) -> str:
    """`cell`, behind an apostrophe where it would be run."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
