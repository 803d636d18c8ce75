# SPDX-License-Identifier: MIT
"""News of a finished capture, and the past of any recording."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import monotonic

from tinyprof.capture.index import ImageIndex
from tinyprof.capture.parts import Parts
from tinyprof.capture.reader import CaptureReader
from tinyprof.errors import TinyprofError
from tinyprof.live.news import INTERVAL, Post, _Notes
from tinyprof.live.snapshot import LiveHeat, Snapshot
from tinyprof.record.observing import Wish
from tinyprof.text import shown
from tinyprof.wire.frames import ConsoleText, Event
from tinyprof.wire.messages import EpochEnd, Hello, Pages
from tinyprof.wire.sequence import Frame
from tinyprof.wire.source import TouchSource, other_source, source_text


class _TargetClock:
    """Seconds by the target's clock, which begins anew at every boot."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last: int | None = None

    def take(self, event: Event) -> None:
        if isinstance(event, Frame) and isinstance(event.message, (Pages, EpochEnd)):
            ms = event.message.ms
            self.seconds += max(0, ms - self._last) / 1000 if self._last is not None else 0.0
            self._last = ms


def snapshot_at(
    parts: Iterable[Path], image: ImageIndex | None, epochs: int, wanted: Callable[[], bool]
) -> Snapshot | None:
    """Return the state of a recording, which may still grow, after this many epochs. None: it is
    no longer `wanted()`.

    Raises TinyprofError or OSError if one of its parts cannot be read.
    """
    clock = _TargetClock()
    with ExitStack() as files:
        opened = ((path, files.enter_context(path.open("rb"))) for path in parts)
        whole = Parts(CaptureReader(file, shown(str(path))) for path, file in opened)
        heat = LiveHeat(image or whole.index)
        for event in whole.events():
            if not wanted():
                return None
            heat.take([event])
            clock.take(event)
            if heat.epochs >= epochs:
                break
    # The speed of reading a capture is not a rate of the target.
    return replace(heat.snapshot(clock.seconds, whole=True), rates=())


class FinishedCapture:
    """A feed of a finished recording, from its start to its end. `paths`: its parts, in order."""

    live = False

    def __init__(self, paths: Sequence[Path], image: ImageIndex | None = None) -> None:
        self.title = shown(str(paths[0])) + (
            f" and {len(paths) - 1} more parts" if len(paths) > 1 else ""
        )
        self.capture = paths[0]
        self._paths = paths
        self._image = image
        self._target = _TargetClock()
        self._stop = threading.Event()
        self._post: Post = lambda news: None
        self._counts: Mapping[str, int] = {}
        self._source: TouchSource | None = None

    def start(self, post: Post) -> None:
        self._post = post
        threading.Thread(target=self._run, name="reader", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def command(self, command: Wish) -> None:
        """Does nothing: a finished recording takes no commands."""

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
                        notes.log(
                            0.0, f"recorded from {reader.meta.port} at {reader.meta.baud} baud"
                        )
                    self._read(reader, heat, notes)
                self._take_notes(reader, notes)
        except (TinyprofError, OSError) as error:
            notes.log(0.0, str(error))
        except Exception as error:
            # Without last news the view would never close.
            notes.log(0.0, f"reading failed: {error!r}")
            heat = LiveHeat(None)
        heat.finish()
        notes.flush()
        self._post(notes.news(self._snapshot(heat, whole=True), over=True))

    def _snapshot(self, heat: LiveHeat, *, whole: bool = False) -> Snapshot:
        snapshot = heat.snapshot(self._target.seconds, whole=whole)
        # How fast a capture is read is no rate of the target's.
        rates = () if whole else snapshot.rates
        return replace(snapshot, rates=rates, counts_by_cause=self._counts)

    def _take_notes(self, reader: CaptureReader, notes: _Notes) -> None:
        """Take what the recorder noted of this part. Its counts are of all parts so far."""
        self._counts = reader.losses or {"gaps": len(reader.gaps)}
        for seconds in reader.gaps:
            notes.log(seconds, "the port went away")
        if reader.cut_at is not None:
            where = f"{reader.name}: cut short or damaged at byte {reader.cut_at}"
            notes.log(0.0, f"{where}; shown up to there")

    def _note_source(self, hello: Hello, notes: _Notes) -> None:
        """Log what saw the touches, once, where it is not the kernel's own part."""
        source = other_source(hello.source)
        if source and source != self._source:
            self._source = source
            notes.log(self._target.seconds, f"recorded by {source_text(source)}")

    def _read(self, reader: CaptureReader, heat: LiveHeat, notes: _Notes) -> None:
        posted = monotonic()
        batch: list[Event] = []
        for event in reader.events():
            batch.append(event)
            self._target.take(event)
            notes.marks(self._target.seconds, (event,))
            if isinstance(event, ConsoleText):
                notes.console(event.data)
            elif isinstance(event, Frame) and isinstance(event.message, Hello):
                self._note_source(event.message, notes)
            if len(batch) >= 256:
                heat.take(batch)
                batch.clear()
                if self._stop.is_set():
                    return
                if monotonic() - posted >= INTERVAL:
                    posted = monotonic()
                    self._post(notes.news(self._snapshot(heat)))
        heat.take(batch)
