# SPDX-License-Identifier: MIT
"""The files that an image is made of: a directory on disk in, a frozen tree out.

Everything that CramFS cannot hold is refused by its path, and nothing is shortened to fit.
Contents are read when the writer asks for them. A file that has changed or vanished since the tree
was taken is an error.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tinyprof.cramfs.format import (
    DEPTH_MAX,
    FILE_MAX,
    GID_MAX,
    NAME_MAX,
    PATH_MAX,
    UID_MAX,
    EntryKind,
    TreeError,
    name_bytes,
    name_text,
)
from tinyprof.pages import PAGE_SIZE, pages_in

FILE_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags for open(). A path that has become a link or a pipe since it was listed is neither
followed nor waited for."""

CHUNK = 32 * PAGE_SIZE
"""Bytes read at once: whole pages, few enough that big files take no more memory than small
ones."""

LINK_MAX = PAGE_SIZE - 1
"""Bytes. The kernel ends a link's target within its first page (nd_terminate_link())."""

BRIEF_MAX = 600
"""Characters of a path that a message shows."""

Stamp = tuple[int, int]
"""The times of a file's last change, of its content and of its inode, in nanoseconds. A program
may set the first, but not the second."""


@dataclass(frozen=True, slots=True)
class Node:
    """One file, directory or other entry. `path` is absolute in the image, `size` in bytes.

    `source` is the file to read. Without one the content is `link`. `stamp` tells whether the file
    has changed since it was listed; None: nobody asks.
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
    stamp: Stamp | None = None

    @property
    def name(self) -> bytes:
        """The last part of the path, as it stands in the image."""
        return name_bytes(self.path.rpartition("/")[2])

    @property
    def pages(self) -> int:
        """The number of pages of the content."""
        return pages_in(self.size)

    @property
    def has_content(self) -> bool:
        """Whether the image has block pointers for this node."""
        return self.size > 0 and self.kind.has_blocks

    def content(self) -> bytes:
        """The bytes of a file or symlink. Raises TreeError where they cannot be read or have
        changed."""
        return b"".join(self.chunks())

    def head(self, size: int) -> bytes:
        """The first `size` bytes of the content."""
        return next(self.chunks(size), b"")[:size]

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The content in pieces of `size` bytes, the last one perhaps shorter.

        Raises TreeError where it cannot be read or has changed. A change is noticed at the end, so
        that only a content that was read to its end may be believed.
        """
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
                raise self.changed()
            yield chunk

    def _changed(self, status: os.stat_result) -> bool:
        return status.st_size != self.size or self.stamp not in (None, _stamp_of(status))

    def changed(self) -> TreeError:
        """The error about a file that another program has written to meanwhile."""
        return TreeError(f"{self.path}: changed while being read", "build again")


