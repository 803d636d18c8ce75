# SPDX-License-Identifier: MIT
"""Extracts an image: an image in, a new directory on disk out.

Whatever names and links the image holds, nothing is written outside that directory: every entry is
made relative to an open directory that extraction made itself, no link is ever followed, and no
existing file is opened. Needs no root; owners and devices are left out unless they are asked for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinyprof.cramfs.format import EntryKind, ImageError
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.reader import Image

Progress = Callable[[int, int], None]
"""Called with entries done and entries in all."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
CHUNK = 1 << 17
"""So many zeros in a row are left out of a file; reading it gives them all the same."""

SAFE_MODE = 0o777
"""Without owners, set-user-ID and the like would be someone else's."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was made; paths left out, with the reason: `skipped` not asked for, `failed` not
    readable."""

    entries: int
    bytes: int
    skipped: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]


def extract_image(
    image: Image,
    target: Path,
    *,
    owners: bool = False,
    devices: bool = False,
    progress: Progress | None = None,
) -> Extracted:
    """Extract into `target`, which must not exist or be empty.

    A file that cannot be read is not made, and the rest is. Raises ImageError for more than the
    disk has room for, OSError for what the system refuses.
    """
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise ImageError(f"{target} is not empty", "name a new directory")
    _refuse_flood(image, target)
    extraction = _Extraction(image, owners, devices)
    extraction.run(target, progress)
    return Extracted(
        len(image.entries), extraction.bytes, tuple(extraction.skipped), tuple(extraction.failed)
    )


def _refuse_flood(image: Image, target: Path) -> None:
    """A small image can hold very much, as files may share their blocks."""
    needed = sum(entry.size for entry in image.entries if entry.kind is EntryKind.FILE)
    free = os.statvfs(target)
    if needed > free.f_bavail * free.f_frsize:
        raise ImageError(
            f"the image's files take {needed} bytes, {target} has no room for them", "make room"
        )


class _Extraction:
    """One pass in the order of the walk; only the directories on the way to the current one are
    open."""

    def __init__(self, image: Image, owners: bool, devices: bool) -> None:
        self._image = image
        self._owners = owners
        self._devices = devices
        self._open: list[tuple[str, int, Entry]] = []
        self._last: tuple[tuple[int, int], list[tuple[int, bytes]]] | None = None
        self.bytes = 0
        self.skipped: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str]] = []

    def run(self, target: Path, progress: Progress | None) -> None:
        total = len(self._image.entries)
        try:
            for done, entry in enumerate(self._image.entries, 1):
                if entry.path == "/":
                    self._open.append(("/", os.open(target, _DIRECTORY), entry))
                else:
                    self._add(entry)
                if progress:
                    progress(done, total)
        finally:
            self._leave(0)

    def _add(self, entry: Entry) -> None:
        parent, _, name = entry.path.rpartition("/")
        at = self._enter(parent or "/")
        if at is None:
            self.failed.append((entry.path, "its directory was not made"))
            return
        try:
            self._make(entry, os.fsencode(name), at)
        except FileExistsError:
            self.failed.append((entry.path, "its directory has this name twice"))
        except ImageError as error:
            self.failed.append((entry.path, error.message))

    def _enter(self, path: str) -> int | None:
        """The open directory of this path, which the walk has met before what is in it."""
        while len(self._open) > 1 and not f"{path}/".startswith(f"{self._open[-1][0]}/"):
            self._leave(len(self._open) - 1)
        return self._open[-1][1] if self._open[-1][0] == path else None

    def _make(self, entry: Entry, name: bytes, at: int) -> None:
        if entry.kind is EntryKind.DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=at)
            self._open.append((entry.path, os.open(name, _DIRECTORY, dir_fd=at), entry))
        elif entry.kind is EntryKind.FILE:
            self._make_file(entry, name, at)
        elif entry.kind is EntryKind.SYMLINK:
            link = self._image.read(entry)
            if not link or b"\0" in link:
                self.skipped.append((entry.path, "no link has this target"))
                return
            os.symlink(link, name, dir_fd=at)
            self._own(entry, name, at)
        elif entry.kind is EntryKind.FIFO:
            os.mkfifo(name, entry.mode & SAFE_MODE, dir_fd=at)
            self._own(entry, name, at)
        elif self._devices and entry.kind is not EntryKind.SOCKET:
            device = os.makedev(entry.device >> 8 & 0xFF, entry.device & 0xFF)
            os.mknod(name, entry.kind.value | entry.mode & SAFE_MODE, device, dir_fd=at)
            self._own(entry, name, at)
        else:
            self.skipped.append(
                (entry.path, "a socket" if entry.kind is EntryKind.SOCKET else "a device")
            )

    def _make_file(self, entry: Entry, name: bytes, at: int) -> None:
        pieces = self._pieces(entry)
        handle = os.open(name, _NEW_FILE, 0o600, dir_fd=at)
        try:
            os.truncate(handle, entry.size)
            for start, piece in pieces:
                _write_all(handle, piece, start)
            self.bytes += entry.size
            self._finish(entry, handle, self._mode(entry))
        finally:
            os.close(handle)

    def _pieces(self, entry: Entry) -> list[tuple[int, bytes]]:
        """What of a file is not zeros, with the byte at which it stands; many names may share one
        content."""
        if self._last is None or self._last[0] != (entry.ino, entry.size):
            content = self._image.read(entry) if entry.size else b""
            chunks = (
                (start, content[start : start + CHUNK]) for start in range(0, len(content), CHUNK)
            )
            self._last = (
                (entry.ino, entry.size),
                [piece for piece in chunks if piece[1].strip(b"\0")],
            )
        return self._last[1]

    def _mode(self, entry: Entry) -> int:
        return stat.S_IMODE(entry.mode) if self._owners else entry.mode & SAFE_MODE

    def _finish(self, entry: Entry, handle: int, mode: int) -> None:
        if self._owners:
            os.fchown(handle, entry.uid, entry.gid)
        os.fchmod(handle, mode)

    def _own(self, entry: Entry, name: bytes, at: int) -> None:
        if self._owners:
            os.chown(name, entry.uid, entry.gid, dir_fd=at, follow_symlinks=False)

    def _leave(self, depth: int) -> None:
        """Close what is open from this depth on; a directory gets its own mode once it is
        filled."""
        while len(self._open) > depth:
            _, handle, entry = self._open.pop()
            try:
                # Whoever extracts without owners must be able to look into it, and to remove it.
                self._finish(
                    entry, handle, self._mode(entry) | (0 if self._owners else stat.S_IRWXU)
                )
            finally:
                os.close(handle)


def _write_all(handle: int, data: bytes, start: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, start)
        view, start = view[written:], start + written
