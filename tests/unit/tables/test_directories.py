# SPDX-License-Identifier: MIT
"""Files by directory: sums that add up, and no path too deep."""

from __future__ import annotations

from tinyprof.profile.model import FileUse
from tinyprof.profile.temperature import Temperature
from tinyprof.tables.directories import DEPTH_MAX, Directory, tree
from tinyprof.tables.rows import FileRow


def row(path: str, hot: int = 1) -> FileRow:
    classes = dict.fromkeys(range(hot), Temperature.HOT)
    use = FileUse(path, 4 * 4096, "", {}, ())
    return FileRow(path, 4, hot, hot, 0, 0, hot * 4096, 100, 200, True, classes, use)


def test_a_directory_has_the_sums_and_the_pages_of_its_files() -> None:
    top = tree([row("/usr/lib/a", 2), row("/usr/lib/b", 1), row("/c")], ())[0].row
    assert isinstance(top, Directory)
    assert (top.path, top.pages, top.used, top.cost, top.saves) == ("/usr/lib/", 8, 3, 200, 400)
    assert sorted(top.classes) == [0, 1, 4]


def test_files_and_directories_keep_the_order_of_what_is_first_in_them() -> None:
    lines = tree([row("/b/x"), row("/a"), row("/b/c/d/e"), row("/b/c/d/f/g")], ())
    assert [(line.depth, line.name) for line in lines] == [
        (0, "b/"),
        (1, "x"),
        (1, "c/d/"),
        (2, "e"),
        (2, "f/"),
        (3, "g"),
        (0, "a"),
    ]


def test_a_closed_directory_has_only_its_own_line() -> None:
    assert [line.name for line in tree([row("/b/x"), row("/a")], {"/b/"})] == ["b/", "a"]


def test_a_path_of_a_thousand_directories_is_listed() -> None:
    rows = [row("/d" * level + "/file") for level in range(1000)]
    lines = tree(rows, ())
    assert sum(not isinstance(line.row, Directory) for line in lines) == 1000
    assert max(line.depth for line in lines) == DEPTH_MAX
