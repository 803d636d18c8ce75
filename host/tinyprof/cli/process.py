# SPDX-License-Identifier: MIT
"""The process that a command runs in: its locale, its standard streams, the signals that end it.

Whoever starts a program decides over these three. The commands should not have to know.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Any, TextIO

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command as Ctrl-C does, unless they are ignored (nohup)."""

_closed: set[int] = set()
"""Numbers of standard streams."""


class Ended(BaseException):
    """A signal asked for the end. Whatever is half-made is removed on the way out."""


class _Stdout(io.FileIO):
    """Standard output, which names itself in its errors."""

    def __init__(self) -> None:
        super().__init__(1, "w", closefd=False)

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            raise OSError(error.errno, error.strerror, "standard output") from None


def prepare() -> None:
    """Make the process one that every command can rely on. Call it once, before any output.

    1. Names are bytes of a file system or an image. So they are read and written as UTF-8 with
       escapes (PEP 383), whatever the locale says. What the locale's own encoding cannot show is
       escaped on its way to the terminal.
    2. Each standard stream is open. What a closed standard output was to get fails as a write
       does; what a closed standard error was to get is dropped. `closed_streams()` names them.
    3. SIGTERM and SIGHUP raise Ended in the main thread.
    """
    _keep_names_as_bytes()
    _open_standard_streams()
    sys.stdout = _named(sys.stdout)
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _keep_names_as_bytes() -> None:
    """Start the program again in Python's UTF-8 mode if the locale has another encoding."""
    if sys.getfilesystemencoding() == "utf-8":
        return
    shown_in = sys.__stdout__.encoding if sys.__stdout__ else "ascii"
    words = {"PYTHONUTF8": "1", "PYTHONIOENCODING": f"{shown_in}:backslashreplace"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **words})


def closed_streams() -> frozenset[int]:
    """Return the numbers of the standard streams that were closed when the program started."""
    return frozenset(_closed)


def _open_standard_streams() -> None:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    _closed.update(number for number, stream in enumerate(streams) if stream is None)
    # open() takes the lowest free number, so these come in this order. Writing to a descriptor
    # that is open for reading fails with EBADF, as it does for a closed one.
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_RDONLY))  # noqa: PTH123, SIM115
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w")  # noqa: PTH123, SIM115


def _named(stream: TextIO) -> TextIO:
    """Standard output as before, with errors that name it, and no character that it refuses."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Stdout()),
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.isatty(),
    )


def _end(number: int, frame: object) -> None:
    raise Ended(signal.Signals(number).name)
