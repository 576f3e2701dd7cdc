"""The folder of the receipts' list: one file a part, read when somebody asks. Whoever reads verifies it."""

import logging
from pathlib import Path

from agent.wire.envelope import MAX_ENVELOPE_BYTES

log = logging.getLogger(__name__)


class ReceiptFolder:
    """`part` gives the bytes of a part, None where there is none to read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def part(self, number: int) -> bytes | None:
        """One byte more than an envelope may have is enough to be refused as too large."""
        from agent.duty.receipt_list import part_name  # not before somebody asks

        path = self._folder / part_name(number)
        try:
            with path.open("rb") as file:
                return file.read(MAX_ENVELOPE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("cannot read %s: %s", path, error)
            return None
