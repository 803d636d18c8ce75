# SPDX-License-Identifier: MIT
"""The board's end of the agent's UART."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

CHUNK = 1 << 16
"""Bytes that are read at once, at most."""

UART_BYTES = 1 << 20
"""Bytes that a pipe holds. An ordinary user may ask for no more (/proc/sys/fs/pipe-max-size)."""


def available(fd: int) -> bytes:
    """Some of what can be read now: nothing where the other side is gone, or says nothing."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return b""


class Uart:
    """The agent's UART, as two named pipes for QEMU.

    A UART that cannot hand on its byte has the guest wait, whose clock may run on. A guest that
    reboots then loses what its driver still holds. QEMU writes byte by byte, and of such writes a
    socket takes some 280 before its reader has to come. A pipe takes UART_BYTES, or 65,536 bytes
    where the user has too many pipes already (/proc/sys/fs/pipe-user-pages-soft).
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "agent"
        for end in ("in", "out"):
            os.mkfifo(f"{self.path}.{end}")
        # A pipe has an end only for one who opens it for one direction: QEMU opens it later than
        # we do, and closes it earlier.
        self._typed = os.open(f"{self.path}.in", os.O_RDWR | os.O_NONBLOCK)
        self.said = os.open(f"{self.path}.out", os.O_RDWR | os.O_NONBLOCK)
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(self.said, fcntl.F_SETPIPE_SZ, UART_BYTES)

    def type(self, data: bytearray) -> None:
        """Hand on what the guest takes, and remove it. A guest that does not listen to its line
        must not stop the run."""
        with contextlib.suppress(BlockingIOError):
            del data[: os.write(self._typed, data) if data else 0]

    def rest(self) -> bytes:
        """What is left in the pipe."""
        return b"".join(iter(lambda: available(self.said), b""))

    def close(self) -> None:
        os.close(self._typed)
        os.close(self.said)
