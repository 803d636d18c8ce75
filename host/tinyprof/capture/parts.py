# SPDX-License-Identifier: MIT
"""The parts of a recording (`--roll`), and how they become one recording again.

The circumstances of captures come in. Which captures belong together, in which order, and the
events of all parts go out. A part whose predecessor is missing begins a recording of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, takewhile
from pathlib import Path

from tinyprof.capture.format import Ending, Meta
from tinyprof.capture.reader import CaptureReader
from tinyprof.capture.writer import CaptureWriter
from tinyprof.wire.frames import Event


def recordings_of(metas: Sequence[Meta]) -> list[list[int]]:
    """Return a list of places in `metas` for each recording, in the order of its parts."""
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
    """Captures that are the parts of one recording. Each is opened when `events()` reaches it.

    `name`, `index` and `index_fault` are those of the first part. `ending` is that of the last
    part that was read, and is known after `events()`. Raises CaptureError if a file is no capture.
    """

    def __init__(self, readers: Iterator[CaptureReader]) -> None:
        self._first = next(readers)
        self._others = readers
        self.name = self._first.name
        self.index = self._first.index
        self.index_fault = self._first.index_fault
        self.ending: Ending | None = None
        self.losses: Mapping[str, int] | None = None

    def events(self) -> Iterator[Event]:
        """Yield the events of all parts, once and in order."""
        for reader in chain([self._first], self._others):
            yield from reader.events()
            self.ending, self.losses = reader.ending, reader.losses


@dataclass(frozen=True, slots=True)
class Roll:
    """When a part is full: after this many seconds or bytes. None: no limit of this kind."""

    seconds: float | None = None
    size: int | None = None


def part_path(first: Path, part: int) -> Path:
    """Return the file of a part. Parts count from 0: NAME, NAME-1, NAME-2 …, the number before the
    suffix."""
    return first.with_name(f"{first.stem}-{part}{first.suffix}") if part else first


def part_paths(first: Path) -> Iterator[Path]:
    """Yield the files of a recording in parts, as far as they exist."""
    return takewhile(Path.exists, (part_path(first, part) for part in count()))


class RollingWriter:
    """Writes a recording as parts. `begin_part` makes the writer of a part from its Meta and its
    primer."""

    def __init__(
        self, meta: Meta, begin_part: Callable[[Meta, bytes], CaptureWriter], roll: Roll
    ) -> None:
        self._meta, self._begin_part, self._roll = meta, begin_part, roll
        self._part = begin_part(meta, b"")
        self._since = 0.0

    @property
    def parts(self) -> int:
        """How many parts there are by now."""
        return self._meta.part + 1

    def is_enough(self, seconds: float) -> bool:
        """Whether the next part is due at this second of the recording."""
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
