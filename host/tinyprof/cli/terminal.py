# SPDX-License-Identifier: MIT
"""The terminal and the signals of a command that runs until it is told to end.

Here stand: whether there is a terminal to draw on, what ends a command, and the recording that is
shown on a terminal.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyprof.capture.index import ImageIndex
from tinyprof.disk import replace_file
from tinyprof.errors import TinyprofError
from tinyprof.live.outlet import let_go
from tinyprof.record.recorder import Recording
from tinyprof.rootfs.contents import Contents

if TYPE_CHECKING:
    from tinyprof.live.recording import BeginRecording, ConsoleFile

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_MS = 200
"""Milliseconds between two looks at terminals whose end no signal tells."""


def has_terminal() -> bool:
    """Whether keys come from a terminal, and both streams go to one that can be drawn on."""
    return not is_dumb() and all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def is_dumb() -> bool:
    """Whether the terminal knows no cursor, such as that of an editor."""
    return os.environ.get("TERM") == "dumb"


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn a signal into KeyboardInterrupt while nothing has been made that must be kept whole.

    A signal that is ignored stays ignored.
    """

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    with _handling(interrupt):
        yield


class EndWanted:
    """Whether a signal asked for the end, and whether the terminal is gone."""

    def __init__(self) -> None:
        self.by_signal = False
        self.terminal_is_gone = False

    def __call__(self) -> bool:
        return self.by_signal


@contextlib.contextmanager
def until_signalled() -> Iterator[EndWanted]:
    """Note that a signal asks for the end, so that whatever came by then is kept.

    1. SIGTERM and Ctrl-C always end a command. A SIGINT or SIGHUP that is ignored stays ignored.
    2. A terminal that goes away sends SIGHUP, which ends the command too.
    3. A terminal may go away without SIGHUP, as under nohup. Then the command goes on, and its
       streams lead nowhere.
    """
    wanted = EndWanted()
    terminals = [number for number in range(3) if os.isatty(number)]

    def ask(number: int, frame: object) -> None:
        wanted.by_signal = True
        if number == signal.SIGHUP:
            _let_go_of_gone(terminals)

    over = threading.Event()
    if terminals:
        watch = threading.Thread(
            target=_watch, args=(terminals, wanted, over), name="terminal", daemon=True
        )
        watch.start()
    with _handling(ask):
        try:
            yield wanted
        finally:
            over.set()


@contextlib.contextmanager
def _handling(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle the signals that end a command, but for those that are ignored."""
    heeded = [
        number
        for number in SIGNALS
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _let_go_of_gone(terminals: list[int]) -> None:
    """Let go of terminals that are gone: writing to them would fail, or wait for ever.

    Standard input goes last. A thread that waits for it with epoll is told of the terminal's end
    for as long as anything has the terminal open.
    """
    for number in sorted(terminals, reverse=True):
        if not os.isatty(number):
            let_go(number)


def _watch(terminals: list[int], wanted: EndWanted, over: threading.Event) -> None:
    """Wait for the end of a terminal, which poll() tells as POLLHUP."""
    looked_at = select.poll()
    for number in terminals:
        looked_at.register(number, 0)
    while not over.is_set():
        if looked_at.poll(LOOK_MS):
            for number in sorted(terminals, reverse=True):
                let_go(number)
            wanted.terminal_is_gone = True
            return


VIEW_FAILED = (
    "tinyprof: the live view failed, please report the lines above; the recording goes on without "
    "it, and Ctrl-C ends it"
)


def record_on_screen(
    title: str,
    capture: Path,
    index: ImageIndex | None,
    begin: BeginRecording,
    console: ConsoleFile | None,
    wanted: EndWanted,
    contents: Contents | None,
    baud: int = 0,
) -> Recording:
    """Record under the live view, until somebody leaves it or the recording ends by itself.

    What the target prints goes to `console`, too. `wanted`: whether a signal asked for the end.
    `contents`: the files in flash, if they are at hand. `baud`: the rate of the port, if it has
    one. The recording goes on without the view

    1. if the terminal goes away;
    2. if the view fails, which is said.

    Raises what the recording raised.
    """
    # Textual takes longer to import than all else.
    from tinyprof.live.recording import LiveRecording  # noqa: PLC0415
    from tinyprof.tui.app import LiveApp  # noqa: PLC0415

    feed = LiveRecording(title, capture, index, begin, console, baud)
    app = LiveApp(feed, replace_file, wanted, contents, lambda: wanted.terminal_is_gone)
    try:
        app.run()
    finally:
        failed = bool(app.return_code) and feed.recording is None
        if failed:
            with contextlib.suppress(OSError):
                click.echo(VIEW_FAILED, err=True)
        elif not wanted.terminal_is_gone:
            feed.stop()
        feed.wait()
    if feed.crash:
        raise feed.crash
    if feed.recording is None:
        raise TinyprofError("the live view could not start", "record with --no-tui")
    return feed.recording
