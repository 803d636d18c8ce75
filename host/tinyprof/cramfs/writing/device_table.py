# SPDX-License-Identifier: MIT
"""Applies device tables: a tree and the text of a table in, the changed tree out.

A line is `path type mode uid gid major minor start increment count`.

1. Types are f (a file, which must exist), d, c, b and p.
2. A field that is missing or is a dash has its default.
3. A mode of -1 keeps the mode of the node that is there, as does an owner or a group of -1.
4. An owner or a group may be a name, which the tree's own etc/passwd or etc/group must have.
5. With a count, `start` to `start + count - 1` are appended to the path, and each minor number is
   `increment` higher than the last.
6. Any other text in a field is an error, which names the line and the field.

The syntax is that of mkcramfs. Buildroot's makedevs has it too, and more types.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tinyprof.cramfs.format import (
    DEPTH_MAX,
    NAME_MAX,
    PATH_MAX,
    EntryKind,
    TreeError,
    name_bytes,
)
from tinyprof.cramfs.tree import Node, Tree, encode_device, refuse_over, refuse_owner

KINDS = {
    "f": EntryKind.FILE,
    "d": EntryKind.DIRECTORY,
    "c": EntryKind.CHAR,
    "b": EntryKind.BLOCK,
    "p": EntryKind.FIFO,
}
FIELDS = (
    *("path", "type", "mode", "uid", "gid"),
    *("major", "minor", "start", "increment", "count"),
)
ENTRIES_MAX = 65_536
"""Entries of one table, ranges spelled out. Three bytes of a table can ask for millions."""

KEPT = -1
"""A mode, an owner or a group that stays as it is."""

USERS = "/etc/passwd"
GROUPS = "/etc/group"

Lookup = Callable[[str, str], int | None]
"""Called with the path of USERS or GROUPS and a name. Gives the number, None for no such name."""


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One path that the table names.

    `mode`, `uid` and `gid` may be KEPT. `line` is the number of the line that says so.
    """

    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    device: int
    line: int


def apply_device_table(tree: Tree, text: str) -> Tree:
    """The tree with the table's entries changed or added. Raises TreeError naming the line."""
    by_parent: dict[str, dict[str, TableEntry]] = {}
    root: TableEntry | None = None
    for entry in parse_device_table(text, _lookup_in(tree)):
        if entry.path == "/":
            root = entry
            continue
        parent = entry.path.rpartition("/")[0] or "/"
        before = by_parent.setdefault(parent, {}).get(entry.path)
        if before is not None and before.kind is not entry.kind:
            raise TreeError(
                f"device table, line {entry.line}: {entry.path} has another type in line "
                f"{before.line}"
            )
        by_parent[parent][entry.path] = entry
    top = _changed(tree.root, by_parent)
    for parent in sorted(by_parent):
        line = min(entry.line for entry in by_parent[parent].values())
        raise TreeError(
            f"device table, line {line}: no directory {parent}", "name it in the table first"
        )
    return replace(tree, root=_entered(top, root) if root else top)


def parse_device_table(text: str, lookup: Lookup = lambda file, name: None) -> list[TableEntry]:
    """The entries of a table, ranges spelled out. Raises TreeError naming line and field."""
    entries: list[TableEntry] = []
    # As in C, only ASCII has white space. Other spaces and line ends of Unicode may be in a name.
    for number, line in enumerate(text.split("\n"), 1):
        words = re.findall(r"[^ \t\r\v\f]+", line)
        if not words or words[0].startswith("#"):
            continue
        for entry in _Line(words, number, lookup).entries():
            entries.append(entry)
            if len(entries) > ENTRIES_MAX:
                raise TreeError(
                    f"device table, line {number}: the table has over {ENTRIES_MAX} entries, "
                    "ranges spelled out: too long",
                    "give ranges that a device driver can have",
                )
    return entries


