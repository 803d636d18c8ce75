# SPDX-License-Identifier: MIT
"""The directories of an image: its bytes and superblock in, one entry for each name out, in
walking order.

Every number is untrusted. What is wrong goes to a callback, which may raise or take note; the walk
then goes on without that entry. Work and memory stay within a multiple of the image's size.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from tinyprof.cramfs.format import INODE_SIZE, EntryKind, ImageError, Inode, Superblock
from tinyprof.pages import PAGE_SIZE

DEPTH_MAX = 256
PATH_MAX = 4096
"""The kernel resolves no longer path (include/uapi/linux/limits.h)."""

PATHS_PER_BYTE = 16
"""All paths together may take so many characters for each byte of the image, and 1 MiB more."""

ROOT_INODE_AT = 64
"""Where in the superblock the root's inode stands."""

Problem = Callable[[str, int, str], None]
"""Called with a path, the byte in the image and what is wrong there."""

_KINDS = {kind.value: kind for kind in EntryKind}


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the image; `ino` is the kernel's inode number (cramino()), sizes in bytes.

    `at` is the byte at which the entry's own inode stands.
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
        return -(-self.size // PAGE_SIZE)

    def page_id(self, index: int) -> int:
        """The word address of the page's block pointer, which is how the target names the page."""
        return (self.ino >> 2) + index


def refuse(path: str, at: int, message: str) -> None:
    """The strict reader's answer to a problem."""
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


class _Walk:
    """Depth first; each directory may be entered once, which also ends cycles."""

    def __init__(self, data: memoryview, superblock: Superblock, problem: Problem) -> None:
        self._data = data
        self._order = superblock.byte_order
        self._problem = problem
        self._entered: set[int] = set()
        self._characters = (1 << 20) + PATHS_PER_BYTE * len(data)
        self.entries: list[Entry] = []

    def run(self, root: Inode, at: int) -> None:
        pending = [(_entry("/", root, at, EntryKind.DIRECTORY), 0)]
        while pending:
            entry, depth = pending.pop()
            self.entries.append(entry)
            if entry.kind is EntryKind.DIRECTORY and entry.size and self._may_enter(entry, depth):
                children = self._children(entry)
                pending.extend((child, depth + 1) for child in reversed(children))

    def _may_enter(self, entry: Entry, depth: int) -> bool:
        if entry.ino & 3:
            self._problem(
                entry.path, entry.at, f"a directory of {entry.size} bytes, but no place for them"
            )
        elif depth > DEPTH_MAX:
            self._problem(entry.path, entry.at, f"directories are nested deeper than {DEPTH_MAX}")
        elif entry.ino in self._entered:
            self._problem(
                entry.path, entry.at, f"the directory at byte {entry.ino} is listed twice"
            )
        elif entry.ino + entry.size > len(self._data):
            self._problem(
                entry.path, entry.at, f"the directory at byte {entry.ino} lies outside the image"
            )
        else:
            self._entered.add(entry.ino)
            return True
        return False

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
            elif (child := self._child(prefix + os.fsdecode(name), inode, at)) is not None:
                children.append(child)
            at = after
        return children

    def _child(self, path: str, inode: Inode, at: int) -> Entry | None:
        kind = _KINDS.get(inode.mode & 0o170000)
        if kind is None:
            self._problem(path, at, f"mode {inode.mode:o} is of no known type")
            return None
        self._characters -= len(path)
        if len(path) > PATH_MAX or self._characters < 0:
            raise ImageError(f"{path[:64]}…: paths are longer than any kernel resolves")
        return _entry(path, inode, at, kind)


def _possible(name: bytes) -> bool:
    return bool(name) and b"/" not in name and b"\0" not in name and name not in (b".", b"..")


def _entry(path: str, inode: Inode, at: int, kind: EntryKind) -> Entry:
    has_data = kind.has_data and inode.offset and inode.size
    ino = inode.offset if has_data else at + 1
    size = inode.size if kind.has_data else 0
    device = inode.size if kind in (EntryKind.CHAR, EntryKind.BLOCK) else 0
    return Entry(path, kind, inode.mode, inode.uid, inode.gid, size, ino, device, at)
