"""Run a program under strace and read what it did to one folder.

Only what is understood is passed over in silence: any other call on the folder, and an end state that differs from what
the trace rebuilds, is a `TraceFault`, never a pass. SQLite's `-shm` files are left out: they are rebuilt from the log.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.operations import Named, Node, Operation, Promised, Renamed, Resized, Synced, Trace, Written

CALLS = (
    "openat,open,creat,dup,dup2,dup3,fcntl,clone,clone3,fork,vfork,write,pwrite64,writev,pwritev,pwritev2,lseek,"
    "ftruncate,truncate,fallocate,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,"
    "symlinkat,fsync,fdatasync,sync,syncfs,sync_file_range,sendfile,copy_file_range,splice,mmap"
)
LONGEST = 1 << 24  # bytes of one write that strace prints whole
PROMISE = "PROMISE "
MAPPED = "-shm"

LINE = re.compile(r"^(\d+) +(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?)(?:<([^>]*)>)?.*$")
UNFINISHED = re.compile(r"^(\w+)\((.*?),? *<unfinished \.\.\.>$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
ARGUMENT = re.compile(r'"[^"]*"(?:\.\.\.)?|\[[^\]]*\]|\{[^}]*\}|(?:[^,"\[{<]|<[^>]*>)+')
STRING = re.compile(r'"[^"]*"(?:\.\.\.)?')
DESCRIPTOR = re.compile(r"^(-?\d+|AT_FDCWD)(?:<([^>]*)>)?(\(deleted\))?$")


class TraceFault(Exception):
    """The trace holds what this module does not understand: nothing was shown."""


@dataclass
class _Open:
    append: bool
    position: int = 0


@dataclass
class _Call:
    begun: int
    ended: int
    process: int
    name: str
    arguments: list[str]
    result: int
    opened: str


@dataclass
class _Reader:
    """Follows names, sizes and positions; `operations` grow with each call."""

    place: str
    trace: Trace
    names: dict[Node, dict[str, Node]]
    sizes: dict[Node, int]
    opened: dict[tuple[int, int], _Open] = field(default_factory=dict)
    groups: dict[int, int] = field(default_factory=dict)

    def read(self, call: _Call) -> Iterator[Operation]:
        if call.name == "mmap":
            self._refuse_mapping(call)
        elif call.result >= 0:
            yield from self._done(call)

    def _done(self, call: _Call) -> Iterator[Operation]:
        words = call.arguments
        match call.name:
            case "openat" | "open" | "creat":
                yield from self._open(call)
            case "dup" | "dup2" | "dup3" | "fcntl":
                self._dup(call)
            case "clone" | "clone3" | "fork" | "vfork":
                thread = "CLONE_THREAD" in ",".join(words)
                self.groups[call.result] = self._group(call.process) if thread else call.result
            case "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2":
                yield from self._write(call)
            case "lseek":
                if (found := self.opened.get(self._key(call))) is not None:
                    found.position = call.result
            case "ftruncate" | "fsync" | "fdatasync":
                if (node := self._node_of(words[0])) is not None:
                    yield (
                        self._resize(node, _number(words[1])) if call.name == "ftruncate" else Synced(node, call.begun)
                    )
            case "fallocate" if words[1] == "0":
                if (node := self._node_of(words[0])) is not None:
                    yield self._resize(node, max(self.sizes[node], _number(words[2]) + _number(words[3])))
            case "truncate":
                if (node := self._at(_text(words[0]))) is not None:
                    yield self._resize(node, _number(words[1]))
            case "sync" | "syncfs":
                yield Synced(None, call.begun)
            case "rename" | "renameat" | "renameat2":
                yield from self._rename(call)
            case "unlink" | "unlinkat" | "rmdir":
                yield from self._unlink(call)
            case "mkdir" | "mkdirat":
                path = self._path(words[:2] if call.name == "mkdirat" else words[:1])
                if path is not None:
                    yield self._name(path, Node(path, is_folder=True))
            case "symlink" | "symlinkat":
                path = self._path(words[1:])
                if path is not None:
                    yield self._name(path, Node(path, link=_text(words[0])))
            case "link" | "linkat":
                half = 2 if call.name == "linkat" else 1
                old, new = self._path(words[:half]), self._path(words[half : 2 * half])
                if new is not None:
                    node = None if old is None else self._at(f"{self.place}/{old}")
                    if node is None:
                        raise TraceFault(f"{new} was linked from outside")
                    yield self._name(new, node)
            case _:
                if self.place in ",".join(map(_readable, words)):
                    raise TraceFault(f"{call.name} on the folder is not modelled")

    def _open(self, call: _Call) -> Iterator[Operation]:
        words = call.arguments if call.name == "openat" else ["AT_FDCWD", *call.arguments]
        path = self._inside(_unescaped(call.opened))
        flags = "O_CREAT|O_TRUNC" if call.name == "creat" else words[2]
        if "O_TMPFILE" in flags and path is not None:
            raise TraceFault("a file without a name is not modelled")
        if path is None or "O_DIRECTORY" in flags or path.endswith(MAPPED):
            self.opened.pop((self._group(call.process), call.result), None)
            return
        self.opened[self._group(call.process), call.result] = _Open("O_APPEND" in flags)
        node = self._at(f"{self.place}/{path}")
        if node is None and "O_CREAT" in flags:
            node = Node(path)
            self.sizes[node] = 0
            yield self._name(path, node)
        if node is not None and "O_TRUNC" in flags and self.sizes.get(node):
            yield self._resize(node, 0)

    def _dup(self, call: _Call) -> None:
        if call.name == "fcntl" and not call.arguments[1].startswith("F_DUPFD"):
            return
        found = self.opened.get(self._key(call))
        key = (self._group(call.process), call.result)
        if found is None:
            self.opened.pop(key, None)
        else:
            self.opened[key] = found

    def _write(self, call: _Call) -> Iterator[Operation]:
        words = call.arguments
        data = b"".join(map(_bytes, STRING.findall(words[1])))[: call.result]
        if data.startswith(PROMISE.encode()):
            yield from (Promised(line.removeprefix(PROMISE)) for line in data.decode().splitlines())
            return
        node = self._node_of(words[0])
        if node is None:
            return
        found = self.opened.get(self._key(call))
        if call.name == "pwritev2" and words[4:] != ["0"]:
            raise TraceFault(f"{node.path} is written with flags")
        if call.name.startswith("pwrite"):
            offset = _number(words[3])
        elif found is None:
            raise TraceFault(f"{node.path} is written by a process that did not open it")
        else:
            offset = self.sizes[node] if found.append else found.position
            found.position = offset + len(data)
        size = self.sizes[node]
        self.sizes[node] = max(size, offset + len(data))
        yield Written(node, offset, data, offset + len(data) > size)

    def _rename(self, call: _Call) -> Iterator[Operation]:
        words = [word for word in call.arguments if not word.startswith(("RENAME", "0"))]
        half = len(words) // 2
        old, new = self._path(words[:half]), self._path(words[half:])
        if old is None and new is None:
            return
        node = None if old is None else self._at(f"{self.place}/{old}")
        if old is None or new is None or node is None:
            raise TraceFault("a rename across the folder's border is not modelled")
        yield Renamed(self._name(old, None), self._name(new, node))

    def _unlink(self, call: _Call) -> Iterator[Operation]:
        path = self._path(call.arguments[:2] if call.name == "unlinkat" else call.arguments[:1])
        if path is not None and not path.endswith(MAPPED):
            yield self._name(path, None)

    def _name(self, path: str, node: Node | None) -> Named:
        above, _, name = path.rpartition("/")
        folder = self._at(f"{self.place}/{above}" if above else self.place)
        if folder is None:
            raise TraceFault(f"the folder of {path} was never seen")
        if node is None:
            self.names[folder].pop(name, None)
        else:
            self.names[folder][name] = node
            if node.is_folder:
                self.names.setdefault(node, {})
        return Named(folder, name, node)

    def _resize(self, node: Node, size: int) -> Resized:
        self.sizes[node] = size
        return Resized(node, size)

    def _refuse_mapping(self, call: _Call) -> None:
        words = call.arguments
        shared = len(words) > 4 and "MAP_SHARED" in words[3] and "PROT_WRITE" in words[2]
        if shared and (node := self._node_of(words[4])) is not None:
            raise TraceFault(f"{node.path} is written by mapping it")

    def _group(self, process: int) -> int:
        return self.groups.get(process, process)

    def _key(self, call: _Call) -> tuple[int, int]:
        return self._group(call.process), int(call.arguments[0].partition("<")[0])

    def _node_of(self, descriptor: str) -> Node | None:
        found = DESCRIPTOR.match(descriptor)
        if found is None or found[2] is None or found[3]:
            return None
        return self._at(_unescaped(found[2]))

    def _path(self, words: Sequence[str]) -> str | None:
        """The path below the folder that `(descriptor, name)` or `(name,)` mean, or None for one outside."""
        name = _text(words[-1])
        if name.startswith("/") or len(words) == 1:
            return self._inside(name)
        found = DESCRIPTOR.match(words[0])
        return None if found is None or found[2] is None else self._inside(f"{_unescaped(found[2])}/{name}")

    def _inside(self, path: str) -> str | None:
        path = os.path.normpath(path)
        return path.removeprefix(f"{self.place}/") if path.startswith(f"{self.place}/") else None

    def _at(self, path: str) -> Node | None:
        if path == self.place:
            return self.trace.root
        inside = self._inside(path)
        node: Node | None = self.trace.root
        for name in (inside or "\0").split("/"):
            node = None if node is None else self.names.get(node, {}).get(name)
        return node


def trace(command: Sequence[str], folder: Path, log: Path) -> Trace:
    """What `command`, which must end well, does to `folder`; `log` takes strace's text. Raises `TraceFault`."""
    place = folder.resolve()
    found = Trace(Node("", is_folder=True), {}, {})
    names = _snapshot(place, found.root, found)
    reader = _Reader(str(place), found, names, {node: len(data) for node, data in found.content.items()})
    words = ["strace", "-f", "-qq", "-y", "-xx", "-s", str(LONGEST), "-o", str(log), "-e", f"trace={CALLS}"]
    done = subprocess.run([*words, "--", *command], capture_output=True, text=True)
    if done.returncode:
        raise TraceFault(f"the traced program ended with {done.returncode}: {done.stderr[-2000:]}")
    for call in _calls(log):
        found.operations.extend((call.ended, operation) for operation in reader.read(call))
    return found


