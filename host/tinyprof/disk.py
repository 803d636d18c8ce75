# SPDX-License-Identifier: MIT
"""Files on a disk: results put in place whole or not at all, recordings kept safe as they grow.

An output is untrusted: its path may name an input, a recording, a flash partition that is too
small, or a file in a folder that takes no other. Nothing here knows what the bytes mean.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from tinyprof.errors import TinyprofError, naming
from tinyprof.text import shown

SYNC_SECONDS = 1.0
"""Seconds between two requests to the disk to keep a recording that grows."""

UNSYNCABLE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EROFS)
"""Answers to fsync() of pipes and of file systems that have no disk. They are no fault."""

NO_RENAME = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)
"""Answers of a folder that takes no new file, and of a file that is a mount point (rename(2))."""

RECORDING_MAGIC = b"TPCAP"
"""Every version of a recording begins with these bytes (docs/capture-format.md)."""


class DiskError(TinyprofError):
    """A file that must not, or could not, be written; or a disk that has not kept what it took."""


def read_limited(path: Path, limit: int) -> bytes:
    """The bytes of a file, whatever its size. No more of it is read than `limit` and one.

    Raises DiskError for a file of more than `limit` bytes, OSError with the path.
    """
    with path.open("rb") as file, naming(path):
        data = file.read(limit + 1)
    if len(data) > limit:
        raise DiskError(
            f"{shown(str(path))}: has more than {limit} bytes, the most that are read",
            "give another file",
        )
    return data


def refuse_inputs(output: Path, inputs: Iterable[Path], *, of_any_kind: bool = False) -> None:
    """Raise DiskError if `output` is one of `inputs`: the same file by device and inode.

    Pipes and character devices may be both, unless `of_any_kind`. An input that is not there, or
    that nobody may look at, is passed over: whoever reads it will say so.
    """
    there = _status(output)
    if there is None:
        return
    if not (of_any_kind or stat.S_ISREG(there.st_mode) or stat.S_ISBLK(there.st_mode)):
        return
    for path in inputs:
        also = None
        with contextlib.suppress(OSError, ValueError):
            also = path.stat()
        if also and (also.st_dev, also.st_ino) == (there.st_dev, there.st_ino):
            same = "" if path == output else f", which is {shown(str(path))},"
            raise DiskError(
                f"{shown(str(output))}{same} is read here and would be replaced",
                "name another output",
            )


def refuse_inside(output: Path, folder: Path) -> None:
    """Raise DiskError if `output` is in `folder`, or is to be: it would become its own input."""
    here = _status(folder)
    if here is None:
        return
    for above in output.resolve().parents:
        there = _status(above)
        if there and (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
            raise DiskError(
                f"{shown(str(output))} lies in {shown(str(folder))} and would be packed into it",
                "name an output outside",
            )


def replace_file(path: Path, data: bytes | mmap.mmap) -> str:
    """Put data at path in one step. On any error, what was there stays as it was.

    Data that may be larger than memory comes as the mapping of a file.

    1. A regular file is replaced by a new one of the same mode and, where the system lets us,
       owner. A link keeps pointing to it.
    2. Where its folder takes no new file, or the file is a mount point, it is written in place if
       the disk has room. The text that is returned says so. Otherwise it is empty.
    3. A flash partition or another device is written in place if it is large enough.
    4. A recording is replaced by a recording only.

    Raises DiskError where a rule refuses, OSError with the path where the system does.
    """
    there = _status(path)
    if there and not stat.S_ISREG(there.st_mode):
        _write_to_device(path, data)
        return ""
    path = path.resolve()
    if there:
        _refuse_recording(path, data)
    try:
        _swap(path, data, there)
    except OSError as error:
        if there and error.errno in NO_RENAME:
            _write_in_place(path, data, there)
            return f"{shown(str(path))}: written in place: its folder lets no file be replaced"
        raise OSError(error.errno, error.strerror, str(path)) from None
    return ""


def _status(path: Path) -> os.stat_result | None:
    """The status of what `path` leads to; None where nothing is."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _refuse_recording(path: Path, data: bytes | mmap.mmap) -> None:
    if data[: len(RECORDING_MAGIC)] == RECORDING_MAGIC:
        return
    with contextlib.suppress(PermissionError), path.open("rb") as file:
        if file.read(len(RECORDING_MAGIC)) == RECORDING_MAGIC:
            raise DiskError(
                f"{shown(str(path))} is a recording, which is never overwritten",
                "name another output, or move it away",
            )


def _swap(path: Path, data: bytes | mmap.mmap, there: os.stat_result | None) -> None:
    """Write a new file beside `path`, then give it its name."""
    beside = path.with_name(f".tinyprof.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        # Only the umask restricts who may read a new result.
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            if there:
                with contextlib.suppress(PermissionError):
                    os.fchown(handle, there.st_uid, there.st_gid)
                os.fchmod(handle, stat.S_IMODE(there.st_mode))
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _write_in_place(path: Path, data: bytes | mmap.mmap, there: os.stat_result) -> None:
    """Overwrite a file that cannot be replaced, if what is missing of its room is free."""
    with path.open("r+b", buffering=0) as file:
        room = os.fstatvfs(file.fileno())
        if len(data) - there.st_size > room.f_bavail * room.f_frsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        _write_all(file.fileno(), data)
        file.truncate()
        _keep(file.fileno(), path)


def _write_to_device(path: Path, data: bytes | mmap.mmap) -> None:
    """Write to a partition, a device or a pipe. Raises DiskError if a partition is too small."""
    with path.open("wb", buffering=0) as device:
        size = _size_of_device(device.fileno())
        if size and size < len(data):
            raise DiskError(
                f"{shown(str(path))} has {size} bytes and {len(data)} are to be written; "
                "nothing was written",
                "choose a smaller image, or a larger partition",
            )
        try:
            _write_all(device.fileno(), data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        _keep(device.fileno(), path)


def _size_of_device(handle: int) -> int:
    """The bytes that a partition has; 0 for a device without a size, such as a pipe."""
    try:
        size = os.lseek(handle, 0, os.SEEK_END)
        os.lseek(handle, 0, os.SEEK_SET)
    except OSError:
        return 0
    return size


def _keep(handle: int, path: Path) -> None:
    """Have the disk keep what was written. Raises OSError with the path where it could not."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSYNCABLE:
            raise OSError(error.errno, error.strerror, str(path)) from None


def _write_all(handle: int, data: bytes | mmap.mmap) -> None:
    # A mapping cannot be closed while views of it are left, so none outlives this.
    at = 0
    with memoryview(data) as view:
        while at < len(view):
            with view[at:] as rest:
                at += os.write(handle, rest)


@contextlib.contextmanager
def kept_safe(file: IO[bytes]) -> Iterator[None]:
    """Have the disk keep what is written to `file` within a second, while writing goes on.

    A thread of its own asks the disk. A disk may take its time, and a serial port has room for few
    bytes meanwhile. Raises DiskError at the end, never at a write: a disk that fails says so once.
    """
    over = threading.Event()
    faults: list[str] = []

    def sync() -> None:
        try:
            while not over.wait(SYNC_SECONDS):
                os.fdatasync(file.fileno())
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in UNSYNCABLE:
                faults.append(str(error.strerror))

    beside = threading.Thread(target=sync, name="sync", daemon=True)
    beside.start()
    try:
        yield
    finally:
        over.set()
        beside.join()
    if faults:
        raise DiskError(
            f"{shown(str(file.name))}: the disk has not kept all that was written: {faults[0]}",
            "look at what it has with 'tinyprof capture info', and record on another disk",
        )