class _Line:
    """The words of one line."""

    def __init__(self, words: list[str], line: int, lookup: Lookup) -> None:
        self._words = words
        self._line = line
        self._lookup = lookup

    def entries(self) -> Iterator[TableEntry]:
        """The entries of the line: several for a range."""
        path, kind = self._path(), self._kind()
        if len(self._words) > len(FIELDS):
            raise self._wrong(f"more than {len(FIELDS)} fields")
        mode = self._mode()
        uid, gid = self._owner("uid", USERS), self._owner("gid", GROUPS)
        major, minor, start = (self._number(field, 0) for field in ("major", "minor", "start"))
        increment, count = self._number("increment", 1), self._number("count", 0)
        if kind not in (EntryKind.CHAR, EntryKind.BLOCK):
            if any((major, minor, start, count)):
                raise self._wrong("only devices have numbers and ranges")
            yield TableEntry(path, kind, mode, uid, gid, 0, self._line)
            return
        if path == "/":
            raise self._wrong("the root is a directory")
        if count > ENTRIES_MAX:
            raise self._wrong(f"a range of {count} devices is too long")
        for step in range(max(count, 1)):
            name = f"{path}{start + step}" if count else path
            device = encode_device(self._at(name), major, minor + step * increment)
            yield TableEntry(name, kind, mode, uid, gid, device, self._line)

    def _path(self) -> str:
        path = self._words[0]
        parts = [part for part in path.split("/") if part]
        if not path.startswith("/") or "\0" in path or {".", ".."} & set(parts):
            raise self._wrong(f"{path!r} is no absolute path")
        refuse_over(self._at(f"{path:.40}"), "length of the path", len(path), PATH_MAX)
        refuse_over(self._at(path), "depth in directories", len(parts), DEPTH_MAX + 1)
        return "/" + "/".join(parts)

    def _kind(self) -> EntryKind:
        letter = self._word("type")
        kind = KINDS.get(letter)
        if kind is None:
            raise self._wrong(f"{letter!r} is no type", "give f, d, c, b or p")
        return kind

    def _mode(self) -> int:
        word = self._word("mode")
        if word in ("", "-"):
            return 0o755
        if word == "-1":
            return KEPT
        if not re.fullmatch("0?[0-7]{1,4}", word):
            raise self._wrong(f"{word:.40} is no mode", "give octal digits, or -1 to keep it")
        return int(word, 8)

    def _owner(self, field: str, file: str) -> int:
        word = self._word(field)
        if word == "-1":
            return KEPT
        if word in ("", "-") or word[0] in "-+0123456789":
            return self._number(field, 0)
        number = self._lookup(file, word)
        if number is None:
            raise self._wrong(f"field {field}: the tree's {file} has no {word!r}", "give a number")
        return number

    def _number(self, field: str, default: int) -> int:
        word = self._word(field)
        if word in ("", "-"):
            return default
        if not re.fullmatch("[0-9]{1,10}", word):
            raise self._wrong(
                f"field {field}: {word[:40]!r} is no number", "give digits, or - for the default"
            )
        return int(word)

    def _word(self, field: str) -> str:
        at = FIELDS.index(field)
        return self._words[at] if at < len(self._words) else ""

    def _at(self, path: str) -> str:
        return f"device table, line {self._line}: {path}"

    def _wrong(self, sentence: str, hint: str = "") -> TreeError:
        return TreeError(self._at(sentence), hint)


def _lookup_in(tree: Tree) -> Lookup:
    """A function that looks names up in files of the tree, which are read when first needed."""
    known: dict[str, dict[str, int]] = {}

    def lookup(file: str, name: str) -> int | None:
        if file not in known:
            found = (node for node in tree.files() if node.path == file)
            known[file] = _numbers(b"".join(node.content() for node in found))
        return known[file].get(name)

    return lookup


def _numbers(text: bytes) -> dict[str, int]:
    """The numbers by name of a file such as /etc/passwd: name, password, number, and more."""
    numbers: dict[str, int] = {}
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        fields = line.split(":")
        if len(fields) > 2 and re.fullmatch("[0-9]{1,10}", fields[2]):
            numbers.setdefault(fields[0], int(fields[2]))
    return numbers


def _changed(top: Node, by_parent: dict[str, dict[str, TableEntry]]) -> Node:
    """The tree with the entries below their parents, which are taken out of `by_parent`.

    1. Directories are met parents first, and each gets its new children.
    2. Backwards each is made again with the children that have been made before it.
    """
    met: list[Node] = []
    pending = [top]
    while pending:
        directory = pending.pop()
        entries = by_parent.pop(directory.path, {})
        children = {child.path: child for child in directory.children}
        for path, entry in entries.items():
            children[path] = _entered(children.get(path), entry)
        directory = replace(directory, children=tuple(children.values()))
        met.append(directory)
        pending += (child for child in children.values() if child.kind is EntryKind.DIRECTORY)
    made: dict[str, Node] = {}
    for directory in reversed(met):
        final = (made.pop(child.path, child) for child in directory.children)
        ordered = sorted(final, key=lambda child: child.name)
        made[directory.path] = replace(directory, children=tuple(ordered))
    return made[top.path]


def _entered(node: Node | None, entry: TableEntry) -> Node:
    """The node that the entry asks for, in place of the one that is there."""
    where = f"device table, line {entry.line}"
    if node is None:
        if entry.kind is EntryKind.FILE:
            raise TreeError(f"{where}: {entry.path} does not exist", "files must exist")
        name = name_bytes(entry.path.rpartition("/")[2])
        refuse_over(f"{where}: {entry.path}", "length of the name in bytes", len(name), NAME_MAX)
        mode = entry.kind.value | (0o755 if entry.mode == KEPT else entry.mode)
        uid, gid = max(entry.uid, 0), max(entry.gid, 0)
        refuse_owner(f"{where}: {entry.path}", uid, gid)
        return Node(entry.path, entry.kind, mode, uid, gid, 0, entry.device)
    if node.kind is not entry.kind:
        raise TreeError(
            f"{where}: {entry.path} exists with another type ({stat.filemode(node.mode)})"
        )
    mode = node.mode if entry.mode == KEPT else entry.kind.value | entry.mode
    uid = node.uid if entry.uid == KEPT else entry.uid
    gid = node.gid if entry.gid == KEPT else entry.gid
    refuse_owner(f"{where}: {entry.path}", uid, gid)
    return replace(node, mode=mode, uid=uid, gid=gid, device=entry.device)
