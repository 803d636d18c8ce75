# SPDX-License-Identifier: MIT
"""The agent's line as the user asked for it: a pty, a unix socket, or none.

A line keeps what was sent until somebody takes it. On a socket, listeners may come and go.
"""

from __future__ import annotations

import errno
import os
import select
import selectors
import socket
import termios
import time
import tty
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

from qemu_board.errors import BoardError

CHUNK = 1 << 16
PTY_BYTES = 4000
"""Less than n_tty's buffer holds (N_TTY_BUF_SIZE - 1)."""

PTY_SECONDS = 0.01
NAME_MAX = 107
"""Bytes that the kernel takes for a unix socket's path, at most."""


SLICE_SECONDS = 0.01
"""How long the bytes of a line with a rate are collected: a UART hands them on as they come."""


class Pace:
    """A UART's rate: ten bits a byte. 0 baud is no limit."""

    def __init__(self, baud: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bytes_per_second = baud / 10
        self._clock = clock
        self._until = clock()

    def allowed(self) -> int:
        """How many bytes may go now."""
        if not self._bytes_per_second:
            return CHUNK
        # Idle time is not saved up, but for the slice that a late wake-up may take.
        now = self._clock()
        self._until = max(self._until, now - 4 * SLICE_SECONDS)
        return max(0, int((now - self._until) * self._bytes_per_second))

    def sent(self, count: int) -> None:
        """Count bytes as sent."""
        if self._bytes_per_second:
            self._until += count / self._bytes_per_second


class NoLine:
    """Nobody wants to hear the agent."""

    name = ""

    def send(self, data: bytes) -> None:
        """Keep bytes for the listener."""

    def pump(self, *, listens: bool) -> bytes:
        """Hand on what can be handed on; return what the listener sent to the target, if the
        target `listens`."""
        return b""

    def register(self, selector: selectors.BaseSelector, *, listens: bool) -> None:
        """Name the events after which pump() has something to do."""

    @property
    def patience(self) -> float:
        """Seconds after which pump() may have something to do without an event."""
        return float("inf")

    def drain(self, seconds: float) -> None:
        """Give a listener so long to take some of what is left, then close."""


class _Kept:
    """A line with a descriptor to a listener, or with -1 while there is none."""

    def __init__(self, name: str, pace: Pace) -> None:
        self.name = name
        self._pace = pace
        self._fd = -1
        self._unsent = bytearray()

    def send(self, data: bytes) -> None:
        self._unsent += data
        self._push()

    def _push(self) -> None:
        while self._unsent and self._fd >= 0 and (allowed := self._pace.allowed()):
            try:
                sent = os.write(self._fd, self._unsent[: min(allowed, CHUNK)])
                del self._unsent[:sent]
                self._pace.sent(sent)
            except BlockingIOError:
                return
            except OSError:
                self._gone()

    def pump(self, *, listens: bool) -> bytes:
        self._push()
        if self._fd < 0 or not listens:
            return b""
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._gone()
        return data

    @property
    def patience(self) -> float:
        return SLICE_SECONDS if self._unsent and not self._pace.allowed() else float("inf")

    def register(self, selector: selectors.BaseSelector, *, listens: bool) -> None:
        events = selectors.EVENT_READ if listens else 0
        events |= selectors.EVENT_WRITE if self._unsent and self._pace.allowed() else 0
        if self._fd >= 0 and events:
            selector.register(self._fd, events)

    def _gone(self) -> None:
        raise NotImplementedError


class PtyLine(_Kept):
    """A pseudo-terminal; `name` is what to open."""

    def __init__(self, pace: Pace) -> None:
        master, self._slave = os.openpty()
        super().__init__(os.ttyname(self._slave), pace)
        # Raw before anybody opens it, and open on our side for good: a listener that leaves is no
        # hang-up.
        tty.setraw(self._slave, termios.TCSANOW)
        os.set_blocking(master, False)
        self._fd = master

    def _gone(self) -> None:
        raise BoardError(f"{self.name} is gone")

    def _in_pty(self) -> int:
        """Bytes that wait in the pty itself, which closing it would throw away."""
        # Bytes that were just written may still be on their way to the slave. FIONREAD does not
        # see them. n_tty_poll() waits for them (tty_buffer_flush_work()), but only where it finds
        # nothing to read: else a listener may read that much before FIONREAD looks.
        count = bytearray(4)
        while True:
            readable, _, _ = select.select([self._slave], [], [], 0)
            ioctl(self._slave, termios.FIONREAD, count)
            if any(count) or not readable:
                return int.from_bytes(count, "little")

    def _push(self) -> None:
        # No more than the slave's own buffer takes: the rest would wait where it cannot be
        # counted.
        while self._unsent and (room := min(PTY_BYTES - self._in_pty(), self._pace.allowed())) > 0:
            sent = os.write(self._fd, self._unsent[:room])
            del self._unsent[:sent]
            self._pace.sent(sent)

    @property
    def patience(self) -> float:
        # A pty has no event for "the other side has read".
        return PTY_SECONDS if self._unsent else float("inf")

    def register(self, selector: selectors.BaseSelector, *, listens: bool) -> None:
        if listens:
            selector.register(self._fd, selectors.EVENT_READ)

    def drain(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        before = -1
        while (left := self._in_pty() + len(self._unsent)) and time.monotonic() < deadline:
            if left != before:
                before, deadline = left, time.monotonic() + seconds
            time.sleep(PTY_SECONDS)
            self._push()
        os.close(self._fd)
        os.close(self._slave)


class SocketLine(_Kept):
    """A listening unix socket; one listener at a time, the next one continues where the last one
    left."""

    def __init__(self, path: Path, pace: Pace) -> None:
        super().__init__(f"unix:{path}", pace)
        if len(os.fsencode(path)) > NAME_MAX:
            raise BoardError(
                f"{path} is too long for a socket", f"its path may have {NAME_MAX} bytes"
            )
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
        except OSError as error:
            hint = "remove it" if error.errno == errno.EADDRINUSE else ""
            raise BoardError(f"cannot listen on {path}: {error.strerror}", hint) from None
        self._listener.listen(1)
        self._listener.setblocking(False)

    def pump(self, *, listens: bool) -> bytes:
        if self._fd < 0:
            try:
                client = self._listener.accept()[0]
            except BlockingIOError:
                return b""
            client.setblocking(False)
            self._fd = client.detach()
        return super().pump(listens=listens)

    def register(self, selector: selectors.BaseSelector, *, listens: bool) -> None:
        if self._fd < 0:
            selector.register(self._listener, selectors.EVENT_READ)
        super().register(selector, listens=listens)

    def _gone(self) -> None:
        os.close(self._fd)
        self._fd = -1

    def drain(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._unsent and self._fd >= 0 and time.monotonic() < deadline:
            with selectors.DefaultSelector() as selector:
                selector.register(self._fd, selectors.EVENT_WRITE)
                selector.select(deadline - time.monotonic())
            self._push()
            if self._unsent and self._fd >= 0:
                time.sleep(SLICE_SECONDS)
        if self._fd >= 0:
            self._gone()
        self._listener.close()
        self._path.unlink(missing_ok=True)


Line = NoLine | PtyLine | SocketLine


def open_line(wanted: str | None, baud: int = 0) -> Line:
    """The line for `--serial`: `pty`, `unix:PATH` or None; `baud` 0: no limit. Raises
    BoardError."""
    if wanted is None:
        return NoLine()
    if wanted == "pty":
        return PtyLine(Pace(baud))
    if wanted.startswith("unix:") and wanted != "unix:":
        return SocketLine(Path(wanted.removeprefix("unix:")), Pace(baud))
    raise BoardError(f"no such serial line: {wanted}", "write pty or unix:PATH")
