# SPDX-License-Identifier: MIT
"""The parts of a recording that was rolled over, put together again: one line, as if it had not been.

Captures' circumstances come in; what belongs together, in its order, and the events of all of it go out. A
part whose predecessor is not there begins a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyprof.capture import CaptureReader, Meta
from tinyprof.wire.frames import Event


def recordings_of(metas: Sequence[Meta]) -> list[list[int]]:
    """Which captures belong together, by their places in `metas`: a list for each recording, in its order."""
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
    """Captures that are the parts of one recording, opened one after the other as `events()` gets there.

    `name`, `index` and `index_fault` are those of the first. Raises CaptureError where one is no capture.
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
