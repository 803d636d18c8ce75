# SPDX-License-Identifier: MIT
"""Extracts an image: an image in, a new directory on disk out.

Whatever names and links the image holds, nothing is written outside that directory: every entry is
made relative to an open directory that extraction made itself, no link is ever followed, and no
existing file is opened. One entry that cannot be made does not stop the others. Extraction needs
no root; owners and devices are left out unless they are asked for.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tinyprof.cramfs.format import EntryKind, ImageError, name_bytes
from tinyprof.cramfs.reading.directory import Entry
from tinyprof.cramfs.reading.reader import Image
from tinyprof.pages import PAGE_SIZE

Progress = Callable[[int, int], None]
"""Called with the number of entries that are done, and of all entries."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
CHUNK = 1 << 17
"""Bytes written at once."""

ZERO_RUN = 8
"""Pages. As many pages of zeros in a row are left out of a file; reading gives them all the
same."""

SAFE_MODE = 0o777
"""Permissions. Without owners, set-user-ID and the like would name somebody else."""

NO_LINK = "no link has this target"


@dataclass(frozen=True, slots=True)
class Extracted:
    """An account of an extraction. Paths stand with the reason for which they were left out.

    `skipped` were not asked for. `failed` could not be read, or the system refused to make them.
    `unowned` were made, but belong to the user, because the system refused to give them away.
    """

    entries: int
    bytes: int
    skipped: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]
    unowned: tuple[tuple[str, str], ...] = ()


def extract_image(
    image: Image,
    target: Path,
    *,
    owners: bool = False,
    devices: bool = False,
    progress: Progress | None = None,
) -> Extracted:
    """Extract into `target`, which must not exist or be empty.

    Modes are those of the image whatever the umask, without set-user-ID and the like unless
    `owners` are asked for. All times are 0, so that equal images give equal directories.

    Raises ImageError for more bytes than the disk has room for, OSError where `target` itself
    cannot be made. Every other fault is one of `failed`.
    """
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise ImageError(f"{target} is not empty", "name a new directory")
    _refuse_flood(image, target)
    extraction = _Extraction(image, owners, devices)
    extraction.run(target, progress)
    return Extracted(
        len(image.entries),
        extraction.bytes,
        tuple(extraction.skipped),
        tuple(extraction.failed),
        tuple(extraction.unowned),
    )


def _refuse_flood(image: Image, target: Path) -> None:
    """A small image can hold very much, as files may share their blocks."""
    needed = sum(entry.size for entry in image.entries if entry.kind is EntryKind.FILE)
    free = os.statvfs(target)
    if needed > free.f_bavail * free.f_frsize:
        raise ImageError(
            f"the image's files take {needed} bytes, {target} has no room for them", "make room"
        )


_Pieces = list[tuple[int, bytes]]
"""Stretches of a file that are not zeros, each with the byte at which it stands."""


