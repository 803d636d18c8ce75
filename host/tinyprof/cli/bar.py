# SPDX-License-Identifier: MIT
"""Draws a progress bar with the time left on stderr, for work that takes over a second."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


class Bar:
    """A progress bar on stderr, if that is a terminal.

    Call it with the number of things that are done and the number of all things. `clock` is in
    seconds.
    """

    WIDTH = 30
    """Characters of the bar itself."""

    INTERVAL = 0.1
    """Seconds between two drawings."""

    PATIENCE = 1.0
    """Seconds after which a bar is worth drawing."""

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._clock = title, clock
        self._shown = sys.stderr is not None and sys.stderr.isatty()
        self._began = clock()
        self._next = self._began + self.PATIENCE
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        if not self._shown or self._clock() < self._next:
            return
        self._next = self._clock() + self.INTERVAL
        share = min(1.0, done / max(total, 1))
        filled = int(self.WIDTH * share)
        bar = "#" * filled + "." * (self.WIDTH - filled)
        left = left_text((self._clock() - self._began) * (1 - share) / share) if share else ""
        # A terminal that is gone must not end the work.
        with contextlib.suppress(OSError):
            sys.stderr.write(f"\r{self._title} [{bar}] {100 * share:3.0f} %{left}\x1b[K")
            sys.stderr.flush()
        self._drawn = True

    def close(self) -> None:
        """Clear the line."""
        if self._drawn:
            self._drawn = False
            with contextlib.suppress(OSError):
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()


def left_text(seconds: float) -> str:
    """The time left in words, rounded up: `, 5 s left`, `, 3 min left`."""
    whole = int(seconds) + 1
    return f", {whole} s left" if whole < 100 else f", {-(-whole // 60)} min left"


class ReadingBar(Bar):
    """The progress of reading files, by their bytes."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__("reading")
        self._total = sum(map(_size_of, paths))
        self._done = 0

    @contextlib.contextmanager
    def opened(self, path: Path) -> Iterator[io.BufferedReader]:
        """A file whose reading the bar shows. Raises OSError."""
        # CaptureReader reads the whole file, piece after piece.
        with io.FileIO(path) as file, _Watched(file, self.add) as watched:
            yield watched

    def add(self, size: int) -> None:
        """Note bytes that were read."""
        self._done += size
        self(self._done, self._total)


class _Watched(io.BufferedReader):
    """A file that tells how many bytes are read from it."""

    def __init__(self, file: io.FileIO, told: Callable[[int], None]) -> None:
        super().__init__(file)
        self._told = told

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._told(len(data))
        return data


def _size_of(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
