# SPDX-License-Identifier: MIT
"""The differences between two profiles: both in, pages gained, lost, hotter and colder by file
out.

A file is compared with

1. the file of the same content;
2. else the file of the same path. Then its pages are compared by their place, and the file counts
   as changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tinyprof.pages import PAGE_SIZE, page_ranges
from tinyprof.profile.model import FileUse, Profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Temperature, Thresholds, temperatures
from tinyprof.tables.columns import ROWS_SHOWN, more, pages_kib, table, wrapped
from tinyprof.text import counted

_RANK = {temperature: rank for rank, temperature in enumerate(Temperature)}


@dataclass(frozen=True, slots=True)
class FileDifference:
    """Pages of one file: used only in the second profile (`gained`) or only in the first (`lost`),
    and of a hotter or a colder class in the second."""

    path: str
    changed: bool
    gained: tuple[int, ...]
    lost: tuple[int, ...]
    hotter: tuple[int, ...]
    colder: tuple[int, ...]


def differences(
    one: Profile, other: Profile, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> list[FileDifference]:
    """The files with a difference, in the order of their paths."""
    found = []
    left = {(file.sha256, file.size): file for file in other.files}
    pairs: list[tuple[FileUse | None, FileUse | None]] = []
    alone = []
    for file in one.files:
        twin = left.pop((file.sha256, file.size), None)
        if twin:
            pairs.append((file, twin))
        else:
            alone.append(file)
    by_path = {file.path: file for file in left.values()}
    pairs += [(file, by_path.pop(file.path, None)) for file in alone]
    pairs += [(None, file) for file in by_path.values()]
    for before, after in pairs:
        difference = _difference(one, before, other, after, thresholds)
        if difference.gained or difference.lost or difference.hotter or difference.colder:
            found.append(difference)
    return sorted(found, key=lambda it: it.path)


def _difference(
    one: Profile,
    before: FileUse | None,
    other: Profile,
    after: FileUse | None,
    thresholds: Thresholds,
) -> FileDifference:
    file = after or before
    assert file
    old = temperatures(one, before, thresholds) if before else {}
    new = temperatures(other, after, thresholds) if after else {}
    both = sorted(old.keys() & new.keys())
    return FileDifference(
        file.path,
        bool(before and after and before.sha256 != after.sha256),
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(page for page in both if _RANK[new[page]] < _RANK[old[page]]),
        tuple(page for page in both if _RANK[new[page]] > _RANK[old[page]]),
    )


_SUMS = ("gained", "lost", "hotter", "colder")


def difference_fields(found: list[FileDifference]) -> dict[str, Any]:
    """The fields of `tinyprof diff --json`."""
    sums = {name: sum(len(getattr(it, name)) for it in found) for name in _SUMS}
    sizes = {f"{name}_bytes": sums[name] * PAGE_SIZE for name in ("gained", "lost")}
    return {**sums, **sizes, "files": [asdict(it) for it in found]}


def difference_lines(found: list[FileDifference], *, verbose: bool = False) -> Iterator[str]:
    """The text of `tinyprof diff`. `verbose`: all files, and the numbers of their pages."""
    sums = {name: sum(len(getattr(it, name)) for it in found) for name in _SUMS}
    yield from wrapped(
        f"in {counted(len(found), 'file')}: {counted(sums['gained'], 'page')} gained "
        f"({pages_kib(sums['gained'])} KiB), {sums['lost']:,} lost "
        f"({pages_kib(sums['lost'])} KiB), {sums['hotter']:,} hotter, {sums['colder']:,} colder"
    )
    # The files that differ most come first.
    ranked = sorted(found, key=lambda it: -sum(len(getattr(it, name)) for name in _SUMS))
    files = found if verbose else ranked[:ROWS_SHOWN]
    if not files:
        return
    rows = [
        (*(f"{len(getattr(it, name)):,}" for name in _SUMS), "*" * it.changed, it.path)
        for it in files
    ]
    head, *lines = table((*_SUMS, "", "file"), rows)
    yield head
    for it, line in zip(files, lines, strict=True):
        yield line
        for name in _SUMS if verbose else ():
            if pages := getattr(it, name):
                yield from wrapped(f"{name}: {page_ranges(pages)}", "    ", "      ")
    if len(files) < len(found):
        yield more(len(found) - len(files), "file")
    if any(it.changed for it in files):
        yield "* its content has changed"