class _Extraction:
    """One pass in the order of the walk. Only the directories on the way to an entry are open."""

    def __init__(self, image: Image, owners: bool, devices: bool) -> None:
        self._image = image
        self._owners = owners
        self._devices = devices
        self._open: list[tuple[str, int, Entry]] = []
        self._last: tuple[tuple[int, int], _Pieces] | None = None
        self.bytes = 0
        self.skipped: list[tuple[str, str]] = []
        self.failed: list[tuple[str, str]] = []
        self.unowned: list[tuple[str, str]] = []

    def run(self, target: Path, progress: Progress | None) -> None:
        """Make every entry below `target`."""
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
            self._make(entry, name_bytes(name), at)
        except FileExistsError:
            self.failed.append((entry.path, "its directory has this name twice"))
        except ImageError as error:
            self.failed.append((entry.path, error.message.removeprefix(f"{entry.path}: ")))
        except OSError as error:
            self.failed.append((entry.path, _reason(error)))

    def _enter(self, path: str) -> int | None:
        """The open directory of this path. The walk has met it before the entries in it."""
        while len(self._open) > 1 and not f"{path}/".startswith(f"{self._open[-1][0]}/"):
            self._leave(len(self._open) - 1)
        return self._open[-1][1] if self._open and self._open[-1][0] == path else None

    def _make(self, entry: Entry, name: bytes, at: int) -> None:
        if entry.kind is EntryKind.DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=at)
            self._open.append((entry.path, os.open(name, _DIRECTORY, dir_fd=at), entry))
        elif entry.kind is EntryKind.FILE:
            self._make_file(entry, name, at)
        elif entry.kind is EntryKind.SYMLINK:
            self._make_link(entry, name, at)
        elif entry.kind is EntryKind.SOCKET:
            self.skipped.append((entry.path, "a socket"))
        elif entry.kind is not EntryKind.FIFO and not self._devices:
            self.skipped.append((entry.path, "a device"))
        else:
            self._make_special(entry, name, at)

    def _make_link(self, entry: Entry, name: bytes, at: int) -> None:
        link = self._image.link(entry)
        if not link or b"\0" in link:
            self.skipped.append((entry.path, NO_LINK))
            return
        os.symlink(link, name, dir_fd=at)
        self._own(entry, name, at)
        os.utime(name, (0, 0), dir_fd=at, follow_symlinks=False)

    def _make_special(self, entry: Entry, name: bytes, at: int) -> None:
        """A device or a fifo. Its mode is set after it is made, for the umask applies to
        mknod()."""
        device = os.makedev(entry.device >> 8 & 0xFF, entry.device & 0xFF)
        os.mknod(name, entry.kind.value | 0o600, device, dir_fd=at)
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=at)
        try:
            # Somebody else may have put another file in its place.
            if stat.S_IFMT(os.fstat(handle).st_mode) == entry.kind.value:
                owned = self._own(entry, name, at)
                Path(f"/proc/self/fd/{handle}").chmod(_mode(entry, owned))
                os.utime(name, (0, 0), dir_fd=at, follow_symlinks=False)
        finally:
            os.close(handle)

    def _make_file(self, entry: Entry, name: bytes, at: int) -> None:
        pieces = self._pieces(entry)
        handle = os.open(name, _NEW_FILE, 0o600, dir_fd=at)
        try:
            os.truncate(handle, entry.size)
            for start, piece in pieces:
                _write_all(handle, piece, start)
            self.bytes += entry.size
            self._finish(entry, handle)
        except BaseException:
            # A file that is not whole must not look as if it were, nor when a signal ends this.
            os.unlink(name, dir_fd=at)
            raise
        finally:
            os.close(handle)

    def _pieces(self, entry: Entry) -> _Pieces:
        """The content without long runs of zeros. Neighbouring names may share one content."""
        content = entry.ino, entry.size
        if self._last is None or self._last[0] != content:
            self._last = content, _without_zeros(self._image, entry)
        return self._last[1]

    def _own(self, entry: Entry, name: bytes | int, at: int | None = None) -> bool:
        """Set the owner if that is asked for. Gives whether the entry has the image's owner
        now."""
        if not self._owners:
            return False
        try:
            if isinstance(name, int):
                os.fchown(name, entry.uid, entry.gid)
            else:
                os.chown(name, entry.uid, entry.gid, dir_fd=at, follow_symlinks=False)
        except OSError as error:
            self.unowned.append((entry.path, _reason(error)))
            return False
        return True

    def _finish(self, entry: Entry, handle: int, more: int = 0) -> None:
        """Set owner, mode and times; `more` are permissions of entries that keep the user's
        owner."""
        owned = self._own(entry, handle)
        os.fchmod(handle, _mode(entry, owned) | (0 if owned else more))
        os.utime(handle, (0, 0))

    def _leave(self, depth: int) -> None:
        """Close the open directories from this depth on. Each gets its own mode when it is
        full."""
        while len(self._open) > depth:
            _, handle, entry = self._open.pop()
            try:
                # The user must be able to look into it, and to remove it.
                self._finish(entry, handle, stat.S_IRWXU)
            except OSError as error:
                self.failed.append((entry.path, _reason(error)))
            finally:
                os.close(handle)


def _mode(entry: Entry, owned: bool) -> int:
    return stat.S_IMODE(entry.mode) if owned else entry.mode & SAFE_MODE


def _reason(error: OSError) -> str:
    """The reason for which the system refused, and the way out where it is permission."""
    if error.errno in (errno.EPERM, errno.EACCES) and os.geteuid() != 0:
        return f"{error.strerror}: needs root"
    return str(error.strerror)


def _without_zeros(image: Image, entry: Entry) -> _Pieces:
    """The content of a file as chunks, without those runs of zeros that are worth a hole."""
    pieces: _Pieces = []
    buffer, begin, zeros = bytearray(), 0, 0
    for index, page in enumerate(image.pages(entry)):
        if not page or (len(page) == PAGE_SIZE and not any(memoryview(page).cast("Q"))):
            zeros += 1
            continue
        at = index * PAGE_SIZE
        if zeros > ZERO_RUN or len(buffer) >= CHUNK:
            if buffer:
                pieces.append((begin, bytes(buffer)))
            buffer, begin = bytearray(), at
        elif zeros:
            buffer += bytes(at - begin - len(buffer))
        if not buffer:
            begin = at
        buffer += page
        zeros = 0
    if buffer:
        pieces.append((begin, bytes(buffer)))
    return pieces


def _write_all(handle: int, data: bytes, start: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, start)
        view, start = view[written:], start + written