def _snapshot(place: Path, node: Node, found: Trace) -> dict[Node, dict[str, Node]]:
    """The tree as it stands: kept in `found.start` and returned once more, to be followed."""
    here: dict[str, Node] = {}
    followed = {node: here}
    for entry in sorted(place.iterdir()):
        if entry.name.endswith(MAPPED):
            continue
        here[entry.name] = below = _noded(entry)
        if below.link:
            continue
        if below.is_folder:
            followed |= _snapshot(entry, below, found)
        else:
            found.content[below] = entry.read_bytes()
    found.start[node] = dict(here)
    return followed


def _noded(entry: Path) -> Node:
    link = str(entry.readlink()) if entry.is_symlink() else ""
    return Node(entry.name, entry.is_dir() and not link, link)


def _calls(log: Path) -> Iterator[_Call]:
    """The calls in the order of their completion; `begun` counts the calls that were complete when each began."""
    pending: dict[int, tuple[int, str]] = {}
    done = 0
    with log.open(encoding="ascii", errors="surrogateescape") as lines:
        for number, line in enumerate(lines):
            split = LINE.match(line.rstrip("\n"))
            if split is None:
                raise TraceFault(f"line {number + 1} of the trace: {line[:100]}")
            process, text = int(split[1]), split[2]
            if (found := UNFINISHED.match(text)) is not None:
                pending[process] = (done, f"{found[1]}({found[2]}")
                continue
            begun = done
            if (found := RESUMED.match(text)) is not None:
                begun, head = pending.pop(process)
                text = head + (", " if found[2][:1] not in {")", ","} and not head.endswith("(") else "") + found[2]
            if (call := CALL.match(text)) is not None:
                done += 1
                arguments = [word.strip() for word in ARGUMENT.findall(call[2]) if word.strip()]
                result = -1 if call[3] == "?" else int(call[3])
                yield _Call(begun, done - 1, process, call[1], arguments, result, call[4] or "")


def _number(word: str) -> int:
    return int(word, 0)


def _text(word: str) -> str:
    return os.fsdecode(_bytes(word))


def _bytes(word: str) -> bytes:
    if not word.startswith('"') or word.endswith("..."):
        raise TraceFault(f"not a whole string: {word[:60]}")
    return bytes.fromhex(word[1:-1].replace("\\x", ""))


def _unescaped(text: str) -> str:
    return os.fsdecode(bytes.fromhex(text.replace("\\x", ""))) if text.startswith("\\x") else text


def _readable(word: str) -> str:
    return re.sub(r"(?:\\x[0-9a-f]{2})+", lambda found: _unescaped(found[0]), word)
