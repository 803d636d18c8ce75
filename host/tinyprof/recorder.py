# SPDX-License-Identifier: MIT
"""One recording: a link in, a capture and running totals out.

What arrives is stored before it is looked at, so nothing that is said about it can cost a byte. Every loss is
known: from gaps in the frames' numbers, and from the epoch ends, which say how many records an epoch had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Protocol

from tinyprof.capture import CaptureError, CaptureWriter, Ending
from tinyprof.errors import TinyprofError
from tinyprof.heat import NO_LOSSES, PAGES_MAX, VOLUMES_MAX, Losses, Run
from tinyprof.link import Link, LinkError
from tinyprof.watch import LineWarning, LineWatch
from tinyprof.wire import (
    ConsoleText,
    EpochLength,
    Event,
    Frame,
    FrameDecoder,
    Hello,
    HelloPlease,
    HostMark,
    Rearm,
    encode_message,
)

POLL_SECONDS = 0.25
REBOOTS_SAID = 16
_REBOOTED = LineWarning("the target has rebooted", "its epochs start again; a profile counts another run")


@dataclass(frozen=True, slots=True)
class Totals:
    """What was seen so far, over all runs, in `seconds`.

    `pages` are distinct ones, `epochs` those that ended, of the volume with the most. `joined_late`: the
    first frame was not the target's first, so the records that its epoch had before count as missing.
    """

    seconds: float = 0.0
    hello: Hello | None = None
    runs: int = 0
    bytes: int = 0
    console_bytes: int = 0
    corrupt_bytes: int = 0
    records: int = 0
    pages: int = 0
    epochs: int = 0
    unknown_messages: int = 0
    joined_late: bool = False
    losses: Losses = NO_LOSSES


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished recording. `fault` is what made it fail first; `ending` is None where that ended it."""

    totals: Totals
    ending: Ending | None
    fault: TinyprofError | None = None


class Observer(Protocol):
    """Is told what happens, as it happens."""

    def progress(self, totals: Callable[[], Totals]) -> None:
        """Called after every read and every quarter second of silence; asking for the totals costs time."""
        ...

    def console(self, text: bytes) -> None:
        """The target printed this."""
        ...

    def warning(self, warning: TinyprofError) -> None:
        """Something is wrong; the recording goes on."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop: after `seconds`, after `epochs` ended, or once `stop()` says so."""

    seconds: float | None = None
    epochs: int | None = None
    stop: Callable[[], bool] = lambda: False


def no_marks() -> Iterable[str]:
    """The marks of a recording that has none."""
    return ()


def nobody_listens(events: Sequence[Event]) -> None:
    """What a recording tells of its events where nobody asked."""


def record(
    link: Link,
    writer: CaptureWriter,
    watch: LineWatch,
    observer: Observer,
    limits: Limits = Limits(),
    *,
    epoch_ms: int | None = None,
    marks: Callable[[], Iterable[str]] = no_marks,
    heard: Callable[[Sequence[Event]], None] = nobody_listens,
    clock: Callable[[], float] = monotonic,
) -> Recording:
    """Record until the link ends, a limit is reached, the target turns out to have no tracer, or a fault.

    `marks()` is asked at every turn for the marks to set now: they go into the capture, and the target is
    asked to end its epoch there. `heard()` is told every event, once it is stored. `clock` is in seconds.
    """
    session = _Session(writer, watch, observer, heard, clock)
    seq = 1
    try:
        if link.writable:
            link.write(encode_message(HelloPlease(), 0))
            if epoch_ms is not None:
                link.write(encode_message(EpochLength(epoch_ms), 1))
        while not session.over(limits):
            for text in marks():
                session.mark(text)
                seq += 1
                if link.writable:
                    link.write(encode_message(Rearm(), seq % 0x10000))
            data = link.read(session.patience(limits))
            if data is None:
                session.ending = Ending.LINE_ENDED
            else:
                session.take(data)
        session.finish()
    except (CaptureError, LinkError) as error:
        return Recording(session.totals(), session.ending, error)
    return Recording(session.totals(), session.ending, watch.fault)


