# SPDX-License-Identifier: MIT
"""A profile's files as rows of a table: their classes, the RAM that they take, and the cost and
saving of XIP.

A profile and an image's stored sizes come in; rows go out. The live view and the HTML report show
the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from tinyprof.capture.index import StoredSizes
from tinyprof.pages import PAGE_SIZE, page_ranges
from tinyprof.plan.value import Candidate
from tinyprof.plan.what_if import candidates_of
from tinyprof.profile.model import FileUse, PageUse, Profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Temperature, Thresholds, temperatures
from tinyprof.rootfs.elf_names import NO_NAMES, Names
from tinyprof.rootfs.landmarks import LANDMARK
from tinyprof.text import counted

SECTIONS_SHOWN, FUNCTIONS_SHOWN = 3, 5
"""Names of a page in a line of text, at most."""

NAME_SHOWN = 48
"""Characters of a name in a line of text, at most. C++ has longer names."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file.

    - `pages`, `used`, `hot`, `warm`, `once`: number of its pages, of used ones, and by class.
    - `ram`: bytes of page cache that its used pages take while nothing is dropped.
    - `cost`, `saves`: bytes of flash, and of page cache in the steady state, if all pages with a
      value went in place. Where `exact` is not set the cost is an upper bound.
    - `classes`: the class of each used page.
    - `epochs`: number of epochs in which its pages could be seen (Profile.epochs_of()).
    - `names`: its functions and objects, of a profile that was made with symbols.
    - `steady`: number of epochs in the steady state of its boots (Profile.steady_of()).
    - `steady_ram`: bytes of page cache in the steady state: `ram`, with each page times the share
      of the steady state that used it.
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
    epochs: int = 0
    names: Names = NO_NAMES
    steady: int = 0
    steady_ram: int = 0

    @property
    def hot_share(self) -> float:
        """The share of hot pages among all its pages."""
        return self.hot / self.pages if self.pages else 0.0


def file_rows(
    profile: Profile, stored: StoredSizes, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> list[FileRow]:
    """The rows, in the order of the profile's files."""
    candidates = candidates_of(profile, stored)
    return [
        _row(profile, use, candidate, (use.sha256, use.size) in stored, thresholds)
        for use, candidate in zip(profile.files, candidates, strict=True)
    ]


def _row(
    profile: Profile, use: FileUse, candidate: Candidate, exact: bool, thresholds: Thresholds
) -> FileRow:
    classes = temperatures(profile, use, thresholds)
    found = list(classes.values())
    worth = [(page, value) for page in use.pages if (value := candidate.value(page))]
    # A page that is in place already is in the profile too, and takes no page cache.
    cached = [page for page in use.pages if candidate.stored[page] != PAGE_SIZE]
    return FileRow(
        use.path,
        len(candidate.stored),
        len(found),
        found.count(Temperature.HOT),
        found.count(Temperature.WARM),
        found.count(Temperature.ONCE),
        PAGE_SIZE * len(cached),
        sum(candidate.cost(page) for page, _ in worth),
        sum(value for _, value in worth),
        exact,
        classes,
        use,
        profile.epochs_of(use),
        _names_of(use),
        candidate.steady,
        _steady_ram(use, cached, candidate.steady),
    )


def _steady_ram(use: FileUse, cached: Sequence[int], steady: int) -> int:
    seen = sum(min(steady, use.pages[page].any.steady) for page in cached)
    return round(PAGE_SIZE * seen / steady) if steady else 0


def _names_of(use: FileUse) -> Names:
    """The functions and objects that the profile knows of a file, without landmarks."""
    known = [it for it in use.symbols if not it.name.startswith(LANDMARK)]
    return Names((), tuple(sorted(known, key=attrgetter("offset", "size", "name"))))


def page_text(row: FileRow, page: int) -> str:
    """One page in words: its place, its class, the epochs that saw it, its kinds, and its mapping
    where the source saw whole mappings."""
    use = row.use.pages.get(page)
    where = f"page {page}, offset {page * PAGE_SIZE:#x}"
    if use is None:
        return f"{where}: cold"
    seen, names = use.any, kind_names(use)
    symbols = row.names.functions_on(page)[:FUNCTIONS_SHOWN]
    return (
        f"{where}: {row.classes[page].value}, in {seen.epochs} of "
        f"{counted(row.epochs, 'epoch')} ({seen.first} to {seen.last}), {names}"
        + _mapping_text(row.use, page)
        + (f"; {', '.join(map(_cut, symbols))}" if symbols else "")
    )


def _mapping_text(file: FileUse, page: int) -> str:
    """The mapping of a page that was held the most, and its processes."""
    around = [it for it in file.mappings if it.page <= page < it.page + it.pages]
    if not around:
        return ""
    most = max(around, key=attrgetter("held"))
    pages = page_ranges(range(most.page, most.page + most.pages))
    return (
        f"; mapping of pages {pages}: {most.held / most.epochs:.1f} processes on average, "
        f"at most {most.most:,}"
    )


_KIND_NAMES = {"x": "mapped executable", "r": "mapped", "w": "written", "f": "read()"}
"""A page that was touched in an executable mapping need not have run: data lies there too."""


def kind_names(use: PageUse) -> str:
    """The kinds that a page was used as, in words."""
    return "+".join(_KIND_NAMES[letter] for letter in use.kinds)


def names_text(names: Names, page: int) -> str:
    """The sections on a page, and a few of its functions."""
    if not names.sections and not names.functions:
        return "no section headers" if names.is_elf else "no ELF file"
    sections, functions = names.sections_on(page), names.functions_on(page)
    more = len(functions) - FUNCTIONS_SHOWN
    found = [", ".join(map(_cut, sections[:SECTIONS_SHOWN])) or "no section"]
    if functions:
        named = ", ".join(map(_cut, functions[:FUNCTIONS_SHOWN]))
        found.append(named + (f" and {more} more" if more > 0 else ""))
    return ": ".join(found)


def _cut(name: str) -> str:
    return name if len(name) <= NAME_SHOWN else name[: NAME_SHOWN - 1] + "…"
