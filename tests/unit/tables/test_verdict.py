# SPDX-License-Identifier: MIT
"""The verdict names the knee, shares of the right whole, and whether figures may be final."""

from __future__ import annotations

import pytest

from tinyprof.heat.losses import NO_LOSSES
from tinyprof.plan.what_if import Point, Step, WhatIf
from tinyprof.profile.model import BootFacts, FileUse, PageUse, PhaseFacts, Profile, Seen
from tinyprof.tables.rows import file_rows
from tinyprof.tables.verdict import Base, base_of, cost_words, has_settled, saved_words, verdict_of
from tinyprof.wire.source import TouchSource

IMAGE = "00000001/0/1/1"


def profile_of(*phases: PhaseFacts, source: TouchSource | None = None) -> Profile:
    boot = BootFacts(IMAGE, "6.1", 8, NO_LOSSES, phases, source=source)
    return Profile((boot,), 0, ())


def test_the_knee_is_the_cheapest_point_with_nine_tenths_of_the_saving() -> None:
    steps = [Step(100, saves, "/x", (n,), 1, n) for n, saves in enumerate((800, 100, 60, 40))]
    found = verdict_of(WhatIf(steps))
    assert (found.most, found.knee) == (Point(4, 400, 1000), Point(2, 200, 900))


def test_shares_are_of_the_steady_page_cache_and_of_the_image() -> None:
    base = Base(ram=4000 * 1024, image=10_000 * 1024)
    point = Point(1, 500 * 1024, 3000 * 1024)
    assert saved_words(point, base) == "3,000 KiB, 75 %"
    assert cost_words(point, base, exact=True) == "500 KiB, 5 %"
    assert cost_words(point, Base(), exact=False) == "≤ 500 KiB"


def test_the_steady_page_cache_weighs_each_page_by_its_share_of_the_steady_state() -> None:
    phases = (PhaseFacts("", 1, 4, 3, False), PhaseFacts("", 5, 4, 0, True))
    seen = {0: 4, 1: 2, 2: 0}
    pages = {
        page: PageUse("", {"x": Seen(steady + 1, steady, 1, 8, 1, 1, 1)})
        for page, steady in seen.items()
    }
    boot = BootFacts(IMAGE, "6.1", 8, NO_LOSSES, phases)
    file = FileUse("/x", 3 * 4096, "aa", pages, (IMAGE,))
    rows = file_rows(Profile((boot,), 0, (file,)), {})
    assert base_of(rows, 7) == Base(4096 * 6 // 4, 7)
    assert (rows[0].ram, rows[0].steady) == (3 * 4096, 4)


ALL = PhaseFacts("", 1, 8, 9, True)
START, STEADY = PhaseFacts("", 1, 4, 9, False), PhaseFacts("", 5, 4, 0, True)
NEVER_TWICE = TouchSource(2, 0, 0, 1, False)


@pytest.mark.parametrize(
    ("phases", "settled"),
    [((), False), ((ALL,), False), ((START, STEADY), True), ((START,), False)],
)
def test_figures_may_be_final_once_a_steady_state_is_told_from_the_start(
    phases: tuple[PhaseFacts, ...], settled: bool
) -> None:
    assert has_settled(profile_of(*phases)) is settled


def test_a_source_that_sees_no_page_twice_has_nothing_to_wait_for() -> None:
    assert has_settled(profile_of(PhaseFacts("", 1, 1, 9, True), source=NEVER_TWICE))
    assert not has_settled(profile_of(source=NEVER_TWICE))


def test_a_mark_that_names_the_steady_state_is_enough() -> None:
    assert has_settled(profile_of(PhaseFacts("steady", 1, 1, 9, True)))
    assert not has_settled(None)
