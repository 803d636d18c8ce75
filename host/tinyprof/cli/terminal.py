# SPDX-License-Identifier: MIT
"""Whether there is a terminal to draw on, a recording that is shown there, and signals that end
it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tinyprof.capture.index import ImageIndex
from tinyprof.disk import replace_file
from tinyprof.record.recorder import Recording
from tinyprof.rootfs.contents import Contents

if TYPE_CHECKING:
    from tinyprof.live.recording import BeginRecording


def has_terminal() -> bool:
    """Whether keys come from a terminal and all that is shown goes to one."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def _let_go(terminals: Iterable[int]) -> None:
    """Of those that are gone: whatever still writes to them would fail, or wait for ever."""
    for number in terminals:
        if not os.isatty(number):
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, number)
            os.close(nothing)


@contextlib.contextmanager
def until_signalled() -> Iterator[Callable[[], bool]]:
    """Ctrl-C, being told to terminate, and a terminal that goes away ask for an end; what was read
    by then is kept. What nohup ignores stays ignored."""
    asked = False
    terminals = [number for number in range(3) if os.isatty(number)]

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        if number == signal.SIGHUP:
            _let_go(terminals)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heeded = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heeded}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def record_on_screen(
    title: str,
    capture: Path,
    index: ImageIndex | None,
    begin: BeginRecording,
    console: IO[bytes] | None,
    signalled: Callable[[], bool],
    contents: Contents | None,
) -> Recording:
    """Record under the live view, until that is left or the recording has reached what it was to
    reach.

    What the target prints goes to `console` too; `signalled` is whether a signal asked for the
    end; `contents` are the files that are in flash, if they are at hand.

    Raises what the recording raised.
    """
    # Textual takes longer to import than all else.
    from tinyprof.live.recording import LiveRecording  # noqa: PLC0415
    from tinyprof.tui.app import LiveApp  # noqa: PLC0415

    feed = LiveRecording(title, capture, index, begin, console)
    try:
        LiveApp(feed, replace_file, signalled, contents).run()
    finally:
        feed.join()
    if feed.crash:
        raise feed.crash
    assert feed.recording
    return feed.recording
