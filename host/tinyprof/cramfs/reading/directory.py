# SPDX-License-Identifier: MIT
"""Walks the directories of an image: its bytes and superblock in, one entry for each name out.

Every number is untrusted. A fault goes to a callback, which may raise or take note; the walk then
goes on without that entry. Each byte of the image is read as a name at most once, so time and
memory grow with the image's size only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tinyprof.cramfs.format import (
    DEPTH_MAX,
    INODE_SIZE,
    PATH_MAX,
    EntryKind,
    ImageError,
    Inode,
    Superblock,
    name_text,
    paths_max,
)
from tinyprof.pages import pages_in

ROOT_INODE_AT = 64
"""Bytes from the superblock's begin to the root's inode."""

Problem = Callable[[str, int, str], None]
"""Called with a path, a byte of the image and a sentence about the fault there."""

_KINDS = {kind.value: kind for kind in EntryKind}


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the image. Sizes are in bytes.

    `ino` is the inode number that the kernel gives it (cramino()). For an entry with data it is
    the byte at which the block pointers or the directory's names stand. `at` is the byte at which
    the entry's own inode stands.
    """

    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    size: int
    ino: int
    device: int = 0
    at: int = 0

    @property
    def pages(self) -> int:
        """The number of pages of the content."""
        return pages_in(self.size)

    @property
    def has_content(self) -> bool:
        """Whether there are block pointers to follow."""
        return self.size > 0 and self.kind.has_blocks

    def page_id(self, index: int) -> int:
        """The word address of the page's block pointer. The target names pages by it."""
        return (self.ino >> 2) + index


def refuse(path: str, at: int, message: str) -> None:
    """The strict reader's answer to a fault: an ImageError."""
    raise ImageError(f"{path}: {message}")


def walk_directories(
    data: memoryview, superblock: Superblock, problem: Problem = refuse
) -> list[Entry]:
    """Every entry, parents first, each directory's names in the order in which they are stored."""
    walk = _Walk(data, superblock, problem)
    root = superblock.root
    if root.mode & 0o170000 != EntryKind.DIRECTORY.value:
        problem("/", superblock.offset + ROOT_INODE_AT, "the root of the image is not a directory")
        return []
    walk.run(root, superblock.offset + ROOT_INODE_AT)
    return walk.entries


def distinct_contents(entries: Iterable[Entry]) -> list[Entry]:
    """The first entry of each content, in the order of the walk."""
    first: dict[tuple[int, int], Entry] = {}
    for entry in entries:
        if entry.has_content:
            first.setdefault((entry.ino, entry.size), entry)
    return list(first.values())


def clashing_tables(entries: Iterable[Entry], image_size: int) -> dict[tuple[int, int], str]:
    """The contents, by inode number and size, whose block pointers overlap those of another path.

    Empty as long as all tables together fit into the image. Only more tables than that could make
    the work on an image grow with the square of its size.
    """
    contents = distinct_contents(entries)
    if 4 * sum(entry.pages for entry in contents) <= image_size:
        return {}
    clashing: dict[tuple[int, int], str] = {}
    end, owner = 0, ""
    for entry in sorted(contents, key=lambda entry: (entry.ino, entry.size)):
        if entry.ino < end:
            clashing[entry.ino, entry.size] = owner
        else:
            end, owner = entry.ino + 4 * entry.pages, entry.path
    return clashing


class _Walk:
    """One walk, depth first.

    1. Each directory is entered once, which also ends cycles.
    2. All directories together take no more bytes than the image has. In a sound image none
       overlaps another.
    3. All paths together have at most paths_max() characters.
    """

    def __init__(self, data: memoryview, superblock: Superblock, problem: Problem) -> None:
        self._data = data
        self._order = superblock.byte_order
        self._problem = problem
        self._entered: set[int] = set()
        self._characters = paths_max(len(data))
        self._bytes = len(data)
        self.entries: list[Entry] = []

    def run(self, root: Inode, at: int) -> None:
        """Collect the entries below the root."""
        pending = [(_entry("/", root, at, EntryKind.DIRECTORY), 0)]
        while pending:
            entry, depth = pending.pop()
            self.entries.append(entry)
            if entry.kind is EntryKind.DIRECTORY and entry.size and self._may_enter(entry, depth):
                children = self._children(entry)
                pending.extend((child, depth + 1) for child in reversed(children))

    def _may_enter(self, entry: Entry, depth: int) -> bool:
        fault = self._fault(entry, depth)
        if fault:
            self._problem(entry.path, entry.at, fault)
            return False
        self._entered.add(entry.ino)
        self._bytes -= entry.size
        return True

    def _fault(self, entry: Entry, depth: int) -> str:
        """A sentence about the reason for which a directory must not be entered, or nothing."""
        if entry.ino & 3:
            return f"a directory of {entry.size} bytes, but no place for them"
        if depth > DEPTH_MAX:
            return f"directories are nested deeper than {DEPTH_MAX}"
        if entry.ino in self._entered:
            return f"the directory at byte {entry.ino} is listed twice"
        if entry.ino + entry.size > len(self._data):
            return f"the directory at byte {entry.ino} lies outside the image"
        if entry.size > self._bytes:
            return f"the directory at byte {entry.ino} overlaps others: it is not looked into"
        return ""

    def _children(self, directory: Entry) -> list[Entry]:
        data, order = self._data, self._order
        prefix = directory.path.rstrip("/") + "/"
        at, end = directory.ino, directory.ino + directory.size
        children: list[Entry] = []
        while at < end:
            if at + INODE_SIZE > end:
                self._problem(directory.path, at, f"an entry at byte {at} is cut short")
                break
            inode = Inode.unpack(data, at, order)
            after = at + INODE_SIZE + 4 * inode.name_words
            name = bytes(data[at + INODE_SIZE : after]).rstrip(b"\0")
            if after > end or not _possible(name):
                self._problem(directory.path, at, f"the entry at byte {at} has an impossible name")
                if after > end or not inode.name_words:
                    break
            elif (child := self._child(prefix, name, inode, at)) is not None:
                children.append(child)
            at = after
        return children

    def _child(self, prefix: str, name: bytes, inode: Inode, at: int) -> Entry | None:
        path = prefix + name_text(name)
        kind = _KINDS.get(inode.mode & 0o170000)
        if kind is None:
            self._problem(path, at, f"mode {inode.mode:o} is of no known type")
            return None
        if len(path) > PATH_MAX or len(path) > self._characters:
            self._problem(f"{path[:64]}…", at, "paths are longer than any kernel resolves")
            return None
        self._characters -= len(path)
        return _entry(path, inode, at, kind)


def _possible(name: bytes) -> bool:
    return bool(name) and b"/" not in name and b"\0" not in name and name not in (b".", b"..")


def _entry(path: str, inode: Inode, at: int, kind: EntryKind) -> Entry:
    has_data = kind.has_data and inode.offset and inode.size
    ino = inode.offset if has_data else at + 1
    size = inode.size if kind.has_data else 0
    device = inode.size if kind in (EntryKind.CHAR, EntryKind.BLOCK) else 0
    return Entry(path, kind, inode.mode, inode.uid, inode.gid, size, ino, device, at)
