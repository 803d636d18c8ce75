# SPDX-License-Identifier: MIT
"""Intensity is the share of epochs, by kind, in eight steps."""

from __future__ import annotations

from tinyprof.heat.losses import NO_LOSSES
from tinyprof.profile.model import BootFacts, FileUse, PageUse, PhaseFacts, Profile, Seen
from tinyprof.tables.directories import tree
from tinyprof.tables.intensity import steps_of, strongest
from tinyprof.tables.rows import FileRow, file_rows

IMAGE = "00000001/0/1/1"


def seen(epochs: int, steady: int) -> Seen:
    return Seen(epochs, steady, 1, 16, 1, 1, 1)


def rows_of(steady: int) -> list[FileRow]:
    phases = (PhaseFacts("", 1, 16 - steady, 3, False), PhaseFacts("", 5, steady, 0, True))
    boot = BootFacts(IMAGE, "6.1", 16, NO_LOSSES, phases)
    pages = {
        0: PageUse("", {"x": seen(16, 8)}),
        1: PageUse("", {"f": seen(4, 1)}),
        2: PageUse("", {"x": seen(1, 0)}),
        4: PageUse("", {"x": seen(8, 4), "f": seen(1, 1), "*": seen(9, 5)}),
    }
    files = [FileUse(path, 5 * 4096, path, pages, (IMAGE,)) for path in ("/d/a", "/d/b")]
    return file_rows(Profile((boot,), 0, tuple(files)), {})


def test_a_step_is_an_eighth_of_the_steady_state() -> None:
    row = rows_of(8)[0]
    assert steps_of(row) == {0: 8, 1: 1, 2: 1, 4: 5}


def test_a_kind_shows_only_pages_that_were_used_so() -> None:
    row = rows_of(8)[0]
    assert steps_of(row, "x") == {0: 8, 2: 1, 4: 4}
    assert steps_of(row, "f") == {1: 1, 4: 1}
    assert steps_of(row, "w") == {}


def test_without_a_steady_state_the_share_is_of_all_epochs() -> None:
    assert steps_of(rows_of(0)[0])[0] == 8
    assert steps_of(rows_of(0)[0])[1] == 2


def test_a_directory_has_its_files_one_after_the_other() -> None:
    directory = tree(rows_of(8), ())[0].row
    assert steps_of(directory)[5] == 8
    assert strongest(steps_of(directory), 10, 5) == [8, 1, 8, 1, 5]
