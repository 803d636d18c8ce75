# SPDX-License-Identifier: MIT
"""The board's end of the agent's UART."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

CHUNK = 1 << 16
UART_BYTES = 1 << 20
"""Of a pipe, and the most that an ordinary user may ask for (/proc/sys/fs/pipe-max-size)."""


def available(fd: int) -> bytes:
    """Some of what can be read now. Nothing at the end, and where a pipe is empty."""
    try:
        return os.read(fd, CHUNK)
    except BlockingIOError:
        return b""


class Uart:
    """The agent's UART, as two named pipes for QEMU.

    A UART that cannot hand on its byte has the guest wait, whose clock may run on. A guest that
    reboots then loses what its driver still holds. QEMU writes byte by byte, and of such writes a
    socket takes some 280 before its reader has to come. A pipe takes UART_BYTES.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "agent"
        for end in ("in", "out"):
            os.mkfifo(f"{self.path}.{end}")
        # For both directions each: QEMU comes later, and goes first.
        self._typed = os.open(f"{self.path}.in", os.O_RDWR | os.O_NONBLOCK)
        self.said = os.open(f"{self.path}.out", os.O_RDWR | os.O_NONBLOCK)
        # A user who has many pipes gets no larger ones.
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
