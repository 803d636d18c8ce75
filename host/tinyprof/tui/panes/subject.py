# SPDX-License-Identifier: MIT
"""What a heat map shows: one file, or all files of the image one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tinyprof.profile.model import Profile
from tinyprof.profile.temperature import Temperature
from tinyprof.tables.rows import FileRow, page_text
from tinyprof.text import shown


@dataclass(frozen=True, slots=True)
class Subject:
    """Files that a heat map shows one after the other. `name` stays the same while their pages
    change."""

    name: str
    profile: Profile
    rows: Sequence[FileRow]

    @property
    def pages(self) -> int:
        """The number of pages of all files."""
        return sum(row.pages for row in self.rows)

    def classes(self) -> dict[int, Temperature]:
        """Return the classes of the used pages, counted through all files."""
        found: dict[int, Temperature] = {}
        start = 0
        for row in self.rows:
            found.update((start + page, temperature) for page, temperature in row.classes.items())
            start += row.pages
        return found

    def at(self, page: int) -> tuple[FileRow, int] | None:
        """Return the file of a page and the page's number in it. None: there is no such page."""
        starts = [0, *accumulate(row.pages for row in self.rows)]
        number = bisect_right(starts, page) - 1
        if not 0 <= number < len(self.rows):
            return None
        return self.rows[number], page - starts[number]

    def text(self, page: int) -> str:
        """Return what is known of a page."""
        found = self.at(page)
        return shown(page_text(found[0], found[1])) if found else ""
