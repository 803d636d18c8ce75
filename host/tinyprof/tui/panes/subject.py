# SPDX-License-Identifier: MIT
"""What a heat map shows: one file, or all files of the image one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tinyprof.profile.model import Profile
from tinyprof.profile.temperature import Temperature
from tinyprof.tables.intensity import steps_of
from tinyprof.tables.rows import FileRow, page_text
from tinyprof.text import shown


@dataclass(frozen=True, slots=True)
class Subject:
    """Files that a heat map shows one after the other. `name` stays the same while their pages
    change."""

    name: str
    profile: Profile
    rows: Sequence[FileRow]
    starts: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", [0, *accumulate(row.pages for row in self.rows)])

    @property
    def pages(self) -> int:
        """The number of pages of all files."""
        return self.starts[-1]

    def classes(self) -> dict[int, Temperature]:
        """Return the classes of the used pages, counted through all files."""
        found: dict[int, Temperature] = {}
        start = 0
        for row in self.rows:
            found.update((start + page, temperature) for page, temperature in row.classes.items())
            start += row.pages
        return found

    def steps(self, kind: str) -> dict[int, int]:
        """Return the steps of intensity of the used pages, counted through all files."""
        found: dict[int, int] = {}
        for start, row in zip(self.starts, self.rows, strict=False):
            found.update((start + page, step) for page, step in steps_of(row, kind).items())
        return found

    def number_at(self, page: int) -> int:
        """Return the number of the file of a page, from 0."""
        return bisect_right(self.starts, page) - 1

    def at(self, page: int) -> tuple[FileRow, int] | None:
        """Return the file of a page and the page's number in it. None: there is no such page."""
        number = self.number_at(page)
        if not 0 <= number < len(self.rows):
            return None
        return self.rows[number], page - self.starts[number]

    def text(self, page: int) -> str:
        """Return what is known of a page."""
        found = self.at(page)
        return shown(page_text(found[0], found[1])) if found else ""
