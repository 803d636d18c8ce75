# SPDX-License-Identifier: MIT
"""Files by directory: rows of files in, a tree with a line for each directory and file out.

A directory's figures are the sums of all files below it. A directory that holds only another
directory has no line of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tinyprof.profile.temperature import Temperature
from tinyprof.tables.rows import FileRow

DEPTH_MAX = 64
"""Directories. Files that lie deeper stand in one list: a path may have 32,767 directories."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory as a row.

    `rows` are the files below it. `classes` has their pages, one file after the other. The other
    figures are sums of those of FileRow.
    """

    path: str
    rows: tuple[FileRow, ...]
    pages: int
    used: int
    hot: int
    ram: int
    cost: int
    saves: int
    exact: bool
    classes: Mapping[int, Temperature]

    @property
    def hot_share(self) -> float:
        """The share of hot pages among all pages of its files."""
        return self.hot / self.pages if self.pages else 0.0


Row = FileRow | Directory


@dataclass(frozen=True, slots=True)
class Line:
    """A row, its depth in the tree, and its name there."""

    row: Row
    depth: int
    name: str


def flat(rows: Sequence[FileRow]) -> list[Line]:
    """The lines without a tree: each file by its whole path."""
    return [Line(row, 0, row.path) for row in rows]


def tree(rows: Sequence[FileRow], closed: Collection[str]) -> list[Line]:
    """The lines of the tree, from the top.

    Files and directories stand in the order in which `rows` first name a file of theirs. A
    directory in `closed` has only its own line.
    """
    return list(_lines(rows, "/", 0, closed))


def _lines(
    rows: Sequence[FileRow], top: str, depth: int, closed: Collection[str]
) -> Iterator[Line]:
    below: dict[str, list[FileRow]] = {}
    for row in rows:
        name, slash, _ = row.path[len(top) :].partition("/")
        below.setdefault(name + slash, []).append(row)
    for name, found in below.items():
        if not name.endswith("/") or depth == DEPTH_MAX:
            yield from (Line(row, depth, row.path[len(top) :]) for row in found)
            continue
        path = top + _shared_start(found, len(top), name)
        yield Line(_directory(path, found), depth, path[len(top) :])
        if path not in closed:
            yield from _lines(found, path, depth + 1, closed)


def _shared_start(rows: Sequence[FileRow], start: int, name: str) -> str:
    """The name of a directory, and of those below it while each holds only one directory."""
    while True:
        after = start + len(name)
        nexts = {row.path[after:].partition("/")[:2] for row in rows}
        if len(nexts) > 1:
            return name
        (part, slash) = nexts.pop()
        if not slash:
            return name
        name += part + slash


def _directory(path: str, rows: Sequence[FileRow]) -> Directory:
    classes: dict[int, Temperature] = {}
    pages = 0
    for row in rows:
        classes.update((pages + page, temperature) for page, temperature in row.classes.items())
        pages += row.pages

    def total(figure: Callable[[FileRow], int]) -> int:
        return sum(map(figure, rows))

    return Directory(
        path,
        tuple(rows),
        pages,
        total(lambda row: row.used),
        total(lambda row: row.hot),
        total(lambda row: row.ram),
        total(lambda row: row.cost),
        total(lambda row: row.saves),
        all(row.exact for row in rows),
        classes,
    )
