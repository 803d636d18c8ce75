# SPDX-License-Identifier: MIT
"""A page in words, as the live view and the HTML report tell it."""

from __future__ import annotations

from dataclasses import replace

from tinyprof.heat.losses import NO_LOSSES
from tinyprof.profile.mappings import MappingUse
from tinyprof.profile.model import BootFacts, FileUse, PageUse, PhaseFacts, Profile, Seen
from tinyprof.tables.rows import file_rows, page_text

IMAGE = "00000001/0/1/1"
BOOT = BootFacts(IMAGE, "6.1", 8, NO_LOSSES, (PhaseFacts("", 1, 8, 3, True),))
PAGES = {1: PageUse("", {"x": Seen(8, 8, 1, 8, 1, 1, 1)})}
PROGRAM = FileUse("/program", 5 * 4096, "hash", PAGES, (IMAGE,))


def text_of(file: FileUse, page: int) -> str:
    (row,) = file_rows(Profile((BOOT,), 0, (file,)), {})
    return page_text(row, page)


def test_a_page_that_nobody_used_is_cold() -> None:
    assert text_of(PROGRAM, 2) == "page 2, offset 0x2000: cold"


def test_a_used_page_has_its_epochs_and_kinds() -> None:
    assert text_of(PROGRAM, 1).endswith("in 8 of 8 epochs (1 to 8), mapped executable")


def test_of_whole_mappings_the_one_that_was_held_most_is_told() -> None:
    mappings = (
        MappingUse(0, 3, 8, 8, 12, 12, 2),
        MappingUse(1, 1, 1, 0, 1, 0, 1),
        MappingUse(3, 2, 8, 8, 80, 80, 10),
    )
    text = text_of(replace(PROGRAM, mappings=mappings), 1)
    assert text.endswith("; mapping of pages 0-2: 1.5 processes on average, at most 2")
