# SPDX-License-Identifier: MIT
"""Writes result files, whole or not at all, and shows progress."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tinyprof.errors import TinyprofError
from tinyprof.text import shown

SYNC_SECONDS = 1.0
UNSYNCABLE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""What a pipe or a strange file system says, which is written all the same."""


class DiskError(TinyprofError):
    """A disk that took what was written, and has not kept it."""


def replace_file(path: Path, data: bytes) -> None:
    """Put data at path in one step; on any error what was there stays as it was.

    What is no regular file, such as a flash partition or a pipe, is written to as it is.
    """
    if _is_special(path):
        with path.open("wb", buffering=0) as device:
            _write_all(device.fileno(), data)
        return
    # A link keeps pointing to the result.
    path = path.resolve()
    beside = path.with_name(f".tinyprof.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        # Only the umask restricts who may read a result.
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


@contextlib.contextmanager
def kept_safe(file: IO[bytes]) -> Iterator[None]:
    """See to it that what is written to a file is on the disk a second later, while writing goes
    on.

    It is done beside, for a disk may take its time and a serial port has room for little
    meanwhile. Raises DiskError at the end: a disk that fails says so once, here, and never at a
    write.
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
