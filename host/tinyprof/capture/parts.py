# SPDX-License-Identifier: MIT
"""The parts of a recording that was rolled over, put together again: one line, as if it had not
been.

Captures' circumstances come in; what belongs together, in its order, and the events of all of it
go out. A part whose predecessor is not there begins a line of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path

from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.wire.frames import Event


def recordings_of(metas: Sequence[Meta]) -> list[list[int]]:
    """Which captures belong together, by their places in `metas`: a list for each recording, in
    its order."""
    recordings: list[list[int]] = []
    for place in sorted(range(len(metas)), key=lambda place: metas[place].part):
        meta = metas[place]
        for recording in recordings:
            if _follows(metas[recording[-1]], meta):
                recording.append(place)
                break
        else:
            recordings.append([place])
    return recordings


def _follows(before: Meta, meta: Meta) -> bool:
    same = (before.tinyprof, before.port, before.baud, before.began) == (
        meta.tinyprof,
        meta.port,
        meta.baud,
        meta.began,
    )
    return same and meta.part == before.part + 1 and meta.began > 0


class Parts:
    """Captures that are the parts of one recording, opened one after the other as `events()` gets
    there.

    `name`, `index` and `index_fault` are those of the first. Raises CaptureError where one is no
    capture.
    """

    def __init__(self, readers: Iterator[CaptureReader]) -> None:
        self._first = next(readers)
        self._others = readers
        self.name = self._first.name
        self.index = self._first.index
        self.index_fault = self._first.index_fault

    def events(self) -> Iterator[Event]:
        """All of it, once and in its order."""
        yield from self._first.events()
        for reader in self._others:
            yield from reader.events()


@dataclass(frozen=True, slots=True)
class Roll:
    """When a part is enough: so many seconds or bytes; None: no matter how many."""

    seconds: float | None = None
    size: int | None = None


def part_path(first: Path, part: int) -> Path:
    """The file of a part, counted from 0: NAME, NAME-1, NAME-2 …, all before the suffix."""
    return first.with_name(f"{first.stem}-{part}{first.suffix}") if part else first


def part_paths(first: Path) -> Iterator[Path]:
    """The files of a recording in parts, as far as they are there."""
    return takewhile(Path.exists, (part_path(first, part) for part in count()))


class RollingWriter:
    """`begin_part` makes the writer of a part from its Meta and its primer."""

    def __init__(
        self, meta: Meta, begin_part: Callable[[Meta, bytes], CaptureWriter], roll: Roll
    ) -> None:
        self._meta, self._begin_part, self._roll = meta, begin_part, roll
        self._part = begin_part(meta, b"")
        self._since = 0.0

    @property
    def parts(self) -> int:
        """How many there are by now."""
        return self._meta.part + 1

    def is_enough(self, seconds: float) -> bool:
        """Whether the next part is due, so many seconds into the recording."""
        roll = self._roll
        old = roll.seconds is not None and seconds - self._since >= roll.seconds
        return old or (roll.size is not None and self._part.size >= roll.size)

    def turn(self, seconds: float, primer: bytes, counts: Mapping[str, int]) -> None:
        """Complete this part and begin the next one. Raises CaptureError."""
        self._part.losses(counts)
        self._part.end(Ending.ROLLED)
        meta = replace(self._meta, part=self._meta.part + 1)
        self._part, self._since, self._meta = self._begin_part(meta, primer), seconds, meta

    def line(self, data: bytes, seconds: float = 0.0) -> None:
        self._part.line(data, seconds)

    def mark(self, text: str) -> None:
        self._part.mark(text)

    def gap(self, seconds: float) -> None:
        self._part.gap(seconds)

    def losses(self, counts: Mapping[str, int]) -> None:
        self._part.losses(counts)

    def end(self, ending: Ending) -> None:
        self._part.end(ending)
