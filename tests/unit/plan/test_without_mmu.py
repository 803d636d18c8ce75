# SPDX-License-Identifier: MIT
"""Plans for kernels without an MMU: whole mappings, weighed by their copies and their time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from support.profile_cases import STEADY, program_head, use
from tinyprof.cramfs.kernel import judge
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.planner import Budget, Plan, Planner
from tinyprof.plan.value import ONCE_SHARE, Candidate
from tinyprof.profile.mappings import MappingUse
from tinyprof.profile.model import PageUse
from tinyprof.report.plans import plan_lines
from tinyprof.rootfs.match import Counts, FoundFile, Match

PAGES = 4
"""Pages of each program's text."""


def text(steady: int, held: int, most: int) -> MappingUse:
    """The mapping of a program's text: in so many steady epochs, by so many processes in all."""
    return MappingUse(0, PAGES, STEADY, steady, held, held, most)


def candidate(mapping: MappingUse | None, processes: int | None = None) -> Candidate:
    uses: Mapping[int, PageUse] = {page: use(x=10) for page in range(PAGES)}
    size = PAGES * PAGE_SIZE + 100
    return Candidate(
        "/f",
        size,
        program_head(PAGES),
        [2000] * (PAGES + 1),
        uses,
        STEADY,
        processes,
        "nommu",
        (mapping,) if mapping else (),
    )


def test_a_page_is_worth_the_copies_that_the_steady_state_holds() -> None:
    file = candidate(text(steady=10, held=25, most=3))
    assert [file.value(page) for page in range(PAGES + 1)] == [10240] * PAGES + [0]


def test_a_mapping_of_the_start_is_worth_little() -> None:
    assert candidate(text(steady=0, held=0, most=1)).value(0) == round(PAGE_SIZE * ONCE_SHARE)


def test_where_no_mappings_were_seen_each_process_counts_as_a_copy() -> None:
    assert candidate(None, processes=3).value(0) == 3 * PAGE_SIZE
    assert candidate(None).value(0) == PAGE_SIZE


def test_with_an_mmu_processes_share_a_page() -> None:
    file = replace(candidate(text(steady=10, held=30, most=3)), kernel="mainline")
    assert file.value(0) == PAGE_SIZE


def test_one_byte_more_is_what_a_mapping_that_ends_the_file_needs() -> None:
    wanted = range(PAGES)
    flat = b"bFLT" + bytes(8) + (PAGES * PAGE_SIZE).to_bytes(4, "big") + bytes(48)
    verdict = judge("nommu", flat, PAGES * PAGE_SIZE, wanted)
    assert not verdict.in_place
    assert "one byte more at the file's end would put it in place" in verdict.refused[0]
    assert judge("nommu", flat, PAGES * PAGE_SIZE + 1, wanted).in_place == set(wanted)
    missing = judge("nommu", flat, PAGES * PAGE_SIZE, range(PAGES - 2))
    assert "together or not at all" in missing.refused[0]


class Memory:
    """A cache of blocks."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._blocks.get(key)

    def put(self, key: bytes, block: bytes) -> None:
        self._blocks[key] = block


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Three programs, alike but for one byte."""
    top = tmp_path / "tree"
    top.mkdir()
    for number in range(3):
        body = bytes(PAGES * PAGE_SIZE - len(program_head(PAGES)))
        (top / f"p{number}").write_bytes(program_head(PAGES) + body + bytes([number]) * 3000)
    return Tree.from_directory(top, squash=True)


def plan_of(tree: Tree, mappings: Sequence[MappingUse], budget: Budget) -> Plan:
    files = tuple(
        FoundFile(
            node,
            {page: use(x=10) for page in range(PAGES)},
            STEADY,
            Counts(same=PAGES),
            mapping.most,
            (mapping,),
        )
        for node, mapping in zip(tree.files(), mappings, strict=True)
    )
    options = WriteOptions(kernel="nommu")
    return Planner(tree, Match(files, {}), options, Memory()).plan(budget)


def test_flash_goes_to_the_mapping_with_the_most_copies_for_the_longest_time(tree: Tree) -> None:
    held = [text(10, 10, 1), text(10, 40, 4), text(2, 4, 2)]
    plan = plan_of(tree, held, Budget(flash=(PAGES + 1) * PAGE_SIZE))
    assert plan.pages == {"/p1": frozenset(range(PAGES))}
    size = PAGES * PAGE_SIZE
    assert plan.prediction.page_cache_before == (1 + 4 + 2) * size
    assert plan.prediction.page_cache == (1 + 2) * size
    assert plan.prediction.steady_before == 5 * size + PAGES * round(0.4 * PAGE_SIZE)
    assert plan.prediction.steady == size + PAGES * round(0.4 * PAGE_SIZE)


def test_a_plan_speaks_of_copies_and_of_no_other_kernel(tree: Tree) -> None:
    plan = plan_of(tree, [text(10, 10, 1), text(10, 40, 4), text(2, 4, 2)], Budget())
    said = "\n".join(plan_lines(plan))
    assert "copies in RAM, steady state" in said
    assert "page cache" not in said
    assert "the same image on" not in said
    assert "in place  of pages  copies" in said
