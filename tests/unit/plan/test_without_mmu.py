# SPDX-License-Identifier: MIT
"""Plans for kernels without an MMU: whole mappings, weighed by their size and their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from support.profile_cases import STEADY, program_head, use
from tinyprof.cramfs.kernel import judge
from tinyprof.cramfs.tree import Tree
from tinyprof.cramfs.writing.writer import WriteOptions
from tinyprof.pages import PAGE_SIZE
from tinyprof.plan.planner import Budget, Plan, Planner
from tinyprof.plan.prediction import PageCache, page_cache
from tinyprof.plan.value import ONCE_SHARE, Candidate
from tinyprof.report.plans import plan_lines
from tinyprof.rootfs.match import Counts, FoundFile, Match

PAGES = 4
"""Pages of each program's text."""


def candidate(**kinds: int) -> Candidate:
    """A program whose text was used as these kinds, by the epochs of the steady state."""
    size, head = PAGES * PAGE_SIZE + 100, program_head(PAGES)
    uses = {page: use(**kinds) for page in range(PAGES)}
    stored = [2000] * (PAGES + 1)
    return Candidate("/f", size, head, stored, uses, STEADY, kernel="nommu")


def test_a_mapping_is_worth_its_copy_for_as_long_as_it_is_held() -> None:
    values = [candidate(x=5).value(page) for page in range(PAGES + 1)]
    assert values == [PAGE_SIZE // 2] * PAGES + [0]
    assert candidate(x=0).value(0) == round(PAGE_SIZE * ONCE_SHARE)


def test_a_copy_lies_beside_the_page_cache() -> None:
    file = candidate(x=10, f=10)
    assert file.value(0) == PAGE_SIZE
    assert replace(file, kernel="mainline").value(0) == 0


def test_a_prediction_counts_copies_of_mapped_pages_alone() -> None:
    uses = {0: use(x=5, f=10), 1: use(f=10), 2: use(x=4), 3: use(w=10)}
    file, links = replace(candidate(x=5), uses=uses), {"/lib/libc.so": 1.0}
    before = page_cache({}, [file], links, "nommu")
    assert before == PageCache(2 * PAGE_SIZE, PAGE_SIZE // 2 + round(0.4 * PAGE_SIZE))
    after = page_cache({"/f": {0}}, [file], links, "nommu")
    assert before.steady - after.steady == file.value(0)
    assert before.used - after.used == PAGE_SIZE


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


def plan_of(tree: Tree, steady: Sequence[int], budget: Budget) -> Plan:
    """A plan for programs that are held in so many epochs of the steady state."""
    files = tuple(
        FoundFile(
            node, {page: use(x=epochs) for page in range(PAGES)}, STEADY, Counts(same=PAGES), 3
        )
        for node, epochs in zip(tree.files(), steady, strict=True)
    )
    options = WriteOptions(kernel="nommu")
    return Planner(tree, Match(files, {}), options, Memory()).plan(budget)


def test_flash_goes_to_the_mapping_that_is_held_for_the_longest_time(tree: Tree) -> None:
    plan = plan_of(tree, [4, 10, 2], Budget(flash=(PAGES + 1) * PAGE_SIZE))
    assert plan.pages == {"/p1": frozenset(range(PAGES))}
    size = PAGES * PAGE_SIZE
    assert plan.prediction.page_cache_before == 3 * size
    assert plan.prediction.page_cache == 2 * size
    shares = [PAGES * round(share * PAGE_SIZE) for share in (0.4, 1, 0.2)]
    assert plan.prediction.steady_before == sum(shares)
    assert plan.prediction.steady == shares[0] + shares[2]


def test_no_plan_counts_a_symbolic_link(tree: Tree) -> None:
    files = tuple(
        FoundFile(node, {0: use(x=10)}, STEADY, Counts(same=1), 3) for node in tree.files()
    )
    found = Match(files, {}, {"/lib/libc.so": 1.0})
    planner = Planner(tree, found, WriteOptions(kernel="nommu"), Memory())
    plan = planner.plan(Budget())
    assert plan.prediction.page_cache_before == 3 * PAGE_SIZE
    assert plan.prediction.links == 0
    assert "symbolic link" not in "\n".join(plan_lines(plan))


def test_a_plan_speaks_of_copies_and_of_no_other_kernel(tree: Tree) -> None:
    plan = plan_of(tree, [10, 10, 2], Budget())
    said = "\n".join(plan_lines(plan))
    assert "copies in RAM, steady state" in said
    assert "page cache" not in said
    assert "the same image on" not in said
    assert "in place  of pages  processes" in said
