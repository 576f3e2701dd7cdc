"""What a wheel needs on another computer (pure): its requirements (PEP 508), their markers judged for that computer's
Python and processor, at the versions of a constraints file. pip judges markers by the Python that it runs on itself
(pip issue 11664), and so would leave out, or ask for, what another Python needs or does not.
"""

import email.parser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from agent.errors import OperatorFault

BROUGHT = frozenset({"pip"})  # by every venv itself
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[A-Za-z0-9.+!]+)")


@dataclass(frozen=True)
class Target:
    """The computer that installs: CPython `python`, such as 3.13, on Linux, and its processor, such as aarch64."""

    python: str
    machine: str

    def environment(self, extra: str) -> dict[str, str]:
        """What markers are judged by, for what the extra `extra` asks for ("": what is always needed)."""
        return {
            "extra": extra,
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


@dataclass(frozen=True)
class Need:
    """A project, by its normalized name (PEP 503), and the extras of it that are asked for."""

    name: str
    extras: frozenset[str] = frozenset()


def parse_pins(text: str) -> dict[str, str]:
    """Version by normalized name, of the lines `name==version`."""
    lines = (line.partition("#")[0].partition(";")[0].strip() for line in text.splitlines())
    found = (PIN.fullmatch(line) for line in lines)
    return {canonicalize_name(it["name"]): it["version"] for it in found if it is not None}


def needs(metadata: str, extras: frozenset[str], target: Target) -> Iterator[Need]:
    """What the wheel with this METADATA needs on `target` when it is installed with `extras`; raises `OperatorFault`
    for an extra that it does not have, and for lines that nobody can read."""
    headers = email.parser.HeaderParser().parsestr(metadata)
    held = {canonicalize_name(it) for it in headers.get_all("Provides-Extra", [])}
    if unknown := sorted(extras - held):
        raise OperatorFault(f"{headers['Name']} 没有附加组件 {unknown[0]}。可用：{'、'.join(sorted(held))}。")
    for line in headers.get_all("Requires-Dist", []):
        try:
            asked = Requirement(line)
        except InvalidRequirement as error:
            raise OperatorFault(f"{headers['Name']} 的依赖无法读懂（{line[:60]}）。请换一个 wheel。") from error
        wanted = ("", *extras)
        holds = asked.marker is None or any(asked.marker.evaluate(target.environment(extra)) for extra in wanted)
        if holds and (name := canonicalize_name(asked.name)) not in BROUGHT:
            yield Need(name, frozenset(map(canonicalize_name, asked.extras)))


def pinned(name: str, pins: Mapping[str, str], by: str) -> str:
    """`name==version`; raises `OperatorFault` when no version is told."""
    if name not in pins:
        raise OperatorFault(
            f"约束文件没有写明 {name} 的版本（{by} 需要它）。请用 --constraints 指明本版的 constraints.txt。"
        )
    return f"{name}=={pins[name]}"
