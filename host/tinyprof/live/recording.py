# SPDX-License-Identifier: MIT
"""News of a running recording."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Protocol

from tinyprof.capture.format import ENDED
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.parts import part_paths
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Totals, loss_counts
from tinyprof.live.checklist import LineState
from tinyprof.live.news import ASKED_FOR, INTERVAL, Post, _Notes
from tinyprof.live.playback import snapshot_at
from tinyprof.live.snapshot import LiveHeat, Snapshot
from tinyprof.record.observing import Keystrokes, Observer, Recording, Typing, Wish
from tinyprof.text import epoch_text
from tinyprof.wire.frames import Event, HostMark
from tinyprof.wire.messages import EpochLength, Rearm, Trace

BeginRecording = Callable[
    [
        Observer,
        Callable[[Sequence[Event]], None],
        Callable[[], Iterable[Wish]],
        Callable[[], bool],
    ],
    Recording,
]
"""Records, and returns at the end. Takes: the observer, a function that is told events, a function
that gives commands, and a function that says whether the view was left."""


class ConsoleFile(Protocol):
    """Takes the target's console text as it came."""

    def write(self, text: bytes, /) -> object:
        """Take text."""
        ...


class LiveRecording:
    """A feed of a recording, and the recorder's Observer. `begin` records, and returns at the
    end."""

    live = True

    def __init__(
        self,
        title: str,
        capture: Path,
        index: ImageIndex | None,
        begin: BeginRecording,
        console: ConsoleFile | None = None,
        baud: int = 0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.title = title
        self.capture = capture
        self.recording: Recording | None = None
        self.crash: BaseException | None = None
        self._index = index
        self._begin = begin
        self._console = console
        self._baud = baud
        self._text_bytes = 0
        self._heat = LiveHeat(index)
        self._notes = _Notes()
        self._clock = clock
        self._began = self._posted = clock()
        self._commands: queue.SimpleQueue[Wish] = queue.SimpleQueue()
        self._totals = Totals()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._post: Post = lambda news: None

    def start(self, post: Post) -> None:
        self._post = post
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        """End the recording, and wait until the capture is complete."""
        self._stop.set()
        self.wait()

    def wait(self) -> None:
        """Wait until the recording has ended by itself, and the capture is complete."""
        if self._thread:
            self._thread.join()

    def command(self, command: Wish) -> None:
        self._commands.put(command)

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        return snapshot_at(part_paths(self.capture), self._index, epochs, wanted)

    def _run(self) -> None:
        try:
            self.recording = self._begin(self, self._take, self._due, self._stop.is_set)
        except BaseException as error:
            # The waiting thread raises it, where it can be told.
            self.crash = error
        if self.recording:
            self._totals = self.recording.totals
        snapshot = self._last_snapshot()
        self._notes.flush()
        self._notes.log(self._elapsed(), f"recording ended: {self._why()}")
        # After a fault, or when the port closed, the view stays open. A limit, a key or a signal
        # asked for the end.
        leave = bool(
            self.recording and not self.recording.fault and self.recording.ending in ASKED_FOR
        )
        why = "" if leave else self._why()
        self._post(self._notes.news(snapshot, over=True, leave=leave, why=why))

    def _take(self, events: Sequence[Event]) -> None:
        self._notes.marks(self._elapsed(), events)
        self._heat.take(events)

    def _last_snapshot(self) -> Snapshot:
        """Return the state at the end. Without last news the view would never close."""
        try:
            self._heat.finish()
            return self._snapshot(whole=True)
        except Exception as error:
            self.crash = self.crash or error
            return Snapshot()

    def _snapshot(self, *, whole: bool = False) -> Snapshot:
        snapshot = self._heat.snapshot(self._elapsed(), whole=whole)
        counts, away = loss_counts(self._totals), self._totals.away
        return replace(snapshot, counts_by_cause=counts, away=away, line=self._line_state())

    def _line_state(self) -> LineState:
        it = self._totals
        return LineState(
            self.title, self._baud, self._elapsed(), it.away, it.bytes, self._text_bytes
        )

    def _why(self) -> str:
        if not self.recording:
            return str(self.crash)
        if self.recording.fault:
            return str(self.recording.fault)
        ending = self.recording.ending
        return ENDED[ending] if ending is not None else "unknown"

    def _due(self) -> list[Wish]:
        commands: list[Wish] = []
        while not self._commands.empty():
            commands.append(self._commands.get())
            if words := command_text(commands[-1]):
                self._notes.log(self._elapsed(), words)
        return commands

    def _elapsed(self) -> float:
        return self._clock() - self._began

    def progress(self, totals: Callable[[], Totals]) -> None:
        """Called after every read. Posts news four times a second."""
        if self._clock() - self._posted >= INTERVAL:
            self._posted = self._clock()
            self._totals = totals()
            self._post(self._notes.news(self._snapshot()))

    def console(self, text: bytes) -> None:
        """The target printed this."""
        self._text_bytes += len(text)
        self._notes.console(text)
        try:
            if self._console:
                self._console.write(text)
        except OSError as error:
            self._console = None
            self._notes.log(
                self._elapsed(), f"the console text is no longer kept: {error.strerror}"
            )

    def warning(self, warning: TinyprofError) -> None:
        """Something is wrong. The recording goes on."""
        self._notes.warning(self._elapsed(), str(warning))


def command_text(command: Wish) -> str:
    """Return a wish in words; none for keystrokes, and for marks, which are logged when they are
    stored."""
    match command:
        case HostMark() | Keystrokes():
            return ""
        case Typing(on):
            return f"typing to the target {'began' if on else 'ended'}"
        case EpochLength(ms):
            return f"to the target: {epoch_text(ms)}"
        case Rearm():
            return "to the target: end the epoch now"
        case Trace(on):
            return f"to the target: {'record again' if on else 'stop recording'}"
