# SPDX-License-Identifier: MIT
"""Text tables: every line fits a terminal of 80 columns, for the recorded boot too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from support.profile_cases import STEADY
from tinyprof.capture.reader import CaptureReader
from tinyprof.pages import pages_in
from tinyprof.plan.planner import Plan, PlannedFile
from tinyprof.plan.prediction import Prediction
from tinyprof.profile.model import Profile
from tinyprof.profile.resolve import make_profile
from tinyprof.record.sim import RECORDED
from tinyprof.report.differences import difference_lines, differences
from tinyprof.report.plans import curve_lines, plan_lines
from tinyprof.report.summary import summarize, summary_lines
from tinyprof.rootfs.match import Match
from tinyprof.tables.columns import ROWS_SHOWN, WIDTH, cells, fitted, signed_percent, table


@pytest.fixture(scope="module")
def reference() -> Profile:
    with RECORDED.open("rb") as file:
        return make_profile([CaptureReader(file)])


def too_wide(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if cells(line) > WIDTH]


def plan_of(profile: Profile) -> Plan:
    """A plan of every second used page, with large figures."""
    files = tuple(
        PlannedFile(
            file.path,
            pages_in(file.size),
            tuple(sorted(file.pages))[::2],
            STEADY,
            len(file.pages) * 4096,
            len(file.pages) * 4096,
            {"saves less RAM for its flash than the chosen pages": tuple(file.pages)[1::2]},
        )
        for file in profile.files
    )
    before = 272 << 20
    prediction = Prediction(before - 4096, before, 69_632, 1 << 27, before, 1 << 20, before, 136)
    pages = {file.path: frozenset(file.chosen) for file in files}
    return Plan("mainline", pages, files, prediction, 9, 0.99, 0.98, Match((), {}), split=True)


def halved(profile: Profile) -> Profile:
    """Other contents of the same paths, with every second used page."""
    files = (
        replace(file, sha256="0" * 64, pages=dict(list(file.pages.items())[::2]))
        for file in profile.files
    )
    return replace(profile, files=tuple(files))


@pytest.mark.parametrize("verbose", [False, True])
def test_tables_of_the_recorded_boot_fit_a_terminal(reference: Profile, verbose: bool) -> None:
    summary = summarize(reference)
    assert not too_wide(summary_lines(summary, verbose=verbose))
    found = differences(reference, halved(reference))
    assert not too_wide(difference_lines(found, verbose=verbose))
    plan = plan_of(reference)
    assert not too_wide(plan_lines(plan, verbose=verbose))
    assert not too_wide(curve_lines([plan, plan]))


def test_a_long_table_ends_in_the_number_of_rows_that_it_leaves_out(reference: Profile) -> None:
    lines = list(summary_lines(summarize(reference)))
    left = len(reference.files) - ROWS_SHOWN
    assert left > 1
    assert any(line.startswith(f"and {left} more files with ") for line in lines), lines
    everything = "\n".join(summary_lines(summarize(reference), verbose=True))
    assert all(file.path.rpartition("/")[2] in everything for file in reference.files)


def test_a_name_loses_its_begin_and_every_character_that_a_terminal_would_obey() -> None:
    assert fitted("/usr/lib/libsqlite3.so", 14) == "…libsqlite3.so"
    assert fitted("/a\x1b[2J", 20) == r"/a\x1b[2J"
    assert cells(fitted("/日本語/日本語", 8)) <= 8


def test_columns_stand_under_their_heads() -> None:
    assert list(table(("KiB", "file"), [("1", "/a"), ("1,234", "/b")])) == [
        "  KiB  file",
        "    1  /a",
        "1,234  /b",
    ]


@pytest.mark.parametrize(
    ("change", "whole", "said"), [(1, 10, "+10.0 %"), (-1, 3, "−33.3 %"), (5, 0, "0.0 %")]
)
def test_a_change_is_told_in_percent_of_what_was_there(change: int, whole: int, said: str) -> None:
    assert signed_percent(change, whole) == said
