# SPDX-License-Identifier: MIT
"""What a plan cannot know is said by source, and of how many boots."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.stock_target import LONG, SOURCE
from tinyprof.heat.losses import NO_LOSSES
from tinyprof.profile.model import BootFacts
from tinyprof.report.sources import source_lines, source_rows
from tinyprof.wire.source import ALL_KINDS, COUNTERS, MAPPINGS, RESIDENCY, TouchSource

EXACT = BootFacts("0000000a/1/2/3", "6.1", 1, NO_LOSSES)


def boot(source: TouchSource, in_place: int = 0) -> BootFacts:
    return replace(EXACT, source=source, in_place=in_place)


def test_boots_of_the_kernels_own_part_have_no_line() -> None:
    assert not list(source_lines([EXACT, EXACT]))
    assert source_rows([EXACT]) == []


def test_each_source_is_named_once_with_its_boots() -> None:
    boots = [EXACT, boot(SOURCE, 3), boot(LONG), boot(SOURCE, 5)]
    first, *_ = lines = list(source_lines(boots))
    assert "page-fault events in 2 of 4 boots" in first
    assert sum("recorded by" in line for line in lines) == 2
    assert " ".join(" ".join(lines).split()).count("had 5 pages in place") == 1
    assert [(row["boots"], row["in_place"]) for row in source_rows(boots)] == [(2, 5), (1, 0)]


@pytest.mark.parametrize(
    ("changed", "unknown"),
    [
        ({}, []),
        ({"kinds": ALL_KINDS & ~8}, ["file"]),
        ({"kinds": 0, "tracer": RESIDENCY}, ["file", "write"]),
        ({"rearm": 0, "around": 16}, ["classes"]),
        ({"around": 16}, ["epochs"]),
        ({"around": 0}, ["epochs"]),
        ({"late": True}, ["start"]),
        ({"tracer": MAPPINGS, "rearm": 3}, ["mappings"]),
        ({"tracer": COUNTERS, "rearm": 4, "kinds": 1}, ["file", "write", "elsewhere"]),
    ],
)
def test_a_program_is_told_what_is_unknown(changed: dict[str, int], unknown: list[str]) -> None:
    exact = replace(SOURCE, kinds=ALL_KINDS)
    source = replace(exact, **changed)  # type: ignore[arg-type]
    (row,) = source_rows([boot(source)])
    assert row["unknown"] == unknown
    # Each thing begins with four spaces; a line that goes on has more, or none.
    lines = [line for line in source_lines([boot(source)]) if len(line) - len(line.lstrip()) == 4]
    assert len(lines) == len(unknown)
