# SPDX-License-Identifier: MIT
"""Where the live view's news come from: a recording that runs, or a capture that is read, in its own thread.

Four times a second it posts one immutable piece of news. The screen never waits for it, and it never touches
the screen; what the target printed comes as lines in which nothing is left that a terminal would obey.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import IO, Protocol

from tinyprof.capture.format import Ending
from tinyprof.capture.index import ImageIndex
from tinyprof.capture.parts import Parts, part_paths
from tinyprof.capture.reader import CaptureReader
from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Totals, loss_counts
from tinyprof.live import LiveHeat, Snapshot
from tinyprof.record.recorder import Observer, Recording
from tinyprof.text import epoch_text, shown, shown_line
from tinyprof.wire.frames import ConsoleText, Event, HostMark, Order
from tinyprof.wire.messages import EpochEnd, EpochLength, Pages, Rearm, Trace
from tinyprof.wire.sequence import Frame

INTERVAL = 0.25
CONSOLE_LINE_MAX = 1024
ASKED_FOR = (Ending.DURATION, Ending.EPOCHS, Ending.INTERRUPTED)
WARNINGS_MAX = 4
"""Warnings that are shown of a quarter of a second; the log has all."""

LINES_MAX = 2000
"""Lines of console text and of the log that one piece of news carries, and that a pane keeps."""


@dataclass(frozen=True, slots=True)
class News:
    """The state, and what was printed and said since the last news; `warnings` stand in the log, too.

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
    """`title`: what is looked at; `live`: whether it is being recorded, so that orders can be given."""

    title: str
    live: bool
    capture: Path

    def start(self, post: Post) -> None:
        """Begin to post news, from another thread, until some are the last."""
        ...

    def stop(self) -> None:
        """Ask for the end. The last news come soon after."""
        ...

    def order(self, order: Order) -> None:
        """Have the recorder do this soon: set a mark, tell the target something."""
        ...

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        """How it was when so many epochs were over, read again from the capture: large ones take a while.
        None once it is no longer `wanted()`.

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


Begin = Callable[
    [Observer, Callable[[Sequence[Event]], None], Callable[[], Iterable[Order]], Callable[[], bool]],
    Recording,
]
"""Records, and returns when that is over: who observes, who listens, what is to be done, whether to stop."""


class LiveRecording:
    """A feed of a recording, and the recorder's Observer. `begin` records and returns when that is over."""

    live = True

    def __init__(
        self,
        title: str,
        capture: Path,
        index: ImageIndex | None,
        begin: Begin,
        console: IO[bytes] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.title = title
        self.capture = capture
        self.recording: Recording | None = None
        self.crash: BaseException | None = None
        self._index = index
        self._begin = begin
        self._console = console
        self._heat = LiveHeat(index)
        self._notes = _Notes()
        self._clock = clock
        self._began = self._posted = clock()
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
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
        """Wait until the capture is complete."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def order(self, order: Order) -> None:
        self._orders.put(order)

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        return snapshot_at(part_paths(self.capture), self._index, epochs, wanted)

    def _run(self) -> None:
        try:
            self.recording = self._begin(self, self._heat.heard, self._due, self._stop.is_set)
        except BaseException as error:
            # Whoever waits for the recording raises it where it can be told.
            self.crash = error
        self._heat.finish()
        self._notes.flush()
        self._notes.log(self._elapsed(), f"the recording is over: {self._why()}")
        # A line that ended, or a fault, is for people to see; a limit or a signal asked for the end.
        leave = bool(self.recording and not self.recording.fault and self.recording.ending in ASKED_FOR)
        if self.recording:
            self._totals = self.recording.totals
        self._post(self._notes.news(self._snapshot(whole=True), over=True, leave=leave))

    def _snapshot(self, *, whole: bool = False) -> Snapshot:
        snapshot = self._heat.snapshot(self._elapsed(), whole=whole)
        return replace(snapshot, counts_by_cause=loss_counts(self._totals), away=self._totals.away)

    def _why(self) -> str:
        if not self.recording:
            return str(self.crash)
        if self.recording.fault:
            return str(self.recording.fault)
        ending = self.recording.ending
        return ending.name.lower().replace("_", " ") if ending is not None else "unknown"

    def _due(self) -> list[Order]:
        orders = []
        while not self._orders.empty():
            orders.append(self._orders.get())
            self._notes.log(self._elapsed(), order_text(orders[-1]))
        return orders

    def _elapsed(self) -> float:
        return self._clock() - self._began

    def progress(self, totals: Callable[[], Totals]) -> None:
        """Called after every read; posts when it is time."""
        if self._clock() - self._posted >= INTERVAL:
            self._posted = self._clock()
            self._totals = totals()
            self._post(self._notes.news(self._snapshot()))

    def console(self, text: bytes) -> None:
        """The target printed this."""
        self._notes.console(text)
        try:
            if self._console:
                self._console.write(text)
        except OSError as error:
            self._console = None
            self._notes.log(self._elapsed(), f"the console text is no longer kept: {error.strerror}")

    def warning(self, warning: TinyprofError) -> None:
        """Something is wrong; the recording goes on."""
        self._notes.warning(self._elapsed(), str(warning))


class _TargetClock:
    """How long all took by the target's clock, which begins anew when it boots."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last: int | None = None

    def take(self, event: Event) -> None:
        if isinstance(event, Frame) and isinstance(event.message, (Pages, EpochEnd)):
            ms = event.message.ms
            self.seconds += max(0, ms - self._last) / 1000 if self._last is not None else 0.0
            self._last = ms


def order_text(order: Order) -> str:
    """What is to be done, in words."""
    match order:
        case HostMark(text):
            return f"mark: {text}"
        case EpochLength(ms):
            return f"to the target: {epoch_text(ms)}"
        case Rearm():
            return "to the target: end the epoch now"
        case Trace(on):
            return "to the target: record again" if on else "to the target: record no more"


def snapshot_at(
    parts: Iterable[Path], image: ImageIndex | None, epochs: int, wanted: Callable[[], bool]
) -> Snapshot | None:
    """What a recording, which may still grow, had when so many epochs had ended; None once it is no longer
    `wanted()`.

    Raises TinyprofError or OSError where one of its parts cannot be read.
    """
    clock = _TargetClock()
    with ExitStack() as files:
        opened = ((path, files.enter_context(path.open("rb"))) for path in parts)
        whole = Parts(CaptureReader(file, shown(str(path))) for path, file in opened)
        heat = LiveHeat(image or whole.index)
        for event in whole.events():
            if not wanted():
                return None
            heat.heard([event])
            clock.take(event)
            if heat.epochs >= epochs:
                break
    # How fast a capture is read is no rate of the target's.
    return replace(heat.snapshot(clock.seconds, whole=True), rates=())


class FinishedCapture:
    """A feed of a recording, read from its start to its end; of one in parts, `paths` are these in order."""

    live = False

    def __init__(self, paths: Sequence[Path], image: ImageIndex | None = None) -> None:
        self.title = shown(str(paths[0])) + (f" and {len(paths) - 1} more parts" if len(paths) > 1 else "")
        self.capture = paths[0]
        self._paths = paths
        self._image = image
        self._target = _TargetClock()
        self._stop = threading.Event()
        self._post: Post = lambda news: None
        self._counts: Mapping[str, int] = {}

    def start(self, post: Post) -> None:
        self._post = post
        threading.Thread(target=self._run, name="reader", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def order(self, order: Order) -> None:
        """A finished recording takes none."""

    def at(self, epochs: int, wanted: Callable[[], bool]) -> Snapshot | None:
        return snapshot_at(self._paths, self._image, epochs, wanted)

    def _run(self) -> None:
        notes, heat = _Notes(), LiveHeat(self._image)
        try:
            for number, path in enumerate(self._paths):
                with path.open("rb") as file:
                    reader = CaptureReader(file, shown(str(path)))
                    if not number:
                        heat = LiveHeat(self._image or reader.index)
                        notes.log(0.0, f"recorded from {reader.meta.port} at {reader.meta.baud} baud")
                    self._read(reader, heat, notes)
                self._take_notes(reader, notes)
        except (TinyprofError, OSError) as error:
            notes.log(0.0, str(error))
        heat.finish()
        notes.flush()
        self._post(notes.news(self._snapshot(heat, whole=True), over=True))

    def _snapshot(self, heat: LiveHeat, *, whole: bool = False) -> Snapshot:
        snapshot = heat.snapshot(self._target.seconds, whole=whole)
        # How fast a capture is read is no rate of the target's.
        rates = () if whole else snapshot.rates
        return replace(snapshot, rates=rates, counts_by_cause=self._counts)

    def _take_notes(self, reader: CaptureReader, notes: _Notes) -> None:
        """What the recorder noted of this part; its counts are of all parts so far."""
        self._counts = reader.losses or {"gaps": len(reader.gaps)}
        for seconds in reader.gaps:
            notes.log(seconds, "the port went away")
        if reader.cut_at is not None:
            where = f"{reader.name}: cut short or damaged at byte {reader.cut_at}"
            notes.log(0.0, f"{where}; shown up to there")

    def _read(self, reader: CaptureReader, heat: LiveHeat, notes: _Notes) -> None:
        posted = monotonic()
        batch: list[Event] = []
        for event in reader.events():
            batch.append(event)
            self._target.take(event)
            if isinstance(event, ConsoleText):
                notes.console(event.data)
            if len(batch) >= 256:
                heat.heard(batch)
                batch.clear()
                if self._stop.is_set():
                    return
                if monotonic() - posted >= INTERVAL:
                    posted = monotonic()
                    self._post(notes.news(self._snapshot(heat)))
        heat.heard(batch)
