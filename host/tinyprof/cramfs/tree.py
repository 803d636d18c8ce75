# SPDX-License-Identifier: MIT
"""The files that an image is made of: a directory on disk in, a frozen tree out.

Refuses, naming the path, whatever CramFS cannot hold; nothing is shortened to fit. Contents are
read when the writer asks for them, and a file that changed or vanished meanwhile is an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinyprof.cramfs.format import FILE_MAX, GID_MAX, NAME_MAX, UID_MAX, EntryKind, TreeError
from tinyprof.pages import PAGE_SIZE

FILE_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""What became something else since it was listed is neither followed nor waited for."""

CHUNK = 32 * PAGE_SIZE
"""Bytes read at once: whole pages, few enough that big files take no more memory than small
ones."""

LINK_MAX = PAGE_SIZE - 1
"""The kernel ends a link's target within its first page (nd_terminate_link())."""


@dataclass(frozen=True, slots=True)
class Node:
    """One file, directory or other entry; `path` is absolute in the image, `size` in bytes.

    `source` is the file to read; without one the content is `link`. `stamp` is the time of its
    last change in nanoseconds, as far as it is known.
    """

    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    size: int
    device: int = 0
    source: str | None = None
    link: bytes = b""
    children: tuple[Node, ...] = ()
    stamp: int | None = None

    @property
    def name(self) -> bytes:
        return os.fsencode(self.path.rpartition("/")[2])

    @property
    def pages(self) -> int:
        return -(-self.size // PAGE_SIZE)

    @property
    def has_content(self) -> bool:
        return self.size > 0 and self.kind.has_blocks

    def content(self) -> bytes:
        """The bytes of a file or symlink. Raises TreeError where they cannot be read or have
        changed."""
        return b"".join(self.chunks())

    def head(self, size: int) -> bytes:
        """The first `size` bytes of the content."""
        return next(self.chunks(size), b"")[:size]

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The content in pieces of `size` bytes, the last one perhaps shorter."""
        if self.source is None:
            yield from (self.link[at : at + size] for at in range(0, self.size, size))
            return
        try:
            # os.open() takes half the time of open().
            handle = os.open(self.source, FILE_ONLY)
            try:
                yield from self._read_chunks(handle, size)
            finally:
                os.close(handle)
        except OSError as error:
            raise TreeError(
                f"{self.path}: cannot be read: {error.strerror}", "build again"
            ) from None

    def _read_chunks(self, handle: int, size: int) -> Iterator[bytes]:
        for at in range(0, self.size, size):
            chunk = os.read(handle, size)
            whole = len(chunk) == min(size, self.size - at)
            if not whole or (at + size >= self.size and self._changed(os.fstat(handle))):
                raise TreeError(f"{self.path}: changed while being read", "build again")
            yield chunk

    def _changed(self, status: os.stat_result) -> bool:
        return status.st_size != self.size or self.stamp not in (None, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Tree:
    """A root directory with all that is below it."""

    root: Node

    @classmethod
    def from_directory(cls, path: Path | str, *, squash: bool = False) -> Tree:
        """Take stock of a directory; with `squash` all is owned by root.

        Raises TreeError for what CramFS cannot hold.
        """
        top = os.fspath(path)
        try:
            status = Path(top).stat()
        except OSError as error:
            raise TreeError(
                f"{top}: {error.strerror}", "give the root filesystem's folder"
            ) from None
        if not stat.S_ISDIR(status.st_mode):
            raise TreeError(f"{top}: not a directory", "give the root filesystem's folder")
        return cls(_Scan(squash).node(top, "/", status))

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


_KINDS = {kind.value: kind for kind in EntryKind}


class _Scan:
    """One pass over a directory; every limit is checked before anything is read."""

    def __init__(self, squash: bool) -> None:
        self._squash = squash

    def node(self, source: str, path: str, status: os.stat_result) -> Node:
        mode = status.st_mode
        kind = _KINDS.get(mode & 0o170000)
        if kind is None:
            raise TreeError(f"{path}: mode {mode:o} is of no type that cramfs knows")
        uid, gid = (0, 0) if self._squash else (status.st_uid, status.st_gid)
        refuse_over(path, "uid", uid, UID_MAX)
        refuse_over(path, "gid", gid, GID_MAX)
        if kind is EntryKind.DIRECTORY:
            return Node(path, kind, mode, uid, gid, 0, children=self._children(source, path))
        if kind is EntryKind.FILE:
            size = status.st_size
            refuse_over(path, "size in bytes", size, FILE_MAX)
            return Node(path, kind, mode, uid, gid, size, source=source, stamp=status.st_mtime_ns)
        if kind is EntryKind.SYMLINK:
            link = _link(source, path)
            return Node(path, kind, mode, uid, gid, len(link), link=link)
        device = 0
        if kind in (EntryKind.CHAR, EntryKind.BLOCK):
            device = encode_device(path, os.major(status.st_rdev), os.minor(status.st_rdev))
        return Node(path, kind, mode, uid, gid, 0, device)

    def _children(self, source: str, path: str) -> tuple[Node, ...]:
        prefix = path.rstrip("/") + "/"
        try:
            with os.scandir(source) as listing:
                found = sorted((os.fsencode(item.name), item) for item in listing)
            statuses = [(name, item, item.stat(follow_symlinks=False)) for name, item in found]
        except OSError as error:
            raise TreeError(f"{path}: cannot be listed: {error.strerror}", "build again") from None
        for name, item, _ in statuses:
            refuse_over(prefix + item.name, "length of the name in bytes", len(name), NAME_MAX)
        return tuple(
            self.node(item.path, prefix + item.name, status) for _, item, status in statuses
        )


def _link(source: str, path: str) -> bytes:
    try:
        link = os.fsencode(os.readlink(source))  # noqa: PTH115 - Path takes twice the time
    except OSError as error:
        raise TreeError(f"{path}: cannot be read: {error.strerror}", "build again") from None
    refuse_over(path, "length of the link in bytes", len(link), LINK_MAX)
    return link


def encode_device(path: str, major: int, minor: int) -> int:
    """old_encode_dev(): eight bits each; the kernel decodes no more."""
    refuse_over(path, "major number", major, 255)
    refuse_over(path, "minor number", minor, 255)
    return major << 8 | minor


def refuse_over(path: str, what: str, value: int, limit: int) -> None:
    """Raise TreeError, naming the path, for a value that CramFS has no room for."""
    if value > limit:
        raise TreeError(
            f"{path}: {what} is {value}, cramfs holds at most {limit}",
            "change or leave out this file",
        )
