# SPDX-License-Identifier: MIT
"""A stream that may not be read: what is shown never holds what is stored.

Text and bytes come in, and the call returns at once. A thread writes them to a file descriptor. If
nobody reads there, the newest text is left out, and the number of lines is said later.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

WAITING_MAX = 1 << 18
"""Bytes that wait for a reader at most. A single longer piece may wait alone."""

GRACE_SECONDS = 0.25
"""Seconds that a stream may still take once the program is told to end."""

LOOK_SECONDS = 0.05
"""Seconds between two looks whether the program is told to end."""


class Outlet:
    """Writes to the stream that `opened()` returns, in a thread of its own.

    `opened` may block, as opening a pipe does. `missed` gives the words for lines that were left
    out; without it nothing is said. `lost_bytes`: bytes that the stream did not take. `error`: why
    the stream takes nothing any more.
    """

    def __init__(
        self,
        opened: Callable[[], int],
        *,
        encoding: str = "utf-8",
        missed: Callable[[int], str] | None = None,
    ) -> None:
        self._opened, self._encoding, self._missed = opened, encoding, missed
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._missed_lines = 0
        self._changed = threading.Condition()
        self._closed = False
        self.lost_bytes = 0
        self.error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
        self._thread.start()

    def write(self, text: str | bytes) -> int:
        """Take text, or leave it out if too much waits already. Never blocks, raises nothing."""
        if isinstance(text, str):
            data = text.encode(self._encoding, "backslashreplace")
        else:
            data = bytes(text)
        with self._changed:
            is_full = self._waiting > 0 and self._waiting + len(data) > WAITING_MAX
            if self.error or is_full:
                self.lost_bytes += len(data)
                self._missed_lines += data.count(b"\n")
            elif data:
                self._put(self._words_for_missed() + data)
        return len(text)

    def flush(self) -> None:
        """The thread writes as soon as it can."""

    @property
    def is_empty(self) -> bool:
        """Whether the stream has taken everything."""
        return not self._waiting

    def drain(self, told_to_end: Callable[[], bool], patience: float | None = None) -> None:
        """Wait until the stream has taken everything.

        Gives up GRACE_SECONDS after `told_to_end()`, or after `patience` seconds in which the
        stream took nothing. None: wait for as long as that takes.
        """
        with self._changed:
            # A stream that has failed takes nothing: to wait for it would never end.
            if not self.error and (words := self._words_for_missed()):
                self._put(words)
        left, moved, told = self._waiting, monotonic(), None
        while self._waiting:
            if self._waiting != left:
                left, moved = self._waiting, monotonic()
            if told is None and told_to_end():
                told = monotonic()
            if told is not None and monotonic() - told >= GRACE_SECONDS:
                return
            if patience is not None and monotonic() - moved >= patience:
                return
            with self._changed:
                self._changed.wait(LOOK_SECONDS)

    def close(self, told_to_end: Callable[[], bool], patience: float | None = None) -> None:
        """Wait as drain() does, and take nothing more."""
        self.drain(told_to_end, patience)
        with self._changed:
            self._closed = True
            self.lost_bytes += self._waiting
            self._changed.notify_all()

    def _put(self, data: bytes) -> None:
        self._pieces.append(data)
        self._waiting += len(data)
        self._changed.notify_all()

    def _words_for_missed(self) -> bytes:
        lines, self._missed_lines = self._missed_lines, 0
        return self._missed(lines).encode() if lines and self._missed else b""

    def _run(self) -> None:
        try:
            stream = self._opened()
            while data := self._next():
                self._write_all(stream, data)
        except OSError as error:
            with self._changed:
                self.error = error
                self.lost_bytes += self._waiting
                self._waiting = 0
                self._pieces.clear()
                self._changed.notify_all()

    def _next(self) -> bytes:
        """Return the next piece; nothing at the end."""
        with self._changed:
            while not self._pieces and not self._closed:
                self._changed.wait()
            return self._pieces.popleft() if self._pieces else b""

    def _write_all(self, stream: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                written = os.write(stream, left)
            except BlockingIOError:
                # Somebody else has made the stream non-blocking.
                select.select([], [stream], [])
                continue
            left = left[written:]
            with self._changed:
                self._waiting -= written
                self._changed.notify_all()


def let_go(number: int) -> None:
    """Put /dev/null in the place of a stream that nobody serves any more.

    Reading from it ends at once, so a thread that was told that the terminal has something, and
    reads only now, is not held. Epoll forgets a terminal with its last descriptor, so nobody is
    told again and again that standard input has ended.
    """
    nothing = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    os.dup2(nothing, number)
    os.close(nothing)
