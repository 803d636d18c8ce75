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

from tinyprof.pages import page_ranges
from tinyprof.profile.model import FileUse, Profile
from tinyprof.profile.temperature import DEFAULT_THRESHOLDS, Temperature, Thresholds, temperatures
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


def difference_fields(found: list[FileDifference]) -> dict[str, Any]:
    """The fields of `tinyprof diff --json`."""
    sums = {
        name: sum(len(getattr(it, name)) for it in found)
        for name in ("gained", "lost", "hotter", "colder")
    }
    return {**sums, "files": [asdict(it) for it in found]}


def difference_lines(found: list[FileDifference]) -> Iterator[str]:
    """The text of `tinyprof diff`."""
    yield "gained  lost hotter colder  path"
    for it in found:
        changed = "  (its content has changed)" if it.changed else ""
        counts = f"{len(it.gained):6}{len(it.lost):6}{len(it.hotter):7}{len(it.colder):7}"
        yield f"{counts}  {it.path}{changed}"
        for name in ("gained", "lost", "hotter", "colder"):
            if pages := getattr(it, name):
                yield f"          {name}: {page_ranges(pages)}"
    sums = difference_fields(found)
    yield (
        f"{sums['gained']:6}{sums['lost']:6}{sums['hotter']:7}{sums['colder']:7}  in "
        f"{counted(len(found), 'file')}"
    )
