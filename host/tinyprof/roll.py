# SPDX-License-Identifier: MIT
"""A recording in parts: captures that are each complete, one after the other.

What a `CaptureWriter` takes comes in; it goes to the part of the moment. When that is old or large enough,
and no epoch is under way, the recorder turns to the next one, which begins with what its reader must know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path

from tinyprof.capture import CaptureWriter, Ending, Meta


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

    def __init__(self, meta: Meta, begin_part: Callable[[Meta, bytes], CaptureWriter], roll: Roll) -> None:
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
