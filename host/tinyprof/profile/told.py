# SPDX-License-Identifier: MIT
"""Finds the files that a target told in the index of a tree: both in, files with their page ids
out, and the reason for each told file that is not there.

A told file is the tree's file of its path and size. Links on the way are followed inside the tree,
as the kernel would with the tree as its root. Nothing is read here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from tinyprof.capture.index import ImageIndex, IndexedFile
from tinyprof.heat.told_files import ToldFile
from tinyprof.wire.messages import SIZE_UNKNOWN

LINKS_MAX = 40
"""Links that the kernel follows on one path at most (MAXSYMLINKS)."""

DELETED_MARK = " (deleted)"
"""The end of a path whose name is gone (the kernel's d_path())."""

_SPECIAL = ("//", "/memfd:", "/dev/", "/proc/", "/sys/", "/SYSV", "/anon_hugepage", "/[")
"""Beginnings of names that are no files of a tree: anonymous memory, devices, shared memory."""


class Absence(Enum):
    """Why a told file is no file of the tree, in words that follow a number of files."""

    MISSING = "not in the tree"
    RESIZED = "of another size in the tree"
    DELETED = "deleted before or while it was recorded"
    SPECIAL = "no file of a tree (memory, devices)"


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file of an index, the id of its page 0, and the ids of its used pages, sorted."""

    file: IndexedFile
    first: int
    used: Sequence[int]


@dataclass(frozen=True, slots=True)
class ToldMatch:
    """The told files of a boot that have used pages.

    - `placed`: those of the tree.
    - `absent`: the paths of the others by reason, each with the number of its used pages.
    - `several`: paths of the tree under which several files of the target were told, such as those
      of containers. They count as one file.
    - `by_path`: files whose size the target did not know. Their path alone decided.
    """

    placed: tuple[PlacedFile, ...]
    absent: Mapping[Absence, Mapping[str, int]]
    several: tuple[str, ...] = ()
    by_path: int = 0

    @property
    def pages(self) -> int:
        """Number of used pages of the files of the tree."""
        return sum(len(it.used) for it in self.placed)

    @property
    def absent_pages(self) -> int:
        """Number of used pages of the other files."""
        return sum(sum(paths.values()) for paths in self.absent.values())


def match_told(
    index: ImageIndex, files: Iterable[ToldFile], page_ids: Collection[int]
) -> ToldMatch:
    """Find the told files with used pages in the index of a tree.

    A file that was told several times, because it grew, counts if one of its sizes is the tree's.
    """
    files = list(files)
    sizes: dict[tuple[int, int, str], set[int]] = defaultdict(set)
    for file in files:
        sizes[_identity(file)].add(file.size)
    paths, used = _Paths(index), sorted(page_ids)
    placed: list[PlacedFile] = []
    absent: dict[Absence, dict[str, int]] = {reason: {} for reason in Absence}
    told_as: dict[str, set[tuple[int, int]]] = defaultdict(set)
    by_path = 0
    for file in files:
        its_pages = _between(used, file.page_ids)
        if not its_pages:
            continue
        found = paths.find(file.path)
        told_sizes = sizes[_identity(file)]
        if found and (found.size in told_sizes or SIZE_UNKNOWN in told_sizes):
            placed.append(PlacedFile(found, file.page_id, its_pages))
            told_as[found.path].add((file.device, file.inode))
            by_path += found.size not in told_sizes
        else:
            group = absent[_reason(file.path, found)]
            group[file.path] = group.get(file.path, 0) + len(its_pages)
    several = tuple(sorted(path for path, ids in told_as.items() if len(ids) > 1))
    return ToldMatch(tuple(placed), absent, several, by_path)


def _identity(file: ToldFile) -> tuple[int, int, str]:
    return file.device, file.inode, file.path


def _between(used: Sequence[int], page_ids: range) -> Sequence[int]:
    """The used pages of a range. A range may be larger than any file, so it is not walked."""
    return used[bisect_left(used, page_ids.start) : bisect_left(used, page_ids.stop)]


def _reason(path: str, found: IndexedFile | None) -> Absence:
    if found:
        return Absence.RESIZED
    if not path.startswith("/") or path.startswith(_SPECIAL):
        return Absence.SPECIAL
    return Absence.DELETED if path.endswith(DELETED_MARK) else Absence.MISSING


class _Paths:
    """The files of a tree by path. Each link is resolved once, whatever the number of paths."""

    def __init__(self, index: ImageIndex) -> None:
        self._files = {file.path: file for file in index.files}
        self._links = {link.path: link.target for link in index.links or ()}
        self._leads_to: dict[str, str | None] = {}

    def find(self, path: str) -> IndexedFile | None:
        """The file that a path leads to, or None. No link leads out of the tree."""
        place = self._walk("", path, 0)
        return None if place is None else self._files.get(place)

    def _walk(self, at: str, path: str, followed: int) -> str | None:
        """The path without links that another one leads to from `at`, which has none."""
        for part in path.split("/"):
            if part in ("", "."):
                continue
            if part == "..":
                at = at.rpartition("/")[0]
                continue
            here = f"{at}/{part}"
            place = self._follow(at, here, followed + 1) if here in self._links else here
            if place is None:
                return None
            at = place
        return at

    def _follow(self, at: str, link: str, followed: int) -> str | None:
        """The path that a link in the directory `at` leads to. A circle leads nowhere."""
        if link not in self._leads_to:
            self._leads_to[link] = None
            target = self._links[link]
            if followed <= LINKS_MAX:
                start = "" if target.startswith("/") else at
                self._leads_to[link] = self._walk(start, target, followed)
        return self._leads_to[link]