class _Session:
    """What a recording knows while it runs."""

    def __init__(
        self,
        writer: CaptureWriter,
        watch: LineWatch,
        observer: Observer,
        heard: Callable[[Sequence[Event]], None],
        clock: Callable[[], float],
    ) -> None:
        self._heard = heard
        self._writer, self._watch, self._observer, self._clock = writer, watch, observer, clock
        self._decoder = FrameDecoder()
        self._began = clock()
        self._bytes = 0
        self._joined_late: bool | None = None
        self._run = Run()
        self._before = Totals()
        self._pages_before: dict[int, set[int]] = {}
        self.ending: Ending | None = None

    def over(self, limits: Limits) -> bool:
        """Whether there is an end, by what came or by a limit."""
        if self.ending is None:
            if limits.stop():
                self.ending = Ending.INTERRUPTED
            elif self._watch.tracerless(self._elapsed()):
                self.ending = Ending.NO_TRACER
            elif limits.seconds is not None and self._elapsed() >= limits.seconds:
                self.ending = Ending.DURATION
            elif limits.epochs is not None and self._before.epochs + _ended(self._run) >= limits.epochs:
                self.ending = Ending.EPOCHS
        return self.ending is not None

    def patience(self, limits: Limits) -> float:
        """Seconds to wait for the next byte."""
        left = POLL_SECONDS if limits.seconds is None else limits.seconds - self._elapsed()
        return min(POLL_SECONDS, max(0.0, left))

    def take(self, data: bytes) -> None:
        if data:
            self._writer.line(data)
            self._bytes += len(data)
        events = self._decoder.feed(data)
        self._count(events)
        for warning in self._watch.take(self._elapsed(), data, events, self._decoder.pending):
            self._observer.warning(warning)
        self._observer.progress(self.totals)

    def mark(self, text: str) -> None:
        self._writer.mark(text)
        self._run.take(HostMark(text))
        self._heard([HostMark(text)])

    def finish(self) -> None:
        self._count(self._decoder.finish(line_ended=self.ending is Ending.LINE_ENDED))
        if self.ending is not None:
            self._writer.end(self.ending)

    def _count(self, events: list[Event]) -> None:
        self._heard(events)
        for event in events:
            if self._run.ends_before(event):
                if self._before.runs < REBOOTS_SAID:
                    self._observer.warning(_REBOOTED)
                self._end_run()
            self._run.take(event)
            if isinstance(event, ConsoleText):
                self._observer.console(event.data)
            elif self._joined_late is None and isinstance(event, Frame):
                self._joined_late = event.seq > 0

    def _end_run(self) -> None:
        self._run.finish()
        self._before = self.totals()
        for index, volume in self._run.volumes.items():
            if index not in self._pages_before and len(self._pages_before) >= VOLUMES_MAX:
                continue
            known = self._pages_before.setdefault(index, set())
            known.update(islice(volume.pages, max(0, PAGES_MAX - len(known))))
        self._run = Run()

    def totals(self) -> Totals:
        run, before = self._run, self._before
        volumes = run.volumes.items()
        known = sum(len(pages) for pages in self._pages_before.values())
        return Totals(
            seconds=self._elapsed(),
            hello=run.hello or before.hello,
            runs=before.runs + 1,
            bytes=self._bytes,
            console_bytes=before.console_bytes + run.console_bytes,
            corrupt_bytes=before.corrupt_bytes + run.corrupt_bytes,
            records=before.records + sum(volume.records for _, volume in volumes),
            pages=known + sum(v.distinct_pages(self._pages_before.get(i, set())) for i, v in volumes),
            epochs=before.epochs + _ended(run),
            unknown_messages=before.unknown_messages + run.unknown_messages,
            joined_late=bool(self._joined_late),
            losses=before.losses + run.losses,
        )

    def _elapsed(self) -> float:
        return self._clock() - self._began


def _ended(run: Run) -> int:
    return max((volume.ended for volume in run.volumes.values()), default=0)
