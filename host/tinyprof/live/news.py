# SPDX-License-Identifier: MIT
"""The news of the live view, and the feed that posts them from a thread of its own.

Four times a second a feed posts one immutable piece of news. The screen never waits for the feed,
and the feed never touches the screen. What the target printed comes as lines without any control
character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinyprof.capture.format import Ending
from tinyprof.live.snapshot import Snapshot
from tinyprof.record.observing import Wish
from tinyprof.text import shown, shown_line
from tinyprof.wire.frames import Event, HostMark
from tinyprof.wire.messages import Mark
from tinyprof.wire.sequence import Frame

INTERVAL = 0.25
"""Seconds between two pieces of news."""
CONSOLE_LINE_MAX = 1024
"""Bytes of one line of console text that are shown."""
ASKED_FOR = (Ending.DURATION, Ending.EPOCHS, Ending.INTERRUPTED, Ending.LEFT)
"""Endings that somebody asked for."""
WARNINGS_MAX = 4
"""Warnings that one piece of news shows. The log has all."""

LINES_MAX = 2000
"""Lines of console text, and of the log, that one piece of news carries and that a pane keeps."""


@dataclass(frozen=True, slots=True)
class News:
    """The state, and the lines since the last news. `warnings` stand in the log, too.

    `over`: these are the last news. `leave`: the view may close, as somebody wanted. `open_line`:
    console text whose line has not ended, such as a prompt. `why`: why the recording ended, where
    nobody had asked for it.
    """

    snapshot: Snapshot
    console: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    over: bool = False
    leave: bool = False
    open_line: str = ""
    why: str = ""


Post = Callable[[News], None]


class Feed(Protocol):
    """A source of news. `title`: what is shown. `live`: it is being recorded, so commands can be
    given."""

    title: str
    live: bool
    capture: Path

    def start(self, post: Post) -> None:
        """Begin to post news from another thread."""
        ...

    def stop(self) -> None:
        """Ask for the end. The last news come soon after."""
        ...

    def command(self, command: Wish) -> None:
        """Have the recorder carry out a wish soon."""
        ...

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        """Return the state after this many epochs, read again from the capture. None: it is no
        longer `wanted()`.

        Raises TinyprofError or OSError if the capture cannot be read.
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

    def marks(self, seconds: float, events: Iterable[Event]) -> None:
        """Log the marks among these events, whoever set them."""
        for event in events:
            if isinstance(event, HostMark):
                self.log(seconds, f"mark: {event.text}")
            elif isinstance(event, Frame) and isinstance(event.message, Mark):
                self.log(seconds, f"mark of the target: {event.message.text}")

    def flush(self) -> None:
        """Take the last line of console text, which has no end."""
        if self._rest:
            self.console(b"\n")

    def news(
        self, snapshot: Snapshot, *, over: bool = False, leave: bool = False, why: str = ""
    ) -> News:
        lines = (tuple(self._console), tuple(self._log), tuple(self._warnings))
        rest = shown_line(self._rest).expandtabs()
        news = News(snapshot, *lines, over, leave, rest, why)
        self._console, self._log, self._warnings = [], [], []
        return news
