# SPDX-License-Identifier: MIT
"""Where the live view's news come from: a recording that boots, or a capture that is read, in its
own thread.

Four times a second it posts one immutable piece of news. The screen never waits for it, and it
never touches the screen; what the target printed comes as lines in which nothing is left that a
terminal would obey.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinyprof.capture.format import Ending
from tinyprof.live.snapshot import Snapshot
from tinyprof.text import shown, shown_line
from tinyprof.wire.frames import Command

INTERVAL = 0.25
CONSOLE_LINE_MAX = 1024
ASKED_FOR = (Ending.DURATION, Ending.EPOCHS, Ending.INTERRUPTED, Ending.LEFT)
WARNINGS_MAX = 4
"""Warnings that are shown of a quarter of a second; the log has all."""

LINES_MAX = 2000
"""Lines of console text and of the log that one piece of news carries, and that a pane keeps."""


@dataclass(frozen=True, slots=True)
class News:
    """The state, and what was printed and said since the last news; `warnings` stand in the log,
    too.

    `over`: these are the last. `leave`: nothing is left to look for, as whoever began it wanted.
    """

    snapshot: Snapshot
    console: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    over: bool = False
    leave: bool = False


Post = Callable[[News], None]


class Feed(Protocol):
    """`title`: what is looked at; `live`: whether it is being recorded, so that commands can be
    given."""

    title: str
    live: bool
    capture: Path

    def start(self, post: Post) -> None:
        """Begin to post news, from another thread, until some are the last."""
        ...

    def stop(self) -> None:
        """Ask for the end. The last news come soon after."""
        ...

    def command(self, command: Command) -> None:
        """Have the recorder do this soon: set a mark, tell the target something."""
        ...

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        """How it was when so many epochs were over, read again from the capture: large ones take a
        while. None once it is no longer `wanted()`.

        Raises TinyprofError or OSError where the capture cannot be read.
        """
        ...


class _Notes:
    """What was printed and said since the last news."""

    def __init__(self) -> None:
        self._console: list[str] = []
        self._log: list[str] = []
        self._warnings: list[str] = []
        self._rest = b""

    def console(self, text: bytes) -> None:
        *lines, self._rest = (self._rest + text).split(b"\n")
        if len(self._rest) > CONSOLE_LINE_MAX:
            lines, self._rest = [*lines, self._rest], b""
        self._console += [shown_line(line[:CONSOLE_LINE_MAX]).expandtabs() for line in lines]
        del self._console[:-LINES_MAX]

    def log(self, seconds: float, text: str) -> None:
        self._log.append(f"{seconds:8.1f} s  {shown(text)}")
        del self._log[:-LINES_MAX]

    def warning(self, seconds: float, text: str) -> None:
        self.log(seconds, text)
        self._warnings.append(shown(text))
        del self._warnings[:-WARNINGS_MAX]

    def flush(self) -> None:
        """The last line counts though it has no end."""
        if self._rest:
            self.console(b"\n")

    def news(self, snapshot: Snapshot, *, over: bool = False, leave: bool = False) -> News:
        lines = (tuple(self._console), tuple(self._log), tuple(self._warnings))
        news = News(snapshot, *lines, over, leave)
        self._console, self._log, self._warnings = [], [], []
        return news