def _stamp_of(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_ctime_ns


@dataclass(frozen=True, slots=True)
class Tree:
    """A root directory with everything below it.

    `attributes` has the names of extended attributes by path, such as security.capability. CramFS
    has no place for them, so an image is without them.
    """

    root: Node
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_directory(
        cls, path: Path | str, *, squash: bool = False, any_owner: bool = False
    ) -> Tree:
        """Take stock of a directory. With `squash`, root owns everything.

        Raises TreeError for everything that CramFS cannot hold. With `any_owner` it takes owners
        that are too large, because a device table may still change them; write_image() checks
        them.
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
        scan = _Scan(squash)
        tree = cls(scan.root(os.fsencode(top), status), scan.attributes)
        if not any_owner:
            tree.check_owners()
        return tree

    def check_owners(self) -> None:
        """Raise TreeError for an owner or group that CramFS has no room for."""
        for node in self.walk():
            refuse_owner(node.path, node.uid, node.gid)

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


@dataclass(frozen=True, slots=True)
class _Listed:
    """A directory that has been listed; a child that is a directory stands as its path."""

    path: str
    status: os.stat_result
    children: list[Node | str]


class _Scan:
    """One pass over a directory. Every limit but that of owners is checked before anything is
    read.

    Names are taken as bytes, so that they do not depend on the locale.
    """

    def __init__(self, squash: bool) -> None:
        self._squash = squash
        self.attributes: dict[str, tuple[str, ...]] = {}

    def root(self, top: bytes, status: os.stat_result) -> Node:
        """The tree as one node. No depth of it recurses."""
        listed: list[_Listed] = []
        pending = [(top, "/", status, 0)]
        self._note_attributes(top, "/")
        while pending:
            source, path, status, depth = pending.pop()
            refuse_over(path, "depth in directories", depth, DEPTH_MAX)
            directory = _Listed(path, status, [])
            listed.append(directory)
            for item, child, found in self._children(source, path):
                self._note_attributes(item, child)
                if stat.S_ISDIR(found.st_mode):
                    pending.append((item, child, found, depth + 1))
                    directory.children.append(child)
                else:
                    directory.children.append(self._leaf(item, child, found))
        made: dict[str, Node] = {}
        # A directory is listed after its parent, so backwards its children are made before it.
        for directory in reversed(listed):
            children = (
                made.pop(child) if isinstance(child, str) else child
                for child in directory.children
            )
            made[directory.path] = Node(
                directory.path,
                EntryKind.DIRECTORY,
                directory.status.st_mode,
                *self._owner(directory.status),
                0,
                children=tuple(children),
            )
        return made["/"]

    def _owner(self, status: os.stat_result) -> tuple[int, int]:
        return (0, 0) if self._squash else (status.st_uid, status.st_gid)

    def _leaf(self, source: bytes, path: str, status: os.stat_result) -> Node:
        mode = status.st_mode
        kind = _KINDS.get(mode & 0o170000)
        if kind is None:
            raise TreeError(f"{path}: mode {mode:o} is of no type that cramfs knows")
        uid, gid = self._owner(status)
        if kind is EntryKind.FILE:
            size, stamp = status.st_size, _stamp_of(status)
            refuse_over(path, "size in bytes", size, FILE_MAX)
            return Node(path, kind, mode, uid, gid, size, source=os.fsdecode(source), stamp=stamp)
        if kind is EntryKind.SYMLINK:
            link = _link(source, path)
            return Node(path, kind, mode, uid, gid, len(link), link=link)
        device = 0
        if kind in (EntryKind.CHAR, EntryKind.BLOCK):
            device = encode_device(path, os.major(status.st_rdev), os.minor(status.st_rdev))
        return Node(path, kind, mode, uid, gid, 0, device)

    def _children(self, source: bytes, path: str) -> Iterator[tuple[bytes, str, os.stat_result]]:
        """Place on disk, path and status of each name, in byte order."""
        prefix = path.rstrip("/") + "/"
        try:
            with os.scandir(source) as listing:
                found = sorted(listing, key=lambda item: item.name)
            for item in found:
                child = prefix + name_text(item.name)
                refuse_over(child, "length of the name in bytes", len(item.name), NAME_MAX)
                refuse_over(child, "length of the path", len(child), PATH_MAX)
            statuses = [item.stat(follow_symlinks=False) for item in found]
        except OSError as error:
            raise TreeError(
                f"{brief(path)}: cannot be listed: {error.strerror}", "build again"
            ) from None
        for item, status in zip(found, statuses, strict=True):
            yield item.path, prefix + name_text(item.name), status

    def _note_attributes(self, source: bytes, path: str) -> None:
        # A file system that has no attributes says so by an error.
        with contextlib.suppress(OSError):
            names = os.listxattr(source, follow_symlinks=False)
            if names:
                self.attributes[path] = tuple(names)


def _link(source: bytes, path: str) -> bytes:
    try:
        link = os.readlink(source)  # noqa: PTH115 - Path takes no bytes
    except OSError as error:
        raise TreeError(f"{path}: cannot be read: {error.strerror}", "build again") from None
    refuse_over(path, "length of the link in bytes", len(link), LINK_MAX)
    return link


def encode_device(path: str, major: int, minor: int) -> int:
    """The number that the kernel's old_encode_dev() makes. It has eight bits for each part."""
    refuse_over(path, "major number", major, 255)
    refuse_over(path, "minor number", minor, 255)
    return major << 8 | minor


def refuse_owner(path: str, uid: int, gid: int) -> None:
    """Raise TreeError, naming the path, for an owner that CramFS has no room for."""
    for word, value, limit in (("uid", uid, UID_MAX), ("gid", gid, GID_MAX)):
        if value > limit:
            raise TreeError(
                f"{path}: {word} is {value}, cramfs holds at most {limit}",
                "let root own everything with -q, set owners in a device table with -D, or build "
                "under fakeroot",
            )


def refuse_over(path: str, quantity: str, value: int, limit: int) -> None:
    """Raise TreeError, naming the path, for a value that CramFS has no room for."""
    if value > limit:
        raise TreeError(
            f"{brief(path)}: {quantity} is {value}, cramfs holds at most {limit}",
            "change or leave out this file",
        )


def brief(path: str) -> str:
    """A path for a message, without its middle where it is very long."""
    return path if len(path) <= BRIEF_MAX else f"{path[:100]}…{path[100 - BRIEF_MAX :]}"
