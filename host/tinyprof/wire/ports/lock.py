# SPDX-License-Identifier: MIT
"""Lock files of serial ports, as terminal programs have kept them since UUCP.

The name of a device comes in. A file LCK..NAME with the process id in ten columns says that it is
taken. A folder that is not there, or that does not let us write, means that nobody here keeps such
files.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tinyprof.text import shown
from tinyprof.wire.ports.link import LinkError

FOLDER = Path("/var/lock")
SIZE_MAX = 64
"""Bytes of a lock file that are read: it is anybody's file."""


def lock_path(device: str, folder: Path = FOLDER) -> Path:
    """The lock file of a device, by its name without a folder."""
    return folder / f"LCK..{device}"


def lock_owner(path: Path) -> int | None:
    """The process that has a lock, if it still runs."""
    pid = _written(path)
    if not pid:
        return None
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass
    return pid


class PortLock:
    """The lock of one device, taken until it is released. Raises LinkError if a program that runs
    has it."""

    def __init__(self, device: str, folder: Path = FOLDER) -> None:
        self._path: Path | None = lock_path(device, folder)
        owner = lock_owner(self._path)
        if owner and owner != os.getpid():
            raise LinkError(
                f"{device} is locked by {_name(owner)} (process {owner})",
                f"end that program first; its lock is {self._path}",
            )
        try:
            # An old lock goes: of two programs that replace it, one gets the new one. What is no
            # lock of this kind stays.
            if _written(self._path) is not None:
                self._path.unlink()
            fd = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        except OSError:
            self._path = None
            return
        with contextlib.suppress(OSError):
            os.write(fd, f"{os.getpid():10}\n".encode())
        os.close(fd)

    def release(self) -> None:
        """Let others have the device. A lock that is another's by now stays."""
        path, self._path = self._path, None
        if path and _written(path) == os.getpid():
            with contextlib.suppress(OSError):
                path.unlink()


def _written(path: Path) -> int | None:
    """The process id in a lock file; None if there is none."""
    # Everybody may put anything there, such as a pipe that never answers.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
    except OSError:
        return None
    try:
        words = os.read(fd, SIZE_MAX).split()
    except OSError:
        return None
    finally:
        os.close(fd)
    # Some write their name and user behind it.
    pid = words[0] if words else b""
    return int(pid) if pid.isdigit() and len(pid) <= 10 else None


def _name(pid: int) -> str:
    try:
        return shown(Path(f"/proc/{pid}/comm").read_text(errors="replace").strip())
    except OSError:
        return "another program"
