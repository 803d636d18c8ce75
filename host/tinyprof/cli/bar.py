# SPDX-License-Identifier: MIT
"""Draws a progress bar on stderr."""

from __future__ import annotations

import sys
import time


class Bar:
    """A progress bar on stderr, if that is a terminal.

    Call it with the number of things that are done and the number of all things.
    """

    WIDTH = 40
    """Characters of the bar itself."""

    INTERVAL = 0.1
    """Seconds between two drawings."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        if not self._shown or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self.INTERVAL
        filled = self.WIDTH * done // max(total, 1)
        bar = "#" * filled + "." * (self.WIDTH - filled)
        sys.stderr.write(f"\r{self._title} [{bar}] {100 * done // max(total, 1):3} %")
        sys.stderr.flush()

    def close(self) -> None:
        """Clear the line."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
