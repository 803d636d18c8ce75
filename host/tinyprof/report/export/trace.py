# SPDX-License-Identifier: MIT
"""A recording as a timeline for ui.perfetto.dev: events of a line in, pieces of JSON out.

The format is the Trace Event Format, which Perfetto reads as "Chrome JSON". Each boot is a
process. Its first track has the epochs as slices, and the marks. Each file has a track, with a
slice for every epoch in which pages of it were touched. Times are those of the target's clock, in
µs.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

from tinyprof.capture.index import ImageIndex, WrongImageError
from tinyprof.heat.boots import BootPages
from tinyprof.pages import page_ranges
from tinyprof.text import counted, shown
from tinyprof.wire.frames import Event, HostMark
from tinyprof.wire.messages import EpochEnd, Hello, Mark, Message, Pages
from tinyprof.wire.sequence import Frame

EPOCHS_TRACK = 1
FILES_FROM = 10
"""The number of the first file's track."""

OPEN_MAX = 1 << 18
"""Touches of one epoch that are kept. No image has more pages."""

_CLOCK_MODULO = 1 << 32


def trace_pieces(events: Iterable[Event], index: ImageIndex) -> Iterator[str]:
    """The JSON document, in pieces. Pages of other images are left out."""
    yield '{"displayTimeUnit":"ms","traceEvents":['
    for number, fields in enumerate(_Timeline(index).events(events)):
        yield (",\n" if number else "\n") + json.dumps(fields, separators=(",", ":"))
    yield "\n]}\n"


class _Timeline:
    """The boots of a line, one behind the other on one time axis."""

    def __init__(self, index: ImageIndex) -> None:
        self._index = index
        self._order = sorted(range(len(index.files)), key=lambda it: index.files[it].ino)
        self._starts = [index.files[number].page_ids.start for number in self._order]

    def events(self, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
        """The trace events of all boots."""
        boot, pages = _Boot(self, 1, 0), BootPages()
        for event in events:
            if pages.ends_before(event):
                yield from boot.finished()
                boot, pages = _Boot(self, boot.number + 1, boot.now_us), BootPages()
            if isinstance(event, HostMark) or not isinstance(event, Frame):
                if isinstance(event, HostMark):
                    yield boot.mark(event.text)
                continue
            # Only the hellos are kept there: they become one hello.
            if isinstance(event.message, Hello):
                pages.take(event)
            yield from boot.take(event.message, pages.hello)
        yield from boot.finished()

    def place(self, page_id: int) -> tuple[int, int] | None:
        """The number of a page's file, and its own number in it."""
        at = bisect_right(self._starts, page_id) - 1
        if at < 0:
            return None
        # Of the names of one inode the first in the index stands for all.
        at = bisect_left(self._starts, self._starts[at])
        number = self._order[at]
        page = page_id - self._starts[at]
        return (number, page) if page_id in self._index.files[number].page_ids else None

    def path(self, number: int) -> str:
        """The path of a file, harmless for a screen."""
        return shown(self._index.files[number].path)

    def volume_in(self, hello: Hello) -> int | None:
        """The volume that has the image; None: the target has another one."""
        try:
            return self._index.volume_of(hello)
        except WrongImageError:
            return None


class _Boot:
    """One boot. `start_us` is its place on the time axis, `now_us` its latest time."""

    def __init__(self, line: _Timeline, number: int, start_us: int) -> None:
        self._line, self.number, self._start_us = line, number, start_us
        self._clock = self._first_ms = -1
        self._volume: int | None = None
        self._touched: dict[int, set[int]] = {}
        self._count = 0
        self._known: set[tuple[int, int]] = set()
        self._named: set[int] = set()
        self._epoch_began_us = self.now_us = start_us

    def take(self, message: Message, hello: Hello | None) -> Iterator[dict[str, Any]]:
        """The trace events that a message completes."""
        if isinstance(message, Hello):
            self._volume = self._line.volume_in(hello or message)
            yield self._named_track("process_name", 0, f"boot {self.number}, {message.kernel}")
            yield self._named_track("thread_name", EPOCHS_TRACK, "epochs")
        elif isinstance(message, Mark):
            self._tick(message.ms)
            yield self.mark(message.text)
        elif isinstance(message, Pages) and message.volume == self._volume:
            self._tick(message.ms)
            self._touch(message)
        elif isinstance(message, EpochEnd) and message.volume == self._volume:
            self._tick(message.ms)
            yield from self._slices(f"epoch {message.epoch}")

    def mark(self, text: str) -> dict[str, Any]:
        """A mark as an instant."""
        return self._event("i", EPOCHS_TRACK, shown(text), self.now_us, s="p")

    def finished(self) -> Iterator[dict[str, Any]]:
        """The epoch that the end of the recording cut off, if it has pages."""
        if self._touched:
            yield from self._slices("the epoch that the end cut off")

    def _tick(self, ms: int) -> None:
        """Note the target's clock, which counts modulo 2^32."""
        if self._first_ms < 0:
            self._first_ms = self._clock = ms
        self._clock += (ms - self._clock) % _CLOCK_MODULO if not self._is_earlier(ms) else 0
        self.now_us = self._start_us + 1000 * (self._clock - self._first_ms)

    def _is_earlier(self, ms: int) -> bool:
        """Whether a message is older than one before it. A batch may leave the kernel late."""
        return (ms - self._clock) % _CLOCK_MODULO > _CLOCK_MODULO // 2

    def _touch(self, message: Pages) -> None:
        for page_id in message.page_ids:
            place = self._line.place(page_id)
            if place and self._count < OPEN_MAX:
                self._touched.setdefault(place[0], set()).add(place[1])
                self._count += 1

    def _slices(self, name: str) -> Iterator[dict[str, Any]]:
        """The epoch that is over, and a slice for each file that was touched in it."""
        began, lasted = self._epoch_began_us, self.now_us - self._epoch_began_us
        new = used = 0
        for number, pages in sorted(self._touched.items()):
            track = FILES_FROM + number
            if number not in self._named:
                self._named.add(number)
                yield self._named_track("thread_name", track, self._line.path(number))
            fresh = {page for page in pages if (number, page) not in self._known}
            self._known.update((number, page) for page in fresh)
            new, used = new + len(fresh), used + len(pages)
            arguments = {"pages": page_ranges(pages), "new": len(fresh)}
            words = counted(len(pages), "page")
            yield self._event("X", track, words, began, dur=lasted, args=arguments)
        arguments = {"pages": used, "new": new}
        yield self._event("X", EPOCHS_TRACK, name, began, dur=lasted, args=arguments)
        yield self._event("C", EPOCHS_TRACK, "pages used so far", began, args=self._so_far())
        self._touched, self._count, self._epoch_began_us = {}, 0, self.now_us

    def _so_far(self) -> dict[str, int]:
        return {"pages": len(self._known)}

    def _named_track(self, kind: str, track: int, name: str) -> dict[str, Any]:
        return {
            "ph": "M",
            "name": kind,
            "pid": self.number,
            "tid": track,
            "args": {"name": shown(name)},
        }

    def _event(self, kind: str, track: int, name: str, at: int, **more: Any) -> dict[str, Any]:
        return {"ph": kind, "name": name, "pid": self.number, "tid": track, "ts": at, **more}
