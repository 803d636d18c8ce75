# SPDX-License-Identifier: MIT
"""Text tables of a terminal's width: heads and rows in, lines out.

Numbers stand to the right, the last column to the left. It is a name, and loses its begin where
the line has no room for it. Names come as they are, and are made harmless here.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence

from tinyprof.pages import PAGE_SIZE
from tinyprof.text import counted, shown

WIDTH = 80
"""Columns of a line of text."""

ROWS_SHOWN = 20
"""Rows of a table that are shown without -v."""


def kib(size: int) -> str:
    """Bytes as whole KiB: 1,234."""
    return f"{round(size / 1024):,}"


def signed_kib(size: int) -> str:
    """A change in bytes as whole KiB: +12, −3, 0."""
    number = round(size / 1024)
    return f"+{number:,}" if number > 0 else f"−{-number:,}" if number else "0"


def pages_kib(pages: int) -> str:
    """A number of pages as KiB."""
    return kib(pages * PAGE_SIZE)


def share(part: float, whole: float) -> float:
    """A part of a whole; 0 where there is no whole. For JSON, to four places."""
    return round(part / whole, 4) if whole else 0.0


def percent(part: float, whole: float, places: int = 0) -> str:
    """A part of a whole in words: 12 %."""
    return f"{100 * share(part, whole):.{places}f} %"


def signed_percent(change: float, whole: float) -> str:
    """A change in percent of what it was before: +3.8 %, −84.0 %."""
    number = 100 * share(change, whole)
    return f"{'−' if number < 0 else '+' if number else ''}{abs(number):.1f} %"


def cells(text: str) -> int:
    """The columns that a text takes. A wide character takes two."""
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def fitted(name: str, width: int) -> str:
    """A name, harmless for a terminal, without its begin where it is wider than `width`."""
    text = shown(name)
    if cells(text) <= width:
        return text
    room, start = width - 1, len(text)
    while start and (room := room - cells(text[start - 1])) >= 0:
        start -= 1
    return f"…{text[start:]}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for the heads and one for each row. The last column has the names."""
    columns = range(len(heads) - 1)
    widths = [max(map(len, [heads[at], *(row[at] for row in rows)])) for at in columns]
    left = WIDTH - sum(widths) - 2 * len(widths)
    for row in [heads, *rows]:
        numbers = "".join(f"{row[at]:>{widths[at]}}  " for at in columns)
        yield f"{numbers}{fitted(row[-1], left)}"


def more(count: int, noun: str, rest: str = "") -> str:
    """The line that stands for rows that are not shown."""
    return f"and {counted(count, f'more {noun}')}{rest}; -v shows all"


def wrapped(text: str, indent: str = "", further: str | None = None) -> Iterator[str]:
    """A text in lines of WIDTH columns. Words that are longer stay whole.

    `indent` stands before the first line, `further` before the others.
    """
    yield from textwrap.wrap(
        shown(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if further is None else further,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [indent]
