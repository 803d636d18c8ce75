# SPDX-License-Identifier: MIT
"""Finds the processes that have a port open, in /proc, and the lock files of programs that use
them."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tinyprof.wire.ports.lock import FOLDER, lock_owner, lock_path

PROC = Path("/proc")
PROCESSES_MAX = 1 << 16
LISTED_MAX = 8
"""Holders that are listed."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a port open. `name` is its short name (/proc/PID/comm)."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def holders_of(port: str, proc: Path = PROC) -> list[Holder]:
    """The first LISTED_MAX processes other than this one that have a file or device open.

    Only root may look into the processes of others.
    """
    found: list[Holder] = []
    try:
        wanted = _identity(os.stat(port))  # noqa: PTH116 - a path of any bytes
        pids = [int(name) for name in os.listdir(proc) if name.isdecimal()]  # noqa: PTH208
    except (OSError, ValueError):
        return []
    for pid in sorted(pids)[:PROCESSES_MAX]:
        if pid == os.getpid() or len(found) >= LISTED_MAX:
            continue
        try:
            opened = list((proc / str(pid) / "fd").iterdir())
        except OSError:
            continue
        if any(_leads_to(path, wanted) for path in opened):
            found.append(Holder(pid, _name_of(proc / str(pid))))
    return found


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """A device is known by its number: its node may exist more than once."""
    if stat.S_ISCHR(status.st_mode):
        return (status.st_rdev,)
    return (status.st_dev, status.st_ino)


def _leads_to(descriptor: Path, wanted: tuple[int, ...]) -> bool:
    with contextlib.suppress(OSError):
        return _identity(descriptor.stat()) == wanted
    return False


def _name_of(process: Path) -> str:
    with contextlib.suppress(OSError), (process / "comm").open("rb") as file:
        return file.read(64).decode("utf-8", "replace").strip() or "?"
    return "?"


def lock_file_of(port: str, locks: Path = FOLDER) -> tuple[Path, int] | None:
    """The lock file of a program for this port (LCK..ttyACM0), and the process that it names.
    None: there is none, or its process has ended."""
    path = lock_path(Path(port).name, locks)
    pid = lock_owner(path)
    return (path, pid) if pid else None
