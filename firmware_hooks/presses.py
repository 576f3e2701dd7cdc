"""A button's edges become presses: short, long or double. Pure; moments in nanoseconds of one monotonic clock."""

from firmware_hooks.frames import Press

BOUNCE_NS = 20_000_000  # ours: contacts chatter for some milliseconds
LONG_NS = 1_000_000_000  # ours: a mark is made on purpose
DOUBLE_NS = 350_000_000  # ours: so long after a release a second press makes a double one


class PressReader:
    """Tell it every edge, and `passed` by the moment that `deadline` names. A long press is one as soon as it is long
    enough, so that the officer feels it; a short one when it can no longer become a double one."""

    def __init__(self) -> None:
        self._down_ns: int | None = None
        self._up_ns: int | None = None
        self._edge_ns = -BOUNCE_NS
        self._told = False

    def deadline(self) -> int | None:
        """When time alone makes a press, None for not at all."""
        if self._down_ns is not None:
            return None if self._told else self._down_ns + LONG_NS
        return None if self._up_ns is None else self._up_ns + DOUBLE_NS

    def down(self, at_ns: int) -> list[Press]:
        """The button was pressed."""
        pressed = self.passed(at_ns)
        if self._down_ns is not None or at_ns - self._edge_ns < BOUNCE_NS:
            return pressed
        self._edge_ns = self._down_ns = at_ns
        self._told = False
        if self._up_ns is not None:
            self._up_ns, self._told = None, True
            return [*pressed, Press.DOUBLE]
        return pressed

    def up(self, at_ns: int) -> list[Press]:
        """The button was released."""
        pressed = self.passed(at_ns)
        if self._down_ns is not None:
            self._down_ns, self._edge_ns = None, at_ns
            self._up_ns = None if self._told else at_ns
        return pressed

    def passed(self, now_ns: int) -> list[Press]:
        """Time has come to `now_ns`."""
        due = self.deadline()
        if due is None or now_ns < due:
            return []
        if self._down_ns is not None:
            self._told = True
            return [Press.LONG]
        self._up_ns = None
        return [Press.SHORT]
