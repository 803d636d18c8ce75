# SPDX-License-Identifier: MIT
"""Device tables: a tree and the text of a table in, the tree with what the table names in it out.

A line is `path type mode uid gid major minor start increment count`; from the first field that is
no number on, each has its default. Types are f (a file, which must exist), d, c, b and p. With a
count, `start` to `start + count - 1` are appended to the path, and each minor number is
`increment` higher than the last.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tinyprof.cramfs.format import GID_MAX, NAME_MAX, UID_MAX, EntryKind, TreeError
from tinyprof.cramfs.tree import Node, Tree, encode_device, refuse_over

KINDS = {
    "f": EntryKind.FILE,
    "d": EntryKind.DIRECTORY,
    "c": EntryKind.CHAR,
    "b": EntryKind.BLOCK,
    "p": EntryKind.FIFO,
}
COUNT_MAX = 65_536


@dataclass(frozen=True, slots=True)
class TableEntry:
    """One path that the table names; `mode` with the type's bits, `line` where it says so."""

    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    device: int
    line: int


def parse_device_table(text: str) -> list[TableEntry]:
    """The entries of a table, ranges spelled out. Raises TreeError naming the line."""
    entries: list[TableEntry] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            entries.extend(_parse_line(words, number))
    return entries


def _parse_line(words: list[str], line: int) -> Iterator[TableEntry]:
    path, letter = words[0], words[1] if len(words) > 1 else ""
    kind = KINDS.get(letter)
    if not path.startswith("/") or path.rstrip("/") == "" or {".", ".."} & set(path.split("/")):
        raise TreeError(f"device table, line {line}: {path!r} is no absolute path below /")
    if kind is None:
        raise TreeError(
            f"device table, line {line}: {letter!r} is no type", "give f, d, c, b or p"
        )
    mode = _number(words, 2, 0o755, base=8)
    if mode > 0o7777:
        raise TreeError(f"device table, line {line}: {words[2]} is no mode")
    uid, gid, major, minor = (_number(words, index, 0) for index in (3, 4, 5, 6))
    start, increment, count = _number(words, 7, 0), _number(words, 8, 1), _number(words, 9, 0)
    if kind not in (EntryKind.CHAR, EntryKind.BLOCK):
        yield TableEntry(_clean(path), kind, kind.value | mode, uid, gid, 0, line)
        return
    if count > COUNT_MAX:
        raise TreeError(f"device table, line {line}: a range of {count} devices is too long")
    names = [f"{path}{start + step}" for step in range(count)] or [path]
    for step, name in enumerate(names):
        device = encode_device(name, major, minor + step * increment)
        yield TableEntry(_clean(name), kind, kind.value | mode, uid, gid, device, line)


def _number(words: list[str], index: int, default: int, base: int = 10) -> int:
    """A field; from the first that is no number on, such as a dash, all have their default."""
    digits = set("01234567" if base == 8 else "0123456789")
    fields = words[2 : index + 1]
    if index >= len(words) or any(set(field) - set("0123456789") for field in fields):
        return default
    return int(words[index], base) if not set(words[index]) - digits else default


def _clean(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part)


def apply_device_table(tree: Tree, text: str) -> Tree:
    """The tree with the table's entries changed or added. Raises TreeError naming the line."""
    by_parent: dict[str, dict[str, TableEntry]] = {}
    for entry in parse_device_table(text):
        refuse_over(entry.path, "uid", entry.uid, UID_MAX)
        refuse_over(entry.path, "gid", entry.gid, GID_MAX)
        parent = entry.path.rpartition("/")[0] or "/"
        before = by_parent.setdefault(parent, {}).get(entry.path)
        if before is not None and before.kind is not entry.kind:
            raise TreeError(
                f"device table, line {entry.line}: {entry.path} has another type in line "
                f"{before.line}"
            )
        by_parent[parent][entry.path] = entry
    root = _changed(tree.root, by_parent)
    for parent in sorted(by_parent):
        line = min(entry.line for entry in by_parent[parent].values())
        raise TreeError(
            f"device table, line {line}: no directory {parent}", "name it in the table first"
        )
    return Tree(root)


def _changed(directory: Node, by_parent: dict[str, dict[str, TableEntry]]) -> Node:
    entries = by_parent.pop(directory.path, {})
    children = {child.path: child for child in directory.children}
    for path, entry in entries.items():
        children[path] = _entered(children.get(path), entry)
    final = [
        _changed(child, by_parent) if child.kind is EntryKind.DIRECTORY else child
        for child in children.values()
    ]
    return replace(directory, children=tuple(sorted(final, key=lambda child: child.name)))


def _entered(node: Node | None, entry: TableEntry) -> Node:
    if node is None:
        if entry.kind is EntryKind.FILE:
            raise TreeError(
                f"device table, line {entry.line}: {entry.path} does not exist", "files must exist"
            )
        refuse_over(
            entry.path,
            "length of the name in bytes",
            len(os.fsencode(entry.path.rpartition("/")[2])),
            NAME_MAX,
        )
        return Node(entry.path, entry.kind, entry.mode, entry.uid, entry.gid, 0, entry.device)
    if node.kind is not entry.kind:
        theirs = stat.filemode(node.mode)
        raise TreeError(
            f"device table, line {entry.line}: {entry.path} exists with another type ({theirs})"
        )
    return replace(node, mode=entry.mode, uid=entry.uid, gid=entry.gid, device=entry.device)
