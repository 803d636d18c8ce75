# SPDX-License-Identifier: MIT
"""What a source cannot see, in words, and its fields as JSON has them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyprof.pages import Kind
from tinyprof.wire.source import (
    ALL_KINDS,
    ALONE,
    COUNTERS,
    KERNEL_PART,
    MAPPINGS,
    PAGE_FAULTS,
    RESIDENCY,
    SAMPLED,
    TouchSource,
    other_source,
    source_fields,
    source_of,
    source_text,
)

EXACT = TouchSource(PAGE_FAULTS, 1, 12, ALL_KINDS, False)


def test_a_source_that_sees_all_has_only_a_name() -> None:
    assert source_text(EXACT) == "page-fault events"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kinds": 7}, "read() is not seen"),
        ({"kinds": 11}, "private copies for writes are not seen"),
        ({"kinds": 14}, "executable mappings are not told from others"),
        ({"kinds": 12}, "touches of mappings are not seen"),
        ({"kinds": 0, "tracer": RESIDENCY}, "kinds are not told"),
        ({"rearm": 0}, "all is one long epoch"),
        ({"around": 16}, "64 KiB at once"),
        ({"around": 20}, "1 MiB at once"),
        ({"around": 1 << 31}, "at once"),
        ({"around": 0}, "nobody knows"),
        ({"late": True}, "programs ran before the agent"),
        ({"tracer": 9}, "source 9"),
    ],
)
def test_each_blind_spot_is_said_once(changed: dict[str, int], said: str) -> None:
    text = source_text(replace(EXACT, **changed))  # type: ignore[arg-type]
    assert text.count(said) == 1
    assert text.count(";") == (changed.get("tracer") != 9)


def test_a_source_of_mappings_says_that_it_sees_no_single_page() -> None:
    text = source_text(replace(EXACT, tracer=MAPPINGS, rearm=3))
    assert text == (
        "mappings in /proc; a page counts as used while it is mapped; "
        "a program that ran between two looks is not seen"
    )


def test_program_counters_tell_only_the_code_that_is_executed_in_place() -> None:
    source = TouchSource(COUNTERS, SAMPLED, ALONE, 1 << Kind.EXEC, False)
    assert not source.misses_pages_in_place
    assert source_text(source) == (
        "program counters; only code that is executed in place is seen; "
        "pages that are only read, and pages that are not in place, are not seen"
    )


def test_only_the_kernels_own_part_is_no_other_source() -> None:
    assert other_source(None) is None
    assert other_source(replace(EXACT, tracer=KERNEL_PART)) is None
    assert other_source(EXACT) is EXACT
    assert not replace(EXACT, tracer=KERNEL_PART, rearm=0).is_one_epoch


def test_the_fields_come_back() -> None:
    for kinds in range(ALL_KINDS + 1):
        source = replace(EXACT, kinds=kinds, late=bool(kinds % 2))
        assert source_of(source_fields(source)) == source
