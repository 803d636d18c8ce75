# SPDX-License-Identifier: MIT
"""The files that an image is made of: a directory on disk in, a frozen tree out.

Refuses, naming the path, whatever CramFS cannot hold; nothing is shortened to fit. Contents are read when
the writer asks for them, once, and a file that changed meanwhile is an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyprof.cramfs.format import FILE_MAX, GID_MAX, NAME_MAX, PAGE_SIZE, UID_MAX, EntryKind, TreeError


@dataclass(frozen=True, slots=True)
class Node:
    """One file, directory or other entry; `path` is absolute in the image, `size` in bytes."""

    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    size: int
    device: int = 0
    source: Path | None = None
    link: bytes = b""
    children: tuple[Node, ...] = ()

    @property
    def name(self) -> bytes:
        return os.fsencode(self.path.rpartition("/")[2])

    @property
    def pages(self) -> int:
        return -(-self.size // PAGE_SIZE)

    def content(self) -> bytes:
        """The bytes of a file or symlink. Raises TreeError where they cannot be read or have changed."""
        if self.source is None:
            return self.link
        try:
            content = self.source.read_bytes()
        except OSError as error:
            raise TreeError(f"{self.path}: cannot be read: {error.strerror}") from None
        if len(content) != self.size:
            raise TreeError(f"{self.path}: changed from {self.size} to {len(content)} bytes while being read")
        return content


@dataclass(frozen=True, slots=True)
class Tree:
    """A root directory with all that is below it."""

    root: Node

    @classmethod
    def from_directory(cls, path: Path | str) -> Tree:
        """Take stock of a directory. Raises TreeError for what CramFS cannot hold."""
        top = Path(path)
        if not top.is_dir():
            raise TreeError(f"{top}: not a directory", "give the root filesystem's folder")
        return cls(_node(top, "/"))

    def walk(self) -> Iterator[Node]:
        """Every node, parents first, names in byte order."""
        pending = [self.root]
        while pending:
            node = pending.pop()
            yield node
            pending.extend(reversed(node.children))

    def files(self) -> Iterator[Node]:
        """The regular files."""
        return (node for node in self.walk() if node.kind is EntryKind.FILE)


def _node(source: Path, path: str) -> Node:
    try:
        status = source.lstat()
    except OSError as error:
        raise TreeError(f"{path}: cannot be read: {error.strerror}") from None
    kind = _kind(path, status.st_mode)
    _refuse_over(path, "uid", status.st_uid, UID_MAX)
    _refuse_over(path, "gid", status.st_gid, GID_MAX)
    name = os.fsencode(path.rpartition("/")[2])
    _refuse_over(path, "length of the name in bytes", len(name), NAME_MAX)
    if kind is EntryKind.DIRECTORY:
        children = tuple(
            _node(child, path.rstrip("/") + "/" + child.name) for child in _listing(source, path)
        )
        return Node(path, kind, status.st_mode, status.st_uid, status.st_gid, 0, children=children)
    if kind is EntryKind.FILE:
        _refuse_over(path, "size in bytes", status.st_size, FILE_MAX)
        return Node(path, kind, status.st_mode, status.st_uid, status.st_gid, status.st_size, source=source)
    if kind is EntryKind.SYMLINK:
        link = os.fsencode(source.readlink())
        return Node(path, kind, status.st_mode, status.st_uid, status.st_gid, len(link), link=link)
    device = _device(path, status) if kind in (EntryKind.CHAR, EntryKind.BLOCK) else 0
    return Node(path, kind, status.st_mode, status.st_uid, status.st_gid, 0, device)


def _listing(source: Path, path: str) -> list[Path]:
    try:
        return sorted(source.iterdir(), key=lambda child: os.fsencode(child.name))
    except OSError as error:
        raise TreeError(f"{path}: cannot be listed: {error.strerror}") from None


def _kind(path: str, mode: int) -> EntryKind:
    try:
        return EntryKind(stat.S_IFMT(mode))
    except ValueError:
        raise TreeError(f"{path}: mode {mode:o} is of no type that cramfs knows") from None


def _device(path: str, status: os.stat_result) -> int:
    """old_encode_dev(): eight bits each; the kernel decodes no more."""
    major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    _refuse_over(path, "major number", major, 255)
    _refuse_over(path, "minor number", minor, 255)
    return major << 8 | minor


def _refuse_over(path: str, what: str, value: int, limit: int) -> None:
    if value > limit:
        raise TreeError(
            f"{path}: {what} is {value}, cramfs holds at most {limit}", "change or leave out this file"
        )
