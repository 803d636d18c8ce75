# SPDX-License-Identifier: MIT
"""What a recording shows on stderr: a progress line, the target's console text, warnings.

On a terminal the progress line is redrawn in place; elsewhere it is a line of its own, rarely.
Nothing that the target sent reaches the terminal with a control sequence in it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import IO, TextIO

from tinyprof.errors import TinyprofError
from tinyprof.heat.totals import Totals
from tinyprof.tables.ledger import losses_text
from tinyprof.text import shown, shown_line

TERMINAL_SECONDS = 0.25
LOG_SECONDS = 10.0
CONSOLE_LINE_MAX = 1024


class Screen:
    """An Observer of a recording.

    `columns` is the width of the terminal, None where `out` is none. `console_file` gets the
    console text as it came; `clock` is in seconds.
    """

    def __init__(
        self,
        out: TextIO,
        columns: int | None,
        clock: Callable[[], float],
        console_file: IO[bytes] | None = None,
    ) -> None:
        self._out = out
        self._terminal = columns is not None
        self._columns = columns or 0
        self._clock = clock
        self._console_file = console_file
        self._console = b""
        self._drawn = False
        self._shown_at = clock()
        self._shown_records = 0

    def progress(self, totals: Callable[[], Totals]) -> None:
        since = self._clock() - self._shown_at
        if since < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return
        now = totals()
        line = progress_text(now, (now.records - self._shown_records) / since)
        self._shown_at, self._shown_records = self._clock(), now.records
        if self._terminal:
            # A line that wraps could not be drawn over.
            self._write(f"\r{line[: self._columns - 1]}\x1b[K")
            self._drawn = True
        else:
            self._write(line + "\n")

    def console(self, text: bytes) -> None:
        self._keep(text)
        *lines, self._console = (self._console + text).split(b"\n")
        for line in lines:
            self.say(shown_line(line))
        if len(self._console) > CONSOLE_LINE_MAX:
            self.finish()

    def _keep(self, text: bytes) -> None:
        try:
            if self._console_file:
                self._console_file.write(text)
        except OSError as error:
            self._console_file = None
            self.say(
                f"tinyprof: the console text is no longer kept: {error.strerror}; the "
                "capture has it too"
            )

    def warning(self, warning: TinyprofError) -> None:
        self.say(f"tinyprof: {shown(str(warning))}")

    def say(self, line: str) -> None:
        """A line of its own, above the progress line."""
        self._write(("\r\x1b[K" if self._drawn else "") + line + "\n")
        self._drawn = False

    def finish(self) -> None:
        """Show what is left of the console text, and leave the progress line."""
        rest, self._console = self._console, b""
        if rest:
            self.say(shown_line(rest))
        elif self._drawn:
            self._write("\n")
            self._drawn = False

    def _write(self, text: str) -> None:
        # Nobody may be there to read it any more, and the recording goes on.
        with contextlib.suppress(OSError):
            self._out.write(text)
            self._out.flush()


def progress_text(totals: Totals, rate: float) -> str:
    """Time, records a second since the last time this was shown, pages, epochs, loss."""
    return (
        f"{totals.seconds:6.1f} s {rate:7.0f} records/s {totals.records} records "
        f"{totals.pages} pages "
        f"{totals.epochs} epochs, lost: {losses_text(totals.losses)}"
    )
