"""What a program did to one folder, as strace saw it: the only things a power cut can take apart.

An operation holds nodes, not paths: a file that was renamed is still the same file. Names below the folder are told as
the folder's node and a name in it.
"""

from dataclasses import dataclass, field


@dataclass(eq=False)
class Node:
    """A file, a folder or a link; two are equal only if they are the same. `path` is where it was first seen, for
    messages; `link` is what a symbolic link says, which never changes."""

    path: str
    is_folder: bool = False
    link: str = ""


@dataclass(frozen=True)
class Link:
    """What stands in a rebuilt tree for a symbolic link."""

    target: str


Tree = dict[str, bytes | Link | None]
"""Path to content, None for a folder."""


@dataclass(frozen=True)
class Named:
    """`name` in `folder` means `node` from now on; None: the name is gone."""

    folder: Node
    name: str
    node: Node | None


@dataclass(frozen=True)
class Renamed:
    """One name gives way to another at once, both in `folder` or each in its own."""

    gone: Named
    there: Named


@dataclass(frozen=True)
class Written:
    """`data` at `offset` of `node`."""

    node: Node
    offset: int
    data: bytes
    grows: bool


@dataclass(frozen=True)
class Resized:
    """`node` has `size` bytes from now on."""

    node: Node
    size: int


Change = Named | Renamed | Written | Resized


@dataclass(frozen=True)
class Synced:
    """What calls before number `begun` changed in `node` is on the disk; None: in every node."""

    node: Node | None
    begun: int


@dataclass(frozen=True)
class Promised:
    """The program has told the world so."""

    text: str


Operation = Change | Synced | Promised


@dataclass
class Trace:
    """The folder before (`start`: the names in each folder's node; `content`: of each file's), and what was done, each
    with the number of the call that did it, in the order of completion."""

    root: Node
    start: dict[Node, dict[str, Node]]
    content: dict[Node, bytes]
    operations: list[tuple[int, Operation]] = field(default_factory=list)
