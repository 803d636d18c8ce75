# SPDX-License-Identifier: MIT
"""A profile's files as a table shows them: with their classes, the RAM they take, and what XIP would cost.

A profile and an image's stored sizes come in; rows go out. The live view and the HTML report show the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinyprof.cramfs import PAGE_SIZE
from tinyprof.profile import FileUse, PageUse, Profile
from tinyprof.temperature import DEFAULT_LIMITS, Limits, Temperature, temperatures
from tinyprof.whatif import StoredSizes, candidates_of
from tinyprof.worth import Candidate


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file. `ram`: bytes of page cache that its used pages take while nothing is dropped.

    `cost` and `saves`: bytes of flash, and of page cache in the steady state, if all that is worth anything
    went in place; the cost is an upper bound where `exact` is not set. `classes` has the used pages.
    """

    path: str
    pages: int
    used: int
    hot: int
    warm: int
    once: int
    ram: int
    cost: int
    saves: int
    exact: bool
    classes: Mapping[int, Temperature]
    use: FileUse

    @property
    def hot_share(self) -> float:
        """Hot pages of all its pages."""
        return self.hot / self.pages if self.pages else 0.0


def file_rows(profile: Profile, stored: StoredSizes, limits: Limits = DEFAULT_LIMITS) -> list[FileRow]:
    """The rows, in the order of the profile's files."""
    candidates = candidates_of(profile, stored)
    return [
        _row(profile, use, candidate, (use.sha256, use.size) in stored, limits)
        for use, candidate in zip(profile.files, candidates, strict=True)
    ]


def _row(profile: Profile, use: FileUse, candidate: Candidate, exact: bool, limits: Limits) -> FileRow:
    classes = temperatures(profile, use, limits)
    found = list(classes.values())
    worth = [(page, value) for page in use.pages if (value := candidate.value(page))]
    return FileRow(
        use.path,
        len(candidate.stored),
        len(found),
        found.count(Temperature.HOT),
        found.count(Temperature.WARM),
        found.count(Temperature.ONCE),
        # A page that is in place already is still in the profile, and takes no page cache.
        sum(PAGE_SIZE for page in use.pages if candidate.stored[page] != PAGE_SIZE),
        sum(candidate.cost(page) for page, _ in worth),
        sum(value for _, value in worth),
        exact,
        classes,
        use,
    )


def page_text(row: FileRow, profile: Profile, page: int) -> str:
    """What is known of one page, in words: where it is, its class, when it was used and as what."""
    use = row.use.pages.get(page)
    where = f"page {page}, offset {page * PAGE_SIZE:#x}"
    if use is None:
        return f"{where}: cold"
    seen, names = use.any, kind_names(use)
    symbols = functions_on(row.use, page)
    return (
        f"{where}: {row.classes[page].value}, in {seen.epochs} of {profile.epochs_of(row.use)} epochs "
        f"({seen.first} to {seen.last}), {names}" + (f"; {', '.join(symbols)}" if symbols else "")
    )


_KIND_NAMES = {"x": "executed", "r": "read", "w": "written", "f": "read()"}


def kind_names(use: PageUse) -> str:
    """The ways in which a page was used."""
    return "+".join(_KIND_NAMES[letter] for letter in use.kinds)


def functions_on(use: FileUse, page: int) -> list[str]:
    """The functions and objects that lie on a page, where someone looked them up."""
    start = page * PAGE_SIZE
    return [it.name for it in use.symbols if it.offset < start + PAGE_SIZE and it.offset + it.size > start]
